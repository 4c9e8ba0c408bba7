//! The limit of checks: bare bcrypt of the default cost, on two threads.

use std::time::{Duration, Instant};

use anyhow::Result;
use signet_crypto::SystemEntropy;
use signet_crypto::password::{Cost, Password, hash, verify};

use crate::report::{Figures, Meter};

/// Threads, as many as the machine of the goals has cores.
const THREADS: usize = 2;

/// Verifies one password after the other on each thread for `time`.
pub(crate) fn run(time: Duration) -> Result<Figures> {
    let hash = hash(&Password::new(super::PASSWORD)?, Cost::DEFAULT, &SystemEntropy);
    let meter = Meter::start();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let hash = hash.clone();
            std::thread::spawn(move || {
                let password = Password::new(super::PASSWORD)?;
                let (begin, mut latencies) = (Instant::now(), Vec::new());
                while begin.elapsed() < time {
                    let started = Instant::now();
                    anyhow::ensure!(verify(&password, &hash), "bcrypt refused the right password");
                    latencies.push(started.elapsed());
                }
                Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for thread in threads {
        latencies.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
    }
    Ok(meter.stop(latencies))
}
