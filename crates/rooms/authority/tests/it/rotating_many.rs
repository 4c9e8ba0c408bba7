//! Many CAs are rotated while certificates are issued: nothing is refused, every chain verifies by what is published at that
//! moment, and what is retired signs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use signet_authority::rotation::{CaState, Step};
use signet_authority::{AuthorityRoom, Issued};
use signet_db::{Statement, params};
use signet_model::Scope;
use signet_pki::{Anchor, CaCertificate, PathError, PathVerifier, Purpose, pem};

use crate::house::{House, Kind, generated};

/// The CRLs of the first generations, one for each partition.
const LAST_CRLS: &str = "SELECT crl.der FROM crl_partition p LEFT JOIN crl ON crl.tenant = p.tenant AND crl.generation = p.generation \
                         AND crl.number = p.number WHERE p.generation = 1 ORDER BY p.tenant, p.number";
/// Who issues at once, beside the one that rotates.
const ISSUING: usize = 4;

/// Tenants whose CA is rotated: all 200 in deep runs.
fn tenants(ordinary: usize) -> usize {
    if std::env::var_os("SIGNET_DEEP").is_some() { 200 } else { ordinary }
}

/// Verifies a certificate by the anchor that is published now, with what was sent along; then whether the published CAs alone will do.
async fn verify(room: &AuthorityRoom, scope: &Scope, issued: &Issued) -> Result<(), PathError> {
    let published = pem::certificates(room.bundle(scope, true).await.unwrap().as_bytes()).unwrap();
    let (anchor, authorities) = published.split_first().unwrap();
    let verifier = PathVerifier::new(vec![Anchor::new(CaCertificate::from_der(anchor.clone()).unwrap())]).unwrap();
    let sent: Vec<CertificateDer<'static>> = issued.chain.iter().cloned().map(CertificateDer::from).collect();
    let leaf = CertificateDer::from(issued.leaf.as_slice());
    let verified = verifier.verify(&leaf, &sent, scope.now(), Purpose::Client);
    assert!(verified.is_ok(), "{} of generation {}: {verified:?}", scope.tenant, issued.generation);
    verifier.verify(&leaf, authorities, scope.now(), Purpose::Client).map(|_| ())
}

/// What is being done, as those who issue see it.
struct Work {
    names: Vec<String>,
    /// The tenant whose CA is being rotated.
    current: AtomicUsize,
    ending: AtomicBool,
    issued: AtomicUsize,
    /// By tenant and generation.
    made: Mutex<BTreeMap<(usize, i64), Vec<Issued>>>,
    /// For each tenant: its first CA is being retired, after which it is no longer published.
    retiring: Vec<AtomicBool>,
}

impl Work {
    /// Issues for the tenant that is being rotated and for all the others in turn.
    async fn issue(&self, room: Arc<AuthorityRoom>, scopes: Arc<Vec<Scope>>, offset: usize) {
        let mut number = offset;
        while !self.ending.load(Ordering::Relaxed) {
            number += 1;
            let tenant = if number.is_multiple_of(2) { self.current.load(Ordering::Relaxed) } else { number * 7 % self.names.len() };
            let scope = &scopes[tenant];
            let issued = room.issue(scope, generated("a"), &|_| Ok(None)).await;
            let issued = issued.unwrap_or_else(|refusal| panic!("{}: {refusal}", scope.tenant));
            if let Err(error) = verify(&room, scope, &issued).await {
                let goes = issued.generation == 1 && self.retiring[tenant].load(Ordering::SeqCst);
                assert!(goes, "{} of generation {} by the published CAs: {error:?}", scope.tenant, issued.generation);
            }
            self.issued.fetch_add(1, Ordering::Relaxed);
            self.made.lock().entry((tenant, issued.generation)).or_default().push(issued);
        }
    }

    /// Waits until more is issued than was.
    async fn some_issued(&self) {
        let before = self.issued.load(Ordering::Relaxed);
        crate::house::eventually("some are issued", || async { self.issued.load(Ordering::Relaxed) > before }).await;
    }
}

async fn usable_of_first(house: &House) -> i64 {
    house.number("SELECT count(*) FROM certificate WHERE generation = 1 AND state IN ('intended', 'Inactive', 'Active', 'Suspended')").await
}

/// Whatever CRL and certificate bears the signature of the first generation.
async fn signed_by_first(house: &House) -> (i64, Vec<Option<Vec<u8>>>) {
    let lists = Statement::new(LAST_CRLS, params![]);
    let lists = house.db.query(lists).await.unwrap().iter().map(|row| row.opt_bytes(0).unwrap().map(<[u8]>::to_vec)).collect();
    (house.number("SELECT count(*) FROM certificate WHERE generation = 1").await, lists)
}

async fn rotate_all(kind: Kind, replicated: bool, count: usize) {
    let house = House::new(kind).await;
    let replica = if replicated { Some(house.replica().await) } else { None };
    let houses: Vec<&House> = std::iter::once(&house).chain(&replica).collect();
    let names: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    for name in &names {
        houses.iter().for_each(|house| house.credentials.tenant(name, true));
    }
    let scopes: Arc<Vec<Scope>> = Arc::new(names.iter().map(|name| house.scope(name)).collect());
    let work = Arc::new(Work {
        current: AtomicUsize::new(0),
        ending: AtomicBool::new(false),
        issued: AtomicUsize::new(0),
        made: Mutex::default(),
        retiring: names.iter().map(|_| AtomicBool::new(false)).collect(),
        names,
    });
    let issuing: Vec<_> = (0..ISSUING)
        .map(|offset| {
            let (work, scopes) = (Arc::clone(&work), Arc::clone(&scopes));
            let room = Arc::clone(&houses[offset % houses.len()].room);
            tokio::spawn(async move { work.issue(room, scopes, offset * 13).await })
        })
        .collect();
    for (tenant, scope) in scopes.iter().enumerate() {
        work.current.store(tenant, Ordering::Relaxed);
        for (number, step) in Step::ALL.into_iter().enumerate() {
            let room = &houses[(tenant + number) % houses.len()].room;
            work.some_issued().await;
            work.retiring[tenant].store(step == Step::Retire, Ordering::SeqCst);
            let stepped = room.rotate(scope, step).await.unwrap_or_else(|refusal| panic!("{} {step:?}: {refusal}", scope.tenant));
            assert_eq!(stepped.generation, if matches!(step, Step::Prepare | Step::Activate) { 2 } else { 1 });
            assert_eq!(stepped.state == CaState::Retired, step == Step::Retire);
        }
    }
    work.some_issued().await;
    work.ending.store(true, Ordering::Relaxed);
    for issuing in issuing {
        issuing.await.unwrap();
    }

    assert_eq!(
        house.number("SELECT count(*) FROM tenant_ca WHERE state = 'retired' AND key IS NULL AND generation = 1").await,
        count as i64
    );
    assert_eq!(
        house.number("SELECT count(*) FROM tenant_ca WHERE state = 'active' AND generation = 2").await,
        i64::try_from(count).unwrap()
    );
    assert_eq!(usable_of_first(&house).await, 0);
    let before = signed_by_first(&house).await;
    assert!(before.1.iter().all(Option::is_some), "a last CRL for each partition");
    // Each replica had the keys of the first generation open, and issues, publishes and rotates on.
    for (number, house) in houses.iter().enumerate() {
        for (tenant, scope) in scopes.iter().enumerate().step_by(count.div_ceil(8)) {
            let issued = house.room.issue(scope, generated("late"), &|_| Ok(None)).await.unwrap();
            assert_eq!(issued.generation, 2, "{} on {number}", work.names[tenant]);
            verify(&house.room, scope, &issued).await.unwrap();
            assert_eq!(house.room.rotate(scope, Step::Retire).await.err().unwrap().reason.code, "ca.rotation-out-of-order");
        }
        house.room.publish_round().await.unwrap();
    }
    assert_eq!(signed_by_first(&house).await, before);
    let made = std::mem::take(&mut *work.made.lock());
    let generations = made.keys().filter(|(_, generation)| *generation == 1).count();
    for ((tenant, _), issued) in made.iter().filter(|((_, generation), _)| *generation == 2) {
        verify(&house.room, &scopes[*tenant], issued.last().unwrap()).await.unwrap();
    }
    println!(
        "{kind:?}: {count} CAs rotated over {} replicas, {} certificates issued meanwhile, {generations} of the CAs having issued before",
        houses.len(),
        work.issued.load(Ordering::Relaxed)
    );
    drop(houses);
    if let Some(replica) = replica {
        replica.end().await;
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rotations_under_load_over_two_replicas_on_postgresql() {
    rotate_all(Kind::Postgres, true, tenants(12)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rotations_under_load_on_sqlite() {
    rotate_all(Kind::Sqlite, false, tenants(12)).await;
}
