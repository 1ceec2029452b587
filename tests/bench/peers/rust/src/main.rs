//! Benchmark peer: the etcd-client crate on tokio's multi-thread runtime. One channel (one
//! connection), as many tasks as ops in flight.
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Instant;

use etcd_client::{Client, KvClient};

#[derive(Clone)]
struct Job {
    put: bool,
    key: String,
    size: usize,
}

#[derive(Default)]
struct Outcome {
    nanoseconds: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
}

fn cpu_microseconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) }, 0);
    let of = |t: libc::timeval| t.tv_sec as f64 * 1e6 + t.tv_usec as f64;
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The nearest-rank percentile of sorted latencies, in microseconds.
fn rank(sorted: &[u64], percent: usize) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    sorted[((sorted.len() * percent).div_ceil(100)).max(1) - 1] as f64 / 1e3
}

fn fail(text: &str) -> ! {
    eprintln!("rust peer: {text}");
    std::process::exit(2)
}

async fn one(client: &mut KvClient, job: &Job, value: &[u8]) -> Result<(), String> {
    if job.put {
        let put = client.put(job.key.as_str(), value, None).await;
        return put.map(|_| ()).map_err(|e| e.to_string());
    }
    let answer = client.get(job.key.as_str(), None).await.map_err(|e| e.to_string())?;
    match answer.kvs() {
        [kv] if kv.value().len() == job.size => Ok(()),
        _ => Err(format!("the answer is not the one value of {} bytes", job.size)),
    }
}

async fn worker(mut client: KvClient, job: Job, left: Arc<AtomicI64>, expected: usize) -> Outcome {
    let value = vec![b'v'; job.size];
    let mut outcome = Outcome { nanoseconds: Vec::with_capacity(expected), ..Default::default() };
    while left.fetch_sub(1, Ordering::Relaxed) > 0 {
        let start = Instant::now();
        if let Err(text) = one(&mut client, &job, &value).await {
            outcome.errors += 1;
            outcome.first_error.get_or_insert(text);
        }
        outcome.nanoseconds.push(start.elapsed().as_nanos() as u64);
    }
    outcome
}

async fn run(client: &KvClient, job: &Job, in_flight: usize, total: i64) -> Outcome {
    let left = Arc::new(AtomicI64::new(total));
    let expected = total as usize / in_flight + 64;
    let tasks: Vec<_> = (0..in_flight)
        .map(|_| tokio::spawn(worker(client.clone(), job.clone(), left.clone(), expected)))
        .collect();
    let mut all = Outcome::default();
    for task in tasks {
        let part = task.await.unwrap_or_else(|e| fail(&e.to_string()));
        all.nanoseconds.extend(part.nanoseconds);
        all.errors += part.errors;
        all.first_error = all.first_error.or(part.first_error);
    }
    all
}

fn number(arguments: &HashMap<String, String>, name: &str, default: i64, least: i64) -> i64 {
    let value = match arguments.get(name) {
        None => default,
        Some(text) => {
            text.parse().unwrap_or_else(|_| fail(&format!("--{name} {text} is no number")))
        }
    };
    if value < least {
        fail(&format!("--{name} {value} is below {least}"));
    }
    value
}

#[tokio::main]
async fn main() {
    let mut arguments = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").unwrap_or_else(|| fail(&format!("unknown word {word}")));
        let value = words.next().unwrap_or_else(|| fail(&format!("{word} needs a value")));
        arguments.insert(name.to_string(), value);
    }
    let text = |name: &str| arguments.get(name).cloned();
    let put = match text("verb").as_deref() {
        Some("put") => true,
        Some("get") => false,
        _ => fail("--verb is put or get"),
    };
    let job = Job {
        put,
        key: text("key").unwrap_or_else(|| fail("--key is missing")),
        size: number(&arguments, "size", 3, 0) as usize,
    };
    let in_flight = number(&arguments, "n", 1, 1) as usize;
    let ops = number(&arguments, "ops", 1000, 1);
    let warmup = number(&arguments, "warmup", 0, 0);
    let endpoint = text("endpoint").unwrap_or_else(|| fail("--endpoint is missing"));
    let client = Client::connect([endpoint], None).await.unwrap_or_else(|e| fail(&e.to_string()));
    let client = client.kv_client();

    run(&client, &job, in_flight, warmup).await;
    let cpu = cpu_microseconds();
    let start = Instant::now();
    let mut outcome = run(&client, &job, in_flight, ops).await;
    let elapsed = start.elapsed().as_secs_f64();
    let cpu = cpu_microseconds() - cpu;
    outcome.nanoseconds.sort_unstable();
    println!(
        "{{\"ops_per_s\": {:.3}, \"p50_us\": {:.3}, \"p99_us\": {:.3}, \"client_cpu_us\": {:.3}, \"errors\": {}{}}}",
        ops as f64 / elapsed,
        rank(&outcome.nanoseconds, 50),
        rank(&outcome.nanoseconds, 99),
        cpu / ops as f64,
        outcome.errors,
        // Debug of a str is JSON for the texts that occur here.
        outcome.first_error.map(|e| format!(", \"error\": {e:?}")).unwrap_or_default(),
    );
}
