//! Certificates of foreign CAs as credentials: verified against the tenant's trust anchors, and known from then on by issuer and
//! serial number like our own.

use rustls_pki_types::CertificateDer;
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, CredentialId, Refusal, Scope};
use signet_pki::{Anchor, CaCertificate, CertificateFacts, MOST_SUBJECT_NAMES, PathVerifier, Purpose, pem};

use crate::anchors::{MOST_ANCHORS, StoredAnchor};
use crate::ports::CredentialFacts;
use crate::reasons::{CERTIFICATE_KNOWN, CERTIFICATE_NOT_ALLOWED, CERTIFICATE_UNTRUSTED};
use crate::sql::{self, Cursor, anchor};
use crate::vouching::uncovered;
use crate::{AuthorityRoom, internal};

/// A certificate that an anchor vouches for.
struct Vouched {
    facts: CertificateFacts,
    leaf: CertificateDer<'static>,
    anchor: StoredAnchor,
    v1_leaf: bool,
}

impl AuthorityRoom {
    /// Makes a foreign certificate a credential of the tenant. `chain`: PEM, the certificate first, then those between it and the
    /// anchor in any order.
    ///
    /// # Errors
    /// No anchor of the tenant leads to it, and why (`chain.…`); `certificate.untrusted` where the anchor may not vouch for its
    /// names; `certificate.known`; `key.compromised`; what the birth of its credential is refused for; the database.
    pub async fn import(&self, scope: &Scope, chain: &str, identity: Option<&str>) -> Result<CredentialId, Refusal> {
        let certificates = pem::certificates(chain.as_bytes())?;
        let id = self
            .ledger
            .decide(|| async {
                let vouched = self.vouched(scope, &certificates).await?;
                self.refuse_compromised(&vouched.facts.spki_sha256).await?;
                if sql::one(&self.db, anchor::known(&vouched.facts), |_| Ok(())).await?.is_some() {
                    let detail = format!("serial number {} of `{}` is known", vouched.facts.serial, vouched.facts.issuer_name);
                    return Ok(Decided::Refuse(Refusal::new(&CERTIFICATE_KNOWN, detail)));
                }
                if sql::one(&self.db, anchor::is_ours(vouched.facts.issuer_name.as_str()), |_| Ok(())).await?.is_some() {
                    let detail = format!("`{}` is the name of a CA of this installation", vouched.facts.issuer_name);
                    return Ok(Decided::Refuse(Refusal::new(&CERTIFICATE_UNTRUSTED, detail)));
                }
                let id = CredentialId::generate(scope.now(), scope.entropy.as_ref());
                let change = self.import_change(scope, &id, &vouched, identity).await?;
                Ok(Decided::commit(change, id))
            })
            .await?;
        self.credentials.born();
        Ok(id)
    }

    /// Verifies the chain against the tenant's anchors, and its names against what the anchor may vouch for.
    async fn vouched(&self, scope: &Scope, certificates: &[CertificateDer<'static>]) -> Result<Vouched, Refusal> {
        let (leaf, between) = certificates.split_first().ok_or_else(|| internal(&"a PEM text without certificates was read"))?;
        let stored = self.anchors(scope, &Cursor::newest(), MOST_ANCHORS).await?;
        let anchors = stored.iter().map(|anchor| {
            let trusted = Anchor::new(CaCertificate::from_der(CertificateDer::from(anchor.certificate.clone()))?);
            Ok(if anchor.allow_v1_leaf { trusted.with_v1_leaves() } else { trusted })
        });
        let verifier = PathVerifier::new(anchors.collect::<Result<_, signet_pki::PkiError>>()?)?;
        let verified = verifier.verify(leaf, between, scope.now(), Purpose::Client)?;
        let anchor = stored.iter().find(|anchor| anchor.certificate == verified.anchor().der().as_ref());
        let anchor = anchor.ok_or_else(|| internal(&"a chain ended at an anchor that is none"))?;
        let facts = CertificateFacts::read(leaf)?;
        if let Some(name) = uncovered(&anchor.names, facts.subject.common_name(), &facts.names) {
            let detail = format!("the anchor `{}` (`{}`) does not vouch for {name}", anchor.id, anchor.subject);
            return Err(Refusal::new(&CERTIFICATE_UNTRUSTED, detail));
        }
        if facts.names.len() > MOST_SUBJECT_NAMES {
            return Err(Refusal::new(&CERTIFICATE_NOT_ALLOWED, format!("it has more than {MOST_SUBJECT_NAMES} names")));
        }
        Ok(Vouched { facts, leaf: leaf.clone(), anchor: anchor.clone(), v1_leaf: verified.is_v1_leaf() })
    }

    async fn import_change(&self, scope: &Scope, id: &CredentialId, vouched: &Vouched, identity: Option<&str>) -> Result<Change, Refusal> {
        let Vouched { facts, leaf, anchor: trusted, v1_leaf } = vouched;
        let credential = CredentialFacts {
            id: id.clone(),
            issuer: facts.issuer_name.clone(),
            serial: facts.serial.clone(),
            spki_sha256: facts.spki_sha256,
            common_name: facts.subject.common_name().map(str::to_owned),
            not_before: facts.not_before,
            not_after: facts.not_after,
            anchor: Some(trusted.id.as_str().to_owned()),
        };
        let birth = self.credentials.birth(scope, &credential, identity).await?;
        let record = AuditRecord::new(scope, "certificate.import", id.as_str())
            .with("issuer", facts.issuer_name.as_str())
            .with("serial", facts.serial.decimal())
            .with("subject", facts.subject.canonical().as_str())
            .with("anchor", trusted.id.as_str())
            .with("v1_leaf", v1_leaf.to_string());
        let write = anchor::import(&scope.tenant, id, (facts, leaf), &trusted.id, birth.identity.as_ref(), birth.made_at);
        let mut change = Change::new(record).expecting(Expect::write(write, 1));
        for name in &facts.names {
            change = change.effecting(anchor::import_name(&scope.tenant, id, name, birth.made_at));
        }
        Ok(change.join(birth.change))
    }
}
