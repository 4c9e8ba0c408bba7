//! Who is connected: counted per listener and per address, so that one stranger cannot take all places.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::Limits;

/// The open connections of one listener; at most [`Limits::max_connections`] entries.
#[derive(Clone, Debug)]
pub(crate) struct Census(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    counts: Mutex<Counts>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    census: Census,
    address: IpAddr,
}

impl Census {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self(Arc::new(Inner { counts: Mutex::default(), gauge }))
    }

    /// A place for a connection from `address`, or why there is none.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits) -> Result<Place, &'static str> {
        let address = group(address);
        let mut counts = self.0.counts.lock();
        if counts.all >= limits.max_connections {
            return Err("full");
        }
        let of_address = counts.by_address.entry(address).or_insert(0);
        if *of_address >= limits.max_connections_per_address {
            return Err("address");
        }
        *of_address = of_address.saturating_add(1);
        counts.all = counts.all.saturating_add(1);
        self.0.gauge.inc();
        Ok(Place { census: self.clone(), address })
    }

    pub(crate) fn open(&self) -> usize {
        self.0.counts.lock().all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.0.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        if let Some(of_address) = counts.by_address.get_mut(&self.address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                counts.by_address.remove(&self.address);
            }
        }
        self.census.0.gauge.dec();
    }
}

/// What counts as one stranger: an IPv4 address, also when mapped into IPv6, or an IPv6 /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_per_address_and_in_all() {
        let limits = Limits { max_connections: 3, max_connections_per_address: 2, ..Limits::default() };
        let census = Census::new(Gauge::default());
        let admit = |address: &str| census.admit(address.parse().expect("address"), &limits);
        let first = admit("2001:db8::1").expect("a place");
        let _second = admit("2001:db8::ffff").expect("a place");
        assert_eq!(admit("2001:db8::2").expect_err("same /64"), "address");
        let _other = admit("192.0.2.1").expect("a place");
        assert_eq!(admit("192.0.2.2").expect_err("no place left"), "full");
        drop(first);
        assert_eq!(census.open(), 2);
        assert!(admit("::ffff:192.0.2.1").is_ok());
    }
}
