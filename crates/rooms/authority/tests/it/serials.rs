//! Serial numbers over two replicas: none comes twice and all are positive, also where both draw the same random numbers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt as _, stream};
use signet_crypto::sha256;
use signet_model::Entropy;
use signet_pki::CertificateFacts;

use crate::house::{House, Site, usual};
use crate::on_both;

/// Certificates that both replicas issue together, and with `SIGNET_DEEP` (acceptance 6 of the certificates).
const USUAL: usize = 1_000;
const DEEP: usize = 50_000;
/// Issued at once by each replica.
const AT_ONCE: usize = 16;

/// The random source of a machine that was copied while it ran: every copy goes on alike.
struct Tape(AtomicU64);

impl Entropy for Tape {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = sha256(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

on_both! {
    async fn no_serial_number_comes_twice_over_two_replicas(kind) {
        let most = if std::env::var_os("SIGNET_DEEP").is_some() { DEEP } else { USUAL };
        let house = House::new(kind).await;
        let other = house.replica().await;
        let issue = async |house: &House, tenant: &'static str| {
            let each = stream::iter(0..most / 4).map(|_| async move {
                let issued = house.issue(tenant, "d").await.unwrap();
                let facts = CertificateFacts::read(&issued.leaf).unwrap();
                assert_eq!(facts.serial, issued.serial);
                assert!(!facts.serial.is_negative() && facts.serial.magnitude().len() >= 16, "{}", facts.serial);
                facts.serial.decimal()
            });
            each.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await
        };
        let drawn = tokio::join!(issue(&house, "acme"), issue(&other, "acme"), issue(&house, "default"), issue(&other, "default"));
        let drawn = [drawn.0, drawn.1, drawn.2, drawn.3].concat();
        let different: HashSet<&String> = drawn.iter().collect();
        assert_eq!((drawn.len(), different.len()), (most, most));
        let stored = house.number("SELECT count(DISTINCT serial_decimal) FROM certificate WHERE der IS NOT NULL").await;
        assert_eq!(usize::try_from(stored).unwrap(), most);
        house.end().await;
        other.end().await;
    }

    async fn two_machines_of_one_copy_give_no_number_twice(kind) {
        let site = Site::new(kind).await;
        let mut houses = Vec::new();
        for _ in 0..2 {
            let house = House::closed(Arc::clone(&site), usual(), Arc::new(Tape(AtomicU64::new(0)))).await;
            house.room.open().await.unwrap();
            houses.push(house);
        }
        let mut given = HashSet::new();
        let mut refused = 0;
        for _ in 0..12 {
            for house in &houses {
                match house.issue("acme", "d").await {
                    Ok(issued) => assert!(given.insert(issued.serial.decimal()), "{} twice", issued.serial),
                    Err(refusal) => {
                        // A number that is taken, or a key that is drawn once more and is the CA's.
                        assert!(["storage.contention", "certificate.not-allowed"].contains(&refusal.reason.code), "{refusal}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(given.len() >= 12, "{} given, {refused} refused", given.len());
        let stored = houses[0].number("SELECT count(*) FROM certificate WHERE issued_at IS NOT NULL").await;
        assert_eq!(usize::try_from(stored).unwrap(), given.len());
        for house in houses {
            house.end().await;
        }
    }
}
