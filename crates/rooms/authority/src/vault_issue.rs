//! What a CA in Vault signs: certificates, the certificate of its OCSP responder, its lists. The mount draws serial numbers, writes
//! the address of the CRL that it was last told, and dates by its own clock; so all three are read from what came back, and what
//! does not say what was asked for is revoked there and refused.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use signet_crypto::Secret;
use signet_crypto::sign::SigningKey;
use signet_custody::vault::{ListEntry, RevocationList, SignOrder, VaultError};
use signet_ledger::{Change, Expect};
use signet_model::{Refusal, Scope, TenantId, Timestamp};
use signet_pki::{
    CERTIFICATE_LINT_OURS, CaCertificate, CertificateFacts, CertificateRequest, Crl, CrlEntry, PkiError, Serial, Validity,
    issuing_distribution_point, write_request,
};

use crate::ca::Issuer;
use crate::custody::VaultKey;
use crate::intent::Intent;
use crate::sql::vault;
use crate::{AuthorityRoom, addresses, internal, sql};

/// Certificates of one CRL, at most: OpenBao takes about 110 entries in one request. Places are counted before a certificate is
/// signed, so those that are being signed, at most 16 in each process, may come on top.
const MOST_OF_PARTITION: i64 = 48;

/// A certificate that was signed.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    pub(crate) der: Vec<u8>,
    pub(crate) serial: Serial,
    pub(crate) validity: Validity,
    pub(crate) partition: i64,
}

/// A list that a mount is to sign.
pub(crate) struct ListOrder<'a> {
    /// Where it is served, as the certificates on it name it.
    pub(crate) url: &'a str,
    pub(crate) number: u64,
    pub(crate) period: Duration,
    pub(crate) entries: &'a [CrlEntry],
}

impl AuthorityRoom {
    /// The partition that the next certificate goes into, with its address and the roles told to the mount.
    pub(crate) async fn place_in_vault(&self, scope: &Scope, issuer: &Issuer, key: &VaultKey) -> Result<i64, Refusal> {
        self.vault.refuse_while_sealed()?;
        let (tenant, generation) = (&issuer.tenant, issuer.generation);
        if self.vault.roles.get(tenant).is_none() {
            self.heard(self.write_roles(&key.vault, tenant, &key.mount).await)?;
        }
        let last = sql::one(&self.db, vault::last_partition(tenant, generation, &self.config.revocation_url), |row| {
            Ok((row.int(0)?, row.int(1)?))
        })
        .await?;
        let number = match last {
            Some((number, members)) if members < MOST_OF_PARTITION.min(i64::from(self.config.partition_size)) => number,
            Some((full, _)) => self.reserve_partition(scope, tenant, generation, Some(full)).await?,
            None => self.reserve_partition(scope, tenant, generation, None).await?,
        };
        let address = addresses::crl(&self.config.revocation_url, tenant, generation, number);
        let of_ca = (tenant.clone(), generation);
        if self.vault.addresses.get(&of_ca).as_ref() != Some(&address) {
            let urls = self.issuer_urls(tenant, generation, Some(address.clone()));
            self.heard(key.vault.set_urls(&key.mount, &key.issuer, &urls).await)?;
            self.vault.addresses.insert(of_ca, address);
        }
        Ok(number)
    }

    /// Has the mount sign what was asked for. An intent that surely came to nothing is given up; one whose answer was lost is left to
    /// the look for orphans, which asks the mount what it signed.
    pub(crate) async fn sign_in_vault(
        &self,
        scope: &Scope,
        key: &VaultKey,
        issuer: &Issuer,
        intent: &Intent,
        request: &CertificateRequest,
        csr: &Secret,
    ) -> Result<Leaf, Refusal> {
        let order = SignOrder {
            role: request.profile.name(),
            csr: csr.expose(),
            common_name: request.subject.common_name(),
            names: &request.names,
            not_after: request.validity.not_after,
        };
        let signed = key.vault.sign_csr(&key.mount, &key.issuer, order).await;
        self.judged(scope, key, issuer, intent, request, signed.map(|signed| signed.certificate)).await
    }

    /// The same for the certificate of an OCSP responder with this key.
    pub(crate) async fn responder_in_vault(
        &self,
        scope: &Scope,
        key: &VaultKey,
        issuer: &Issuer,
        intent: &Intent,
        request: &CertificateRequest,
        responder: &SigningKey,
    ) -> Result<Leaf, Refusal> {
        let csr = write_request(&request.subject, request.profile, responder)?;
        let end = request.validity.not_after;
        let signed = key.vault.sign_verbatim(&key.mount, &key.issuer, &csr, &["DigitalSignature"], &["OCSPSigning"], end).await;
        self.judged(scope, key, issuer, intent, request, signed.map(|signed| signed.certificate)).await
    }

    async fn judged(
        &self,
        scope: &Scope,
        key: &VaultKey,
        issuer: &Issuer,
        intent: &Intent,
        request: &CertificateRequest,
        signed: Result<CertificateDer<'static>, VaultError>,
    ) -> Result<Leaf, Refusal> {
        let certificate = match signed {
            Ok(certificate) => certificate,
            Err(error) => {
                if !error.may_be_done() {
                    self.give_up_own(scope, intent, error.reason().code).await;
                }
                return self.heard(Err(error));
            }
        };
        let facts = CertificateFacts::read(&certificate).map_err(|error| internal(&error))?;
        let placed = self.place_of(&facts, &intent.tenant, intent.generation);
        let leaf = Leaf {
            der: certificate.to_vec(),
            serial: facts.serial.clone(),
            validity: Validity { not_before: facts.not_before, not_after: facts.not_after },
            partition: placed.unwrap_or(intent.partition),
        };
        if placed != Some(intent.partition) {
            // Another process moved on, or the mount was changed by hand: the address is told again before the next one.
            self.vault.addresses.remove(&(intent.tenant.clone(), intent.generation));
        }
        let asked = CertificateRequest {
            crl_url: Some(addresses::crl(&self.config.revocation_url, &intent.tenant, intent.generation, leaf.partition)),
            ..request.clone()
        };
        let accepted = issuer_certificate(issuer).and_then(|ca| asked.accept(&leaf.der, ca.spki()));
        match accepted {
            Ok(()) => Ok(leaf),
            Err(error) => {
                let refusal = self.not_accepted(scope, key, intent, &leaf, &error).await;
                let early = issuer.facts.not_before().micros().saturating_sub(leaf.validity.not_before.micros());
                Err(if early > 0 { refusal.with_fix(clocks(early)) } else { refusal })
            }
        }
    }

    /// Revokes at once what the mount signed otherwise than it was asked.
    async fn not_accepted(&self, scope: &Scope, key: &VaultKey, intent: &Intent, leaf: &Leaf, error: &PkiError) -> Refusal {
        tracing::error!(event = "custody.not-as-asked", tenant = %intent.tenant, serial = leaf.serial.hex(), %error);
        if let Err(error) = key.vault.revoke(&key.mount, &leaf.serial.colon_hex()).await {
            tracing::warn!(event = "custody.revocation-later", serial = leaf.serial.hex(), reason = error.reason().code);
        }
        self.give_up_drawn(scope, intent, leaf, "not as asked for").await;
        Refusal::new(&CERTIFICATE_LINT_OURS, format!("Vault signed something else than it was asked, which was revoked: {error}"))
    }

    /// Gives up an intent whose certificate was signed under the number that the mount drew.
    pub(crate) async fn give_up_drawn(&self, scope: &Scope, intent: &Intent, leaf: &Leaf, why: &str) {
        let drawn = Intent { serial: leaf.serial.clone(), partition: leaf.partition, ..intent.clone() };
        if leaf.serial != intent.serial {
            let record = drawn.record(scope, "certificate.draw");
            let change = Change::new(record).expecting(Expect::write(vault::drawn(&intent.tenant, &intent.id, leaf), 1));
            if let Err(error) = self.ledger.commit(change).await {
                // Left as it is, the look for orphans finds the number in the mount.
                tracing::warn!(event = "certificate.orphan-later", id = %intent.id, %error);
                return;
            }
        }
        self.give_up_own(scope, &drawn, why).await;
    }

    /// The partition whose CRL a certificate names, if that is one of this CA.
    pub(crate) fn place_of(&self, facts: &CertificateFacts, tenant: &TenantId, generation: i64) -> Option<i64> {
        let [url] = facts.crl_urls.as_slice() else { return None };
        let prefix = format!("{}/crl/{tenant}/{generation}/", self.config.revocation_url);
        let number = url.strip_prefix(prefix.as_str())?.strip_suffix(".crl")?.parse().ok()?;
        (addresses::crl(&self.config.revocation_url, tenant, generation, number) == *url).then_some(number)
    }

    /// Has the mount sign a list; what came back is read and verified. With it the end that the mount wrote.
    pub(crate) async fn list_in_vault(
        &self,
        key: &VaultKey,
        issuer: &Issuer,
        order: &ListOrder<'_>,
    ) -> Result<(Vec<u8>, Timestamp), Refusal> {
        let entries: Vec<ListEntry> = order
            .entries
            .iter()
            .map(|entry| {
                let serial = Serial::from_der_bytes(&entry.serial)?;
                Ok(ListEntry { serial, at: entry.at, reason: entry.reason.map(|reason| reason.code()) })
            })
            .collect::<Result<_, PkiError>>()?;
        let point = issuing_distribution_point(Some(order.url), true);
        let list = RevocationList { number: order.number, period: order.period, distribution_point: Some(&point), entries: &entries };
        let der = self.heard(key.vault.sign_revocation_list(&key.mount, &key.issuer, &list).await)?;
        let read = Crl::parse(&der).map_err(|error| internal(&error))?;
        let ca = issuer_certificate(issuer).map_err(|error| internal(&error))?;
        read.verify(&ca).map_err(|error| internal(&error))?;
        let complete = read.number().map(Serial::decimal) == Some(order.number.to_string())
            && read.distribution_point().is_some_and(|point| point.urls == [order.url] && point.only_user_certs)
            && read.entries().len() == entries.len()
            && order.entries.iter().all(|entry| read.entry(&entry.serial).is_some());
        match read.next_update().filter(|_| complete) {
            Some(end) => Ok((der, end)),
            None => Err(internal(&"the mount signed another list than it was given")),
        }
    }

    /// Notes what a call to Vault came to, for health.
    pub(crate) fn heard<T>(&self, outcome: Result<T, VaultError>) -> Result<T, Refusal> {
        outcome.map_err(|error| {
            let refusal = Refusal::from(error);
            self.vault.failed(&refusal);
            refusal
        })
    }
}

/// What to do where Vault dates a certificate before its issuer's first instant, by so many microseconds.
fn clocks(early: i64) -> String {
    format!(
        "Set the clocks: Vault's is behind the one that dated its CA, by at least {} s more than certificates are dated back.",
        early / 1_000_000
    )
}

/// The CA's own certificate, which begins its chain.
fn issuer_certificate(issuer: &Issuer) -> Result<CaCertificate, PkiError> {
    CaCertificate::from_der(CertificateDer::from(issuer.chain.first().cloned().unwrap_or_default()))
}
