//! Metrics of the process, the feed and the view: read when asked, so nothing has to keep them current.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;

/// Reads one number; none while there is nothing to tell.
type Read = Box<dyn Fn() -> Option<f64> + Send + Sync>;

struct Reading {
    name: &'static str,
    help: &'static str,
    counter: bool,
    read: Read,
}

/// Numbers that are read when somebody asks.
#[derive(Default)]
pub(crate) struct Readings(Vec<Reading>);

impl Readings {
    /// The same with a gauge.
    #[must_use]
    pub(crate) fn gauge(mut self, name: &'static str, help: &'static str, read: impl Fn() -> Option<f64> + Send + Sync + 'static) -> Self {
        self.0.push(Reading { name, help, counter: false, read: Box::new(read) });
        self
    }

    /// The same with a counter; `name` without `_total`.
    #[must_use]
    pub(crate) fn counter(
        mut self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        self.0.push(Reading { name, help, counter: true, read: Box::new(read) });
        self
    }

    /// Shows them in `registry`.
    pub(crate) fn register(self, registry: &mut Registry) {
        registry.register_collector(Box::new(self));
    }

    /// What every process tells, named as Prometheus names it.
    pub(crate) fn of_process(started: f64) -> Self {
        Self::default()
            .gauge("process_start_time_seconds", "Start of the process since the Unix epoch", move || Some(started))
            .gauge("process_resident_memory_bytes", "Resident memory", || memory("VmRSS"))
            .gauge("process_virtual_memory_bytes", "Virtual memory", || memory("VmSize"))
            .gauge("process_open_fds", "Open file descriptors", || count(std::fs::read_dir("/proc/self/fd").ok()?.count()))
            .counter("process_cpu_seconds", "User and system time", cpu_seconds)
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|r| r.name)).finish()
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for reading in &self.0 {
            let Some(value) = (reading.read)() else { continue };
            if reading.counter {
                let metric = ConstCounter::new(value);
                metric.encode(encoder.encode_descriptor(reading.name, reading.help, None, metric.metric_type())?)?;
            } else {
                let metric = ConstGauge::new(value);
                metric.encode(encoder.encode_descriptor(reading.name, reading.help, None, metric.metric_type())?)?;
            }
        }
        Ok(())
    }
}

fn count(number: usize) -> Option<f64> {
    u32::try_from(number).ok().map(f64::from)
}

/// A line of `/proc/self/status` that is given in kB (proc_pid_status(5)), in bytes.
fn memory(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// User and system time of this process, threads that have ended included.
fn cpu_seconds() -> Option<f64> {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u32::try_from(usage.tv_sec).ok()?;
    let nanos = u32::try_from(usage.tv_nsec).ok()?;
    Some(f64::from(seconds) + f64::from(nanos) / 1e9)
}

/// A registry that shows the process.
pub(crate) fn of_process(started: f64) -> Registry {
    let mut registry = Registry::default();
    Readings::of_process(started).register(&mut registry);
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_tells_of_itself() {
        let mut registry = of_process(1.5);
        Readings::default().gauge("absent", "Nothing to tell", || None).register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for name in ["process_start_time_seconds 1.5", "process_resident_memory_bytes ", "process_open_fds ", "process_cpu_seconds_total "]
        {
            assert!(text.contains(&format!("\n{name}")), "{text}");
        }
        assert!(!text.contains("absent"), "{text}");
    }
}
