//! How many exchanges run at once: with everyone together, and with one host, so that a slow one does not starve the others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::OutboundError;

/// The part of all exchanges that one host may hold.
const SHARE_OF_ONE_HOST: usize = 4;

#[derive(Debug)]
pub(crate) struct InFlight {
    most: usize,
    most_per_host: usize,
    running: Mutex<Running>,
}

/// At most `most` entries, since an entry is an exchange or more.
#[derive(Debug, Default)]
struct Running {
    all: usize,
    by_host: HashMap<String, usize>,
}

impl InFlight {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_host: most.div_ceil(SHARE_OF_ONE_HOST), running: Mutex::default() })
    }

    /// A place, held until it is dropped.
    pub(crate) fn enter(self: &Arc<Self>, host: &str) -> Result<Place, OutboundError> {
        let mut running = self.running.lock();
        let here = running.by_host.get(host).copied().unwrap_or(0);
        if running.all >= self.most || here >= self.most_per_host {
            return Err(OutboundError::Busy);
        }
        running.all = running.all.saturating_add(1);
        running.by_host.insert(host.to_owned(), here.saturating_add(1));
        Ok(Place { of: Arc::clone(self), host: host.to_owned() })
    }
}

#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<InFlight>,
    host: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.of.running.lock();
        running.all = running.all.saturating_sub(1);
        let here = running.by_host.get(&self.host).copied().unwrap_or(0);
        if here > 1 {
            running.by_host.insert(self.host.clone(), here.saturating_sub(1));
        } else {
            running.by_host.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_takes_a_quarter_and_all_together_the_whole() {
        let limits = InFlight::new(8);
        let mut held = vec![limits.enter("a").unwrap(), limits.enter("a").unwrap()];
        assert_eq!(limits.enter("a").unwrap_err(), OutboundError::Busy);
        for host in ["b", "b", "c", "c", "d", "d"] {
            held.push(limits.enter(host).unwrap());
        }
        assert_eq!(limits.enter("e").unwrap_err(), OutboundError::Busy);
        held.clear();
        assert!(limits.running.lock().by_host.is_empty());
        assert!(limits.enter("e").is_ok());
    }
}
