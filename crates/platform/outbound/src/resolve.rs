//! Names to addresses. The answer is only a claim: whoever connects checks every address of it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// Lookups of the system that may run at once. One that hangs keeps its place until the system gives up, however long ago its
/// asker went away, so that a dead name server cannot pile up threads.
const MOST_LOOKUPS: usize = 32;

/// What turns names into addresses.
pub trait Resolve: Send + Sync {
    /// All addresses of the name, IPv4 and IPv6, in order of preference.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver: `/etc/hosts`, DNS and whatever else the machine is set up with.
#[derive(Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST_LOOKUPS)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| io::Error::other("too many lookups are under way"))?;
            // A task of its own: when the asker goes away, the place is given back only when the lookup has truly ended.
            let lookup = tokio::spawn(async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await.map(|found| found.map(|address| address.ip()).collect());
                drop(place);
                found
            });
            lookup.await.map_err(|_| io::Error::other("the lookup was ended"))?
        })
    }
}
