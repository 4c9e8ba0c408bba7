//! Which address each listener takes: the settings', a `--listen`, or under `--any-port` a free port that is remembered in
//! `ports.json` and taken again at the next start, since addresses that devices and certificates know must outlive a restart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use signet_model::Refusal;

use super::files::write_atomically;
use super::reasons::LISTEN_UNKNOWN;
use crate::config::{Address, nearest};

/// A `--listen NAME=HOST:PORT`.
#[derive(Clone, Debug)]
pub(crate) struct ListenFlag {
    /// The listener.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: Address,
}

impl std::str::FromStr for ListenFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || "wanted NAME=HOST:PORT".to_owned();
        let (name, address) = text.split_once('=').ok_or_else(wanted)?;
        Ok(Self { name: name.to_owned(), address: Address::parse(address).ok_or_else(wanted)? })
    }
}

/// The addresses of one process.
#[derive(Debug)]
pub(crate) struct Addresses {
    chosen: BTreeMap<&'static str, Address>,
    /// Where ports are remembered; none without `--any-port`.
    memory: Option<PathBuf>,
    remembered: BTreeMap<String, u16>,
}

impl Addresses {
    /// Lays flags over the settings' addresses. `listeners` are those that this process will bind.
    pub(crate) fn choose(
        listeners: &[(&'static str, &Address)],
        flags: &[ListenFlag],
        any_port: bool,
        data_dir: &Path,
    ) -> Result<Self, Refusal> {
        let memory = any_port.then(|| data_dir.join("ports.json"));
        let remembered = memory.as_deref().map(recall).unwrap_or_default();
        let mut chosen: BTreeMap<&'static str, Address> = BTreeMap::new();
        for (name, address) in listeners {
            let mut address = Address::clone(address);
            if any_port {
                address.port = remembered.get(*name).copied().unwrap_or(0);
            }
            chosen.insert(name, address);
        }
        for flag in flags {
            let Some(address) = chosen.get_mut(flag.name.as_str()) else {
                let names: Vec<&str> = chosen.keys().copied().collect();
                let meant = nearest(&flag.name, names.iter().copied()).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
                return Err(Refusal::new(&LISTEN_UNKNOWN, format!("`{}` is no listener of this process{meant}", flag.name))
                    .with_fix(format!("This process can bind: {}.", names.join(", "))));
            };
            *address = flag.address.clone();
        }
        Ok(Self { chosen, memory, remembered })
    }

    /// Where the listener of this name goes.
    pub(crate) fn of(&self, name: &str) -> Option<&Address> {
        self.chosen.get(name)
    }

    /// Remembers the ports that were bound.
    pub(crate) fn remember(&mut self, bound: &BTreeMap<String, String>) -> std::io::Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let before = self.remembered.clone();
        for (name, address) in bound {
            if let Some(address) = Address::parse(address) {
                self.remembered.insert(name.clone(), address.port);
            }
        }
        if self.remembered == before {
            return Ok(());
        }
        let json = serde_json::to_vec(&self.remembered).map_err(std::io::Error::other)?;
        write_atomically(memory, &json)
    }
}

/// Ports of an earlier start; a damaged file counts as none and is written anew.
fn recall(path: &Path) -> BTreeMap<String, u16> {
    std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_taken_again_and_flags_win() {
        let dir = tempfile::tempdir().unwrap();
        let (api, management) = (Address::loopback(7443), Address::loopback(7070));
        let listeners = [("api", &api), ("management", &management)];
        let mut first = Addresses::choose(&listeners, &[], true, dir.path()).unwrap();
        assert_eq!(first.of("api").unwrap().port, 0);
        first.remember(&BTreeMap::from([("api".to_owned(), "127.0.0.1:4001".to_owned())])).unwrap();
        let flag: ListenFlag = "management=127.0.0.1:4002".parse().unwrap();
        let second = Addresses::choose(&listeners, &[flag], true, dir.path()).unwrap();
        assert_eq!((second.of("api").unwrap().port, second.of("management").unwrap().port), (4001, 4002));
        assert_eq!(Addresses::choose(&listeners, &[], false, dir.path()).unwrap().of("api").unwrap().port, 7443);
    }

    #[test]
    fn unknown_listeners_are_refused_with_the_nearest() {
        let api = Address::loopback(1);
        let flag: ListenFlag = "apy=127.0.0.1:1".parse().unwrap();
        let refusal = Addresses::choose(&[("api", &api)], &[flag], false, Path::new("/nonexistent")).unwrap_err();
        assert_eq!(refusal.reason.code, "listen.unknown");
        assert!(refusal.detail.contains("`api`"));
        assert!("api".parse::<ListenFlag>().is_err() && "api=x".parse::<ListenFlag>().is_err());
    }
}
