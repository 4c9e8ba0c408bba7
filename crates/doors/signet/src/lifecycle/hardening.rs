//! What keeps secrets in memory out of files: no core dumps, and no swapping where the system allows it.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bit of CAP_IPC_LOCK in the capability masks (capabilities(7)).
const CAP_IPC_LOCK: u64 = 1 << 14;

/// What could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hardening {
    /// A crash writes no core file.
    pub(crate) no_core_dumps: bool,
    /// Pages that hold keys are not swapped out.
    pub(crate) memory_locked: bool,
}

/// Asks for both; neither is worth refusing to start, so what failed is told by `doctor` and the log.
pub(crate) fn harden() -> Hardening {
    let no_core_dumps = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok();
    // Under a limit, locking what comes later would make allocations fail one day; so all or nothing. Pages are locked as they
    // are touched, which costs nothing at the start.
    let memory_locked = may_lock_all() && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).is_ok();
    Hardening { no_core_dumps, memory_locked }
}

/// Whether all memory of this process may be locked; `doctor` asks the same of its own.
pub(crate) fn may_lock_all() -> bool {
    getrlimit(Resource::Memlock).current.is_none() || has_lock_capability()
}

/// Whether this process may lock beyond its limit.
fn has_lock_capability() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:")).and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask & CAP_IPC_LOCK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_end_with_the_first_call() {
        assert!(harden().no_core_dumps);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }
}
