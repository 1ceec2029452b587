//! Benchmark peer: the etcd-client crate keeping many leases alive. The same script as lease.c. The crate has a
//! stream for each lease and leaves the asking to the program: a third of the TTL apart, as clientv3 has it.
use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Client, LeaseClient};

const OPENERS: usize = 16;

fn fail(text: &str) -> ! {
    eprintln!("rust lease: {text}");
    std::process::exit(2)
}

fn good<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|e| fail(&e.to_string()))
}

fn cpu_seconds() -> f64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) }, 0);
    let of = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Returns when the lease is lost.
async fn keep(mut client: LeaseClient, id: i64, ttl: i64) -> Result<(), etcd_client::Error> {
    let (mut keeper, mut answers) = client.keep_alive(id).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(ttl as u64 * 1000 / 3)).await;
        keeper.keep_alive().await?;
        match answers.message().await? {
            Some(answer) if answer.ttl() > 0 => {}
            _ => return Ok(()),
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        arguments.insert(name, value);
    }
    let number = |name: &str, default: i64| -> i64 {
        arguments
            .get(name)
            .map_or(default, |text| good(text.parse()))
    };
    let (leases, ttl) = (number("--leases", 10000), number("--ttl", 10));
    let seconds = number("--seconds", 300) as u64;
    let endpoint = arguments
        .get("--endpoint")
        .cloned()
        .unwrap_or_else(|| fail("no --endpoint"));
    let client = good(Client::connect([endpoint], None).await).lease_client();
    let (next, lost) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let began = Instant::now();
    let mut openers = Vec::new();
    for _ in 0..OPENERS {
        let (mut client, next, lost) = (client.clone(), next.clone(), lost.clone());
        openers.push(tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < leases {
                let id = good(client.grant(ttl, None).await).id();
                let (client, lost) = (client.clone(), lost.clone());
                tokio::spawn(async move {
                    let _ = keep(client, id, ttl).await;
                    lost.fetch_add(1, Ordering::Relaxed);
                });
            }
        }));
    }
    for opener in openers {
        good(opener.await);
    }
    let (opened, cpu) = (Instant::now(), cpu_seconds());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (held, used) = (opened.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{{\"leases\":{leases},\"held_s\":{held:.1},\"open_s\":{:.2},\"lost\":{},\"at_risk\":0,\
         \"client_cpu_percent\":{:.2}}}",
        (opened - began).as_secs_f64(),
        lost.load(Ordering::Relaxed),
        100.0 * used / held
    );
    let _ = std::io::stdin().read(&mut [0]);
}
