//! What a run prints: operations per second, latency percentiles, CPU per operation, memory; and beside them the limit.

use std::time::{Duration, Instant};

use anyhow::Result;

/// One measured run.
pub(crate) struct Figures {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    pub(crate) cpu: Duration,
    latencies: Vec<Duration>,
}

/// A run in progress.
pub(crate) struct Meter {
    started: Instant,
    cpu: Duration,
}

impl Meter {
    /// Starts the clocks: wall and the process's own CPU time.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), cpu: process_cpu() }
    }

    /// How long it has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Stops the clocks.
    pub(crate) fn stop(self, latencies: Vec<Duration>) -> Figures {
        Figures::new(self.started.elapsed(), process_cpu().saturating_sub(self.cpu), latencies)
    }
}

impl Figures {
    /// Figures of something that was measured elsewhere, such as in another process.
    pub(crate) fn new(elapsed: Duration, cpu: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { operations: u64::try_from(latencies.len()).unwrap_or(u64::MAX), elapsed, cpu, latencies }
    }

    /// What each operation took.
    pub(crate) fn into_latencies(self) -> Vec<Duration> {
        self.latencies
    }

    /// Operations per second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` (0 to 1) of the operations did not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let rank = ((self.latencies.len() as f64) * share).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// CPU time of this process for one operation.
    pub(crate) fn cpu_per_operation(&self) -> Duration {
        self.cpu.div_f64((self.operations as f64).max(1.0))
    }

    /// One line under [`head`], with this process's peak of memory.
    pub(crate) fn line(&self, name: &str, limit: Option<f64>) -> String {
        self.line_of(name, limit, peak_memory_mib("self"))
    }

    /// One line under [`head`].
    pub(crate) fn line_of(&self, name: &str, limit: Option<f64>, peak_mib: u64) -> String {
        let of_limit = limit.map_or_else(|| "     -".to_owned(), |limit| format!("{:5.0}%", 100.0 * self.rate() / limit));
        format!(
            "{name:<46} {:>9.0} {of_limit} {:>9.2} {:>9.2} {:>9.2} {:>9.1} {:>8}",
            self.rate(),
            millis(self.percentile(0.50)),
            millis(self.percentile(0.99)),
            millis(self.percentile(0.999)),
            self.cpu_per_operation().as_secs_f64() * 1e6,
            peak_mib
        )
    }
}

/// Column heads of [`Figures::line`].
pub(crate) fn head() -> String {
    format!(
        "{:<46} {:>9} {:>6} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "", "ops/s", "limit", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs/op", "peak MiB"
    )
}

/// Milliseconds with fractions.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn process_cpu() -> Duration {
    cpu_of("self").unwrap_or_default()
}

/// User and system time of a process, from `/proc/PID/stat` in clock ticks of 10 ms.
pub(crate) fn cpu_of(pid: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets and may hold spaces.
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// The most memory that a process ever held.
pub(crate) fn peak_memory_mib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}
