//! Foreign CAs that a tenant trusts, each with the names that it may vouch for.
//!
//! A certificate is known to the gateways by its issuer's name and its serial number alone. Whoever may add a foreign CA can thus
//! make certificates of any issuer's name; that is why only callers above the tenants may, and why no CA of ours can be one.

use signet_ledger::{Change, Decided, Expect};
use signet_model::{AnchorId, AuditRecord, CredentialId, Refusal, Scope, Timestamp};
use signet_pki::{CaCertificate, PublicKey};

use crate::AuthorityRoom;
use crate::reasons::{ANCHOR_EXISTS, ANCHOR_INVALID, ANCHOR_NOT_FOUND, ANCHOR_TOO_MANY};
use crate::sql::{self, Cursor, anchor};
use crate::vouching::Pattern;

/// Trust anchors of one tenant, at most.
pub(crate) const MOST_ANCHORS: u32 = 100;
/// Patterns of one anchor, at most.
const MOST_PATTERNS: usize = 100;
/// Certificates that are revoked in one go when their anchor goes.
const PAGE: u32 = 500;
/// What they are revoked for.
const GONE: &str = "cessationOfOperation";

/// A trust anchor as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredAnchor {
    pub(crate) id: AnchorId,
    /// Canonical text.
    pub(crate) subject: String,
    pub(crate) certificate: Vec<u8>,
    pub(crate) names: Vec<Pattern>,
    pub(crate) allow_v1_leaf: bool,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) created_at: Timestamp,
}

/// A trust anchor to be.
pub(crate) struct NewAnchor {
    pub(crate) certificate: CaCertificate,
    pub(crate) names: Vec<Pattern>,
    pub(crate) allow_v1_leaf: bool,
}

impl NewAnchor {
    /// The anchor that these texts describe.
    pub(crate) fn read(pem: &str, names: &[String], allow_v1_leaf: bool) -> Result<Self, Refusal> {
        let certificate = CaCertificate::from_pem(pem.as_bytes())?;
        if names.len() > MOST_PATTERNS {
            return Err(Refusal::new(&ANCHOR_INVALID, format!("more than {MOST_PATTERNS} names")));
        }
        let names = names.iter().map(|text| text.parse().map_err(|why| Refusal::new(&ANCHOR_INVALID, why))).collect::<Result<_, _>>()?;
        Ok(Self { certificate, names, allow_v1_leaf })
    }
}

impl AuthorityRoom {
    /// Trusts a foreign CA in the tenant.
    pub(crate) async fn add_anchor(&self, scope: &Scope, new: &NewAnchor) -> Result<StoredAnchor, Refusal> {
        let now = scope.now();
        let ca = &new.certificate;
        if now < ca.not_before() || now > ca.not_after() {
            return Err(Refusal::new(&ANCHOR_INVALID, format!("the CA is valid from {} until {}", ca.not_before(), ca.not_after())));
        }
        let key = PublicKey::from_spki_der(ca.spki())?;
        let stored = StoredAnchor {
            id: AnchorId::generate(now, scope.entropy.as_ref()),
            subject: ca.subject().canonical().as_str().to_owned(),
            certificate: ca.der().to_vec(),
            names: new.names.clone(),
            allow_v1_leaf: new.allow_v1_leaf,
            not_before: ca.not_before(),
            not_after: ca.not_after(),
            created_at: now,
        };
        self.ledger
            .decide(|| async {
                self.refuse_compromised(&key.spki_sha256()).await?;
                self.refuse_key_of_ca(&key).await?;
                if sql::one(&self.db, anchor::is_ours(&stored.subject), |_| Ok(())).await?.is_some() {
                    let detail = format!("`{}` is the name of a CA of this installation", stored.subject);
                    return Ok(Decided::Refuse(Refusal::new(&ANCHOR_INVALID, detail)));
                }
                let known = self.anchors(scope, &Cursor::newest(), MOST_ANCHORS).await?;
                if let Some(same) = known.iter().find(|known| known.certificate == stored.certificate) {
                    return Ok(Decided::Refuse(Refusal::new(&ANCHOR_EXISTS, format!("it is `{}`", same.id))));
                }
                if known.len() >= usize::try_from(MOST_ANCHORS).unwrap_or(usize::MAX) {
                    return Ok(Decided::Refuse(Refusal::new(&ANCHOR_TOO_MANY, format!("the tenant has {MOST_ANCHORS}"))));
                }
                let names: Vec<String> = stored.names.iter().map(ToString::to_string).collect();
                let record = AuditRecord::new(scope, "anchor.create", stored.id.as_str())
                    .with("subject", stored.subject.as_str())
                    .with("names", names.join(" "))
                    .with("allow_v1_leaf", stored.allow_v1_leaf.to_string());
                let change = Change::new(record).expecting(Expect::write(anchor::insert(&scope.tenant, &stored), 1));
                Ok(Decided::commit(change, ()))
            })
            .await?;
        Ok(stored)
    }

    /// A page of the tenant's anchors, newest first.
    pub(crate) async fn anchors(&self, scope: &Scope, after: &Cursor, limit: u32) -> Result<Vec<StoredAnchor>, Refusal> {
        sql::all(&self.db, anchor::newest(&scope.tenant, after, limit), anchor::read).await
    }

    /// One anchor.
    pub(crate) async fn anchor(&self, scope: &Scope, id: &str) -> Result<StoredAnchor, Refusal> {
        let absent = || Refusal::new(&ANCHOR_NOT_FOUND, format!("tenant `{}` has no such trust anchor", scope.tenant));
        let Ok(id) = id.parse::<AnchorId>() else { return Err(absent()) };
        sql::one(&self.db, anchor::find(&scope.tenant, &id), anchor::read).await?.ok_or_else(absent)
    }

    /// Trusts a foreign CA no longer: what it vouched for is revoked first, so that a call that was cut off can be repeated.
    pub(crate) async fn remove_anchor(&self, scope: &Scope, id: &str) -> Result<(), Refusal> {
        self.ledger
            .decide(|| async {
                let stored = self.anchor(scope, id).await?;
                self.revoke_all_vouched_for(scope, &stored.id).await?;
                let record = AuditRecord::new(scope, "anchor.delete", stored.id.as_str()).with("subject", stored.subject.as_str());
                let change = Change::new(record)
                    .expecting(Expect::guard(anchor::usable(&scope.tenant, &stored.id, "", 1), 0))
                    .expecting(Expect::write(anchor::delete(&scope.tenant, &stored.id), 1));
                Ok(Decided::commit(change, ()))
            })
            .await
    }

    async fn revoke_all_vouched_for(&self, scope: &Scope, id: &AnchorId) -> Result<(), Refusal> {
        let mut after = String::new();
        loop {
            let page = anchor::usable(&scope.tenant, id, &after, PAGE);
            let page: Vec<CredentialId> = sql::all(&self.db, page, |row| sql::parsed(row, 0)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.as_str().to_owned();
            self.credentials.revoke(scope, &page, GONE).await?;
        }
    }
}
