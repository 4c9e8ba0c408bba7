//! The machine: its clock, and what it allows against secrets in files.

use std::time::{Duration, SystemTime};

use super::{Check, Patient};

/// Nobody had this program before 2026-01-01; a clock that stands earlier is wrong.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// Files of the data directory may be this far ahead of the clock before it counts as set back.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The clock, by what it cannot be: before this program, or before files that were written by it.
pub(super) fn clock(patient: &Patient<'_>) -> Check {
    const FIX: &str = "Set the clock and keep it by NTP: `timedatectl set-ntp true`.";
    let since_epoch = Duration::from_micros(u64::try_from(crate::clock::now().micros()).unwrap_or(0));
    let now = SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH);
    if since_epoch < EARLIEST {
        return Check::failed("clock", format!("the system clock says {}, which is in the past", crate::clock::now()), FIX);
    }
    let newest =
        std::fs::read_dir(patient.data_dir).into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok()).max();
    match newest.and_then(|written| written.duration_since(now).ok()) {
        Some(ahead) if ahead > TOLERANCE => Check::failed(
            "clock",
            format!("files of the data directory were written {} s in the future: the clock was set back", ahead.as_secs()),
            FIX,
        ),
        Some(_) | None => Check::fine("clock", format!("the system clock says {}", crate::clock::now())),
    }
}

/// Whether keys in memory stay out of swap. Core dumps are always off.
pub(super) fn hardening() -> Check {
    let swap = std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1);
    if crate::lifecycle::may_lock_all() {
        return Check::fine("memory", "a server started like this can lock its memory; core dumps are off");
    }
    let detail = if swap {
        "memory cannot be locked and this machine swaps: keys may be written to disk"
    } else {
        "memory cannot be locked; this machine has no swap"
    };
    Check::warning(
        "memory",
        detail,
        "Let the service lock memory: `LimitMEMLOCK=infinity` in its unit, as deploy/systemd/signet.service has it.",
    )
}
