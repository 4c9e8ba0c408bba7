//! The floors of the house: which crate may depend on which (ARCHITECTURE.md).
//!
//! A crate may depend on any floor below its own; inside a floor only along the listed edges. Everything else is
//! refused, also a crate on a floor nobody has heard of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::workspace;

/// Edges inside one floor: from, to.
const INSIDE: &[(&str, &str)] = &[
    ("signet", "signet-client"),
    ("signet", "signet-console"),
    ("signet", "signet-agent"),
    ("signet-ledger", "signet-db"),
    ("signet-ledger", "signet-bus"),
    ("signet-custody", "signet-outbound"),
    ("signet-standing", "signet-bus"),
    ("signet-http", "signet-outbound"),
    ("signet-crypto", "signet-model"),
    ("signet-pki", "signet-model"),
    ("signet-jose", "signet-model"),
    ("signet-kaa", "signet-model"),
    ("signet-pki", "signet-crypto"),
    ("signet-jose", "signet-crypto"),
];

/// Rooms that serve without a database: they never reach these, not even through another crate.
const WITHOUT_DATABASE: &[&str] = &["signet-gateway", "signet-proxy", "signet-keys"];
const DATABASE: &[&str] = &["signet-db", "signet-ledger"];

/// Where a package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    Base,
    Platform,
    Rooms,
    Doors,
    /// Test support: dev-dependency of anything, knows only `base`.
    Testkit,
    /// `bench`, `tests`, `fuzz`: may use everything, nobody may use them.
    Outside,
    /// `xtask`: knows only the test kit.
    Xtask,
}

/// One member of the workspace and its dependencies on other members.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    name: String,
    /// Directory relative to the checkout.
    place: String,
    /// Normal and build dependencies.
    uses: BTreeSet<String>,
    /// Dev-dependencies.
    tests_with: BTreeSet<String>,
}

/// Reads the members from `cargo metadata`.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>> {
    let metadata = workspace::metadata(root)?;
    let packages = metadata.get("packages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut members = Vec::new();
    for package in packages {
        let manifest = text(package, "manifest_path");
        let place = Path::new(&manifest).parent().and_then(|directory| directory.strip_prefix(root).ok());
        let Some(place) = place else { bail!("{manifest} lies outside the checkout") };
        let dependencies = package.get("dependencies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let ours = dependencies.iter().filter(|dependency| dependency.get("path").is_some_and(Value::is_string));
        let (mut uses, mut tests_with) = (BTreeSet::new(), BTreeSet::new());
        for dependency in ours {
            let kind = dependency.get("kind").and_then(Value::as_str).unwrap_or("normal");
            let set = if kind == "dev" { &mut tests_with } else { &mut uses };
            set.insert(text(dependency, "name"));
        }
        members.push(Member { name: text(package, "name"), place: place.to_string_lossy().into_owned(), uses, tests_with });
    }
    Ok(members)
}

/// Every edge that the architecture forbids, in words.
pub(crate) fn violations(members: &[Member]) -> Vec<String> {
    let mut found = Vec::new();
    let mut floors = BTreeMap::new();
    for member in members {
        match floor(&member.place) {
            Some(floor) => {
                floors.insert(member.name.as_str(), floor);
            }
            None => found.push(format!("{} lies in {}, which is no floor of the house", member.name, member.place)),
        }
    }
    for member in members {
        let Some(from) = floors.get(member.name.as_str()) else { continue };
        for (other, for_tests) in member.uses.iter().map(|name| (name, false)).chain(member.tests_with.iter().map(|name| (name, true))) {
            let Some(to) = floors.get(other.as_str()) else { continue };
            if !allowed((&member.name, *from), (other, *to), for_tests) {
                let how = if for_tests { "tests with" } else { "depends on" };
                found.push(format!("{} ({from:?}) {how} {other} ({to:?})", member.name));
            }
        }
    }
    for room in WITHOUT_DATABASE {
        let reached = reach(members, room);
        for forbidden in DATABASE.iter().filter(|name| reached.contains(**name)) {
            found.push(format!("{room} reaches {forbidden}, and must serve without a database"));
        }
    }
    found
}

fn floor(place: &str) -> Option<Floor> {
    match place.split('/').collect::<Vec<_>>().as_slice() {
        ["crates", "base", _] => Some(Floor::Base),
        ["crates", "platform", _] => Some(Floor::Platform),
        ["crates", "rooms", _] => Some(Floor::Rooms),
        ["crates", "doors", _] => Some(Floor::Doors),
        ["crates", "testkit"] => Some(Floor::Testkit),
        ["bench" | "tests" | "fuzz"] => Some(Floor::Outside),
        ["xtask"] => Some(Floor::Xtask),
        _ => None,
    }
}

fn allowed((from, from_floor): (&str, Floor), (to, to_floor): (&str, Floor), for_tests: bool) -> bool {
    match (from_floor, to_floor) {
        (_, Floor::Outside | Floor::Xtask) => false,
        (Floor::Outside, _) => true,
        (Floor::Xtask, to) => to == Floor::Testkit,
        (Floor::Testkit, to) => to == Floor::Base,
        (_, Floor::Testkit) => for_tests,
        (Floor::Doors, Floor::Rooms | Floor::Platform) if from == "signet-agent" => to == "signet-outbound",
        (from_floor, to_floor) if from_floor == to_floor => INSIDE.contains(&(from, to)),
        (from_floor, to_floor) => to_floor < from_floor,
    }
}

/// Everything that a crate depends on, directly or not, without dev-dependencies.
fn reach<'a>(members: &'a [Member], from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = members.iter().filter(|member| member.name == from).map(|member| member.name.as_str()).collect();
    while let Some(name) = open.pop() {
        for member in members.iter().filter(|member| member.name == name) {
            open.extend(member.uses.iter().map(String::as_str).filter(|used| seen.insert(*used)));
        }
    }
    seen
}

/// The check as a step of CI.
pub(crate) fn check(root: &Path) -> Result<()> {
    let found = violations(&members(root)?);
    if !found.is_empty() {
        bail!("edges that the architecture forbids:\n  {}", found.join("\n  "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(place: &str, uses: &[&str], tests_with: &[&str]) -> Member {
        let last = place.rsplit('/').next().unwrap();
        let name = if ["signet", "xtask"].contains(&last) { last.to_owned() } else { format!("signet-{last}") };
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Member { name, place: place.to_owned(), uses: set(uses), tests_with: set(tests_with) }
    }

    fn house() -> Vec<Member> {
        vec![
            member("crates/base/model", &[], &[]),
            member("crates/base/crypto", &["signet-model"], &[]),
            member("crates/platform/db", &["signet-model"], &["signet-testkit"]),
            member("crates/platform/bus", &["signet-model"], &["signet-testkit"]),
            member("crates/platform/ledger", &["signet-db", "signet-bus", "signet-crypto"], &[]),
            member("crates/rooms/credentials", &["signet-ledger", "signet-db"], &["signet-testkit"]),
            member("crates/doors/client", &["signet-model"], &[]),
            member("crates/doors/signet", &["signet-client", "signet-credentials"], &[]),
            member("crates/testkit", &["signet-model"], &[]),
            member("bench", &["signet-ledger", "signet-testkit"], &[]),
            member("xtask", &["signet-testkit"], &[]),
        ]
    }

    #[test]
    fn this_workspace_keeps_to_its_floors() {
        let found = violations(&members(&workspace::root().unwrap()).unwrap());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn the_house_as_designed_is_accepted() {
        assert_eq!(violations(&house()), Vec::<String>::new());
    }

    #[test]
    fn each_planted_edge_is_refused() {
        let planted: &[(&str, &[&str], &[&str])] = &[
            ("crates/base/pki", &["signet-kaa"], &[]),
            ("crates/base/model", &["signet-crypto"], &[]),
            ("crates/base/kaa", &["signet-bus"], &[]),
            ("crates/platform/db", &["signet-bus"], &[]),
            ("crates/platform/standing", &["signet-ledger"], &[]),
            ("crates/rooms/authority", &["signet-credentials"], &[]),
            ("crates/rooms/authority", &[], &["signet-credentials"]),
            ("crates/rooms/authority", &["signet-testkit"], &[]),
            ("crates/rooms/authority", &["signet"], &[]),
            ("crates/rooms/gateway", &["signet-db"], &[]),
            ("crates/doors/client", &["signet"], &[]),
            ("crates/doors/agent", &["signet-credentials"], &[]),
            ("crates/doors/agent", &["signet-bus"], &[]),
            ("crates/testkit", &["signet-bus"], &[]),
            ("xtask", &["signet-db"], &[]),
            ("crates/cellar/wine", &[], &[]),
        ];
        for (place, uses, tests_with) in planted {
            let mut members = house();
            let wrong = member(place, uses, tests_with);
            members.retain(|kept| kept.name != wrong.name);
            members.push(member("crates/base/kaa", &["signet-model"], &[]));
            members.push(wrong);
            assert!(!violations(&members).is_empty(), "{place} with {uses:?} {tests_with:?} was let through");
        }
    }

    #[test]
    fn a_room_without_a_database_may_not_reach_one_through_another_crate() {
        let mut members = house();
        members.push(member("crates/platform/standing", &["signet-bus"], &[]));
        members.push(member("crates/rooms/keys", &["signet-standing"], &["signet-testkit"]));
        assert_eq!(violations(&members), Vec::<String>::new());
        members.retain(|kept| kept.name != "signet-standing");
        members.push(member("crates/platform/standing", &["signet-bus", "signet-ledger"], &[]));
        assert!(violations(&members).iter().any(|found| found.starts_with("signet-keys reaches signet-db")));
    }
}
