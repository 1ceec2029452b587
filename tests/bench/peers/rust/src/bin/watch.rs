//! Benchmark peer: the etcd-client crate watching. The same cases as watch.c, but for stall: its watches end
//! with their stream. All watches of a client are on one stream, which one task reads.
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use etcd_client::{Client, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream};
use tokio::sync::Semaphore;

const WARM_PUTS: usize = 200;
const MESSAGE_BYTES: usize = 256 << 20; // the default of 4 MB is less than a replay may have

struct Job {
    endpoints: Vec<String>,
    key: String,
    watches: usize,
    events: usize,
    keys: usize, // 0: watch number i has the key number i; else each has all of so many
    revision: i64,
}

/// What one watch has seen.
#[derive(Clone, Default)]
struct Seen {
    events: usize,
    revision: i64,
}

fn fail(text: &str) -> ! {
    eprintln!("rust watch: {text}");
    std::process::exit(2)
}

fn good<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|e| fail(&e.to_string()))
}

fn cpu_microseconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) }, 0);
    let of = |t: libc::timeval| t.tv_sec as f64 * 1e6 + t.tv_usec as f64;
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// A number in /proc/self/status.
fn status_of(field: &str) -> f64 {
    let text = good(std::fs::read_to_string("/proc/self/status"));
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{field}:")));
    let word = line.and_then(|line| line.split_whitespace().nth(1));
    word.and_then(|word| word.parse().ok()).unwrap_or(-1.0)
}

fn resident_bytes() -> f64 {
    1024.0 * status_of("VmRSS")
}

fn wait_for_go() {
    println!("ready");
    let mut line = String::new();
    if good(std::io::stdin().lock().read_line(&mut line)) == 0 {
        fail("the standard input ended before \"go\"");
    }
}

impl Job {
    fn key_of(&self, number: usize) -> String {
        format!("{}{:06}", self.key, number)
    }

    fn options(&self, number: usize) -> (String, Option<WatchOptions>) {
        let options = WatchOptions::new()
            .with_watch_id(number as i64 + 1)
            .with_start_revision(self.revision);
        if self.keys == 0 {
            (self.key_of(number), Some(options))
        } else {
            (self.key.clone(), Some(options.with_prefix()))
        }
    }

    async fn connect(&self) -> Client {
        good(Client::connect(&self.endpoints, None).await)
    }

    /// Event number n is of the key number n, in turn, and of the version that follows from that.
    fn check(&self, response: &WatchResponse, seen: &mut [Seen]) -> usize {
        if response.canceled() {
            fail(response.cancel_reason());
        }
        let watch = response.watch_id() as usize - 1;
        let state = &mut seen[watch];
        for event in response.events() {
            let kv = event.kv().unwrap_or_else(|| fail("an event without a key"));
            let several = self.keys.max(1);
            let number = if self.keys == 0 {
                watch
            } else {
                state.events % several
            };
            let version = (state.events / several + 1) as i64;
            if kv.key() != self.key_of(number).as_bytes()
                || kv.version() != version
                || kv.mod_revision() < state.revision
                || (several == 1 && kv.mod_revision() == state.revision)
            {
                fail(&format!(
                    "watch {watch}: event {} is {} version {} at revision {}, not version {version}",
                    state.events,
                    kv.key_str().unwrap_or("?"),
                    kv.version(),
                    kv.mod_revision()
                ));
            }
            state.events += 1;
            state.revision = kv.mod_revision();
        }
        response.events().len()
    }

    /// The stream with the first of so many watches; the others are asked for by a task of their own.
    async fn open(self: &Arc<Self>, client: &Client, from: usize, count: usize) -> Stream {
        let (key, options) = self.options(from);
        let mut watcher = client
            .watch_client()
            .max_decoding_message_size(MESSAGE_BYTES);
        let (mut sender, receiver) = good(watcher.watch(key, options).await).split();
        let job = self.clone();
        let asking = tokio::spawn(async move {
            for i in from + 1..from + count {
                let (key, options) = job.options(i);
                good(sender.watch(key, options).await);
            }
            sender
        });
        Stream { asking, receiver }
    }
}

struct Stream {
    asking: tokio::task::JoinHandle<WatchRequestSender>,
    receiver: WatchResponseStream,
}

async fn next(receiver: &mut WatchResponseStream) -> WatchResponse {
    good(receiver.message().await).unwrap_or_else(|| fail("the stream has ended"))
}

/// Until so many watches stand.
async fn stand(receiver: &mut WatchResponseStream, count: usize) {
    let mut stood = 0;
    while stood < count {
        stood += next(receiver).await.created() as usize;
    }
}

async fn take(job: &Job, receiver: &mut WatchResponseStream, seen: &mut [Seen]) {
    let mut done = 0;
    while done < job.events {
        done += job.check(&next(receiver).await, seen);
    }
}

fn print_rate(job: &Job, start: Instant, cpu: f64) {
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"events\": {}, \"seconds\": {:.4}, \"events_per_s\": {:.1}, \"client_cpu_us\": {:.4}}}",
        job.events,
        seconds,
        job.events as f64 / seconds,
        (cpu_microseconds() - cpu) / job.events as f64
    );
}

async fn live(job: Arc<Job>) {
    let client = job.connect().await;
    let mut seen = vec![Seen::default(); job.watches];
    let mut stream = job.open(&client, 0, job.watches).await;
    stand(&mut stream.receiver, job.watches).await;
    let _sender = good(stream.asking.await);
    wait_for_go();
    let (cpu, start) = (cpu_microseconds(), Instant::now());
    take(&job, &mut stream.receiver, &mut seen).await;
    print_rate(&job, start, cpu);
}

async fn replay(job: Arc<Job>) {
    let mut client = job.connect().await;
    good(client.get(job.key.as_str(), None).await);
    let mut seen = vec![Seen::default(); 1];
    wait_for_go();
    let (cpu, start) = (cpu_microseconds(), Instant::now());
    let mut stream = job.open(&client, 0, 1).await;
    take(&job, &mut stream.receiver, &mut seen).await;
    print_rate(&job, start, cpu);
}

async fn many(job: Arc<Job>) {
    let mut client = job.connect().await;
    good(client.get(job.key.as_str(), None).await);
    wait_for_go();
    let (before, start) = (resident_bytes(), Instant::now());
    let mut stream = job.open(&client, 0, job.watches).await;
    stand(&mut stream.receiver, job.watches).await;
    let mut sender = good(stream.asking.await);
    let open_s = start.elapsed().as_secs_f64();
    let bytes = (resident_bytes() - before) / job.watches as f64;
    let threads = status_of("Threads");
    let start = Instant::now();
    let count = job.watches as i64;
    let asking = tokio::spawn(async move {
        for id in 1..=count {
            good(sender.cancel(id).await);
        }
        sender
    });
    let mut ended = 0;
    while ended < count {
        ended += next(&mut stream.receiver).await.canceled() as i64;
    }
    let close_s = start.elapsed().as_secs_f64();
    good(asking.await);
    println!(
        "{{\"watches\": {count}, \"open_s\": {open_s:.3}, \"close_s\": {close_s:.3}, \
         \"bytes_per_watch\": {bytes:.0}, \"threads\": {threads}}}"
    );
}

async fn clients(job: Arc<Job>) {
    wait_for_go();
    let (before, start) = (resident_bytes(), Instant::now());
    let mut all = Vec::new();
    for i in 0..job.watches {
        let client = job.connect().await;
        let mut stream = job.open(&client, i, 1).await;
        stand(&mut stream.receiver, 1).await;
        let sender = good(stream.asking.await);
        all.push((client, sender, stream.receiver));
    }
    let open_s = start.elapsed().as_secs_f64();
    let bytes = (resident_bytes() - before) / job.watches as f64;
    let threads = status_of("Threads");
    let start = Instant::now();
    drop(all);
    println!(
        "{{\"clients\": {}, \"open_s\": {open_s:.3}, \"close_s\": {:.3}, \
         \"bytes_per_client\": {bytes:.0}, \"threads\": {threads}}}",
        job.watches,
        start.elapsed().as_secs_f64()
    );
}

/// From the call of put to the event in the hands of another task.
async fn latency(job: Arc<Job>) {
    let client = job.connect().await;
    let mut writer = job.connect().await.kv_client();
    let mut stream = job.open(&client, 0, 1).await;
    stand(&mut stream.receiver, 1).await;
    let count = job.events + WARM_PUTS;
    let permits = Arc::new(Semaphore::new(0));
    wait_for_go();
    let (key, next_one) = (job.key_of(0), permits.clone());
    let putting = tokio::spawn(async move {
        let mut sent = Vec::with_capacity(count);
        for _ in 0..count {
            sent.push(Instant::now());
            good(writer.put(key.as_str(), "v", None).await);
            good(next_one.acquire().await).forget();
        }
        sent
    });
    let mut seen = vec![Seen::default(); 1];
    let mut came = Vec::with_capacity(count);
    for _ in 0..count {
        let response = next(&mut stream.receiver).await;
        came.push(Instant::now());
        if job.check(&response, &mut seen) != 1 {
            fail("a put had no event of its own");
        }
        permits.add_permits(1);
    }
    let sent = good(putting.await);
    let mut took: Vec<f64> = (WARM_PUTS..count)
        .map(|i| (came[i] - sent[i]).as_nanos() as f64 / 1e3)
        .collect();
    took.sort_by(f64::total_cmp);
    let rank = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1];
    println!(
        "{{\"events\": {}, \"p50_us\": {:.3}, \"p99_us\": {:.3}}}",
        job.events,
        rank(50),
        rank(99)
    );
}

#[tokio::main]
async fn main() {
    let mut arguments = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let name = word
            .strip_prefix("--")
            .unwrap_or_else(|| fail(&format!("unknown word {word}")));
        let value = words
            .next()
            .unwrap_or_else(|| fail(&format!("{word} needs a value")));
        arguments.insert(name.to_string(), value);
    }
    let text = |name: &str, default: &str| {
        arguments
            .get(name)
            .cloned()
            .unwrap_or_else(|| default.to_string())
    };
    let number = |name: &str, default: &str| -> usize { good(text(name, default).parse()) };
    let job = Arc::new(Job {
        endpoints: text("endpoints", "").split(',').map(String::from).collect(),
        key: text("key", ""),
        watches: number("watches", "1"),
        events: number("events", "1"),
        keys: number("keys", "0"),
        revision: number("revision", "0") as i64,
    });
    match text("case", "").as_str() {
        "live" => live(job).await,
        "replay" => replay(job).await,
        "many" => many(job).await,
        "clients" => clients(job).await,
        "latency" => latency(job).await,
        other => fail(&format!("--case is \"{other}\"")),
    }
}
