//! The calls about certificates and the authorities that sign them.

use crate::api::{PageRequest, page_members, segment, under, with_query};
use crate::types::{CheckDecision, Page};
use crate::{
    Anchor, Authority, AuthorityGenerations, Bundle, Certificate, CertificateCheck, Client, ClientError, Expiry, ForeignCertificate,
    IssuedCertificate, NewAnchor, NewCertificate, Reconciled, Rotated, Rotation,
};

/// Filters of the list of certificates; what is absent takes everything.
#[derive(Clone, Debug, Default)]
pub struct CertificateFilter {
    /// Only this subject.
    pub subject: Option<String>,
    /// Only those with this subject alternative name.
    pub name: Option<String>,
    /// Only of this issuer.
    pub issuer: Option<String>,
    /// Only this serial number, in any spelling; plain digits are decimal.
    pub serial: Option<String>,
    /// Only the one with this SHA-256 of its DER, in hexadecimal.
    pub fingerprint: Option<String>,
    /// Only this state.
    pub state: Option<String>,
    /// Only those of this identity, by id or name.
    pub identity: Option<String>,
    /// Only those that end within this time, such as `30d`.
    pub expires_within: Option<String>,
    /// Only those that have ended, or that have not.
    pub expired: Option<bool>,
}

impl Client {
    /// Issues a certificate.
    pub async fn issue_certificate(&self, tenant: &str, new: &NewCertificate<'_>) -> Result<IssuedCertificate, ClientError> {
        self.send(&under(tenant, "certificates")?, new).await
    }

    /// Certificates of a tenant, newest first.
    pub async fn certificates(
        &self,
        tenant: &str,
        filter: &CertificateFilter,
        page: &PageRequest,
    ) -> Result<Page<Certificate>, ClientError> {
        let (limit, after) = page_members(page);
        let members = [
            ("subject", filter.subject.as_deref()),
            ("name", filter.name.as_deref()),
            ("issuer", filter.issuer.as_deref()),
            ("serial", filter.serial.as_deref()),
            ("fingerprint", filter.fingerprint.as_deref()),
            ("state", filter.state.as_deref()),
            ("identity", filter.identity.as_deref()),
            ("expires_within", filter.expires_within.as_deref()),
            ("expired", filter.expired.map(|expired| if expired { "true" } else { "false" })),
            ("limit", limit.as_deref()),
            ("after", after),
        ];
        self.read(&with_query(under(tenant, "certificates")?, &members)).await
    }

    /// One certificate, with its text as PEM.
    pub async fn certificate(&self, tenant: &str, id: &str) -> Result<Certificate, ClientError> {
        self.read(&under(tenant, &format!("certificates/{}", segment(id)?))?).await
    }

    /// Makes a certificate of a foreign authority a credential.
    pub async fn import_certificate(&self, tenant: &str, foreign: &ForeignCertificate<'_>) -> Result<Certificate, ClientError> {
        self.send(&under(tenant, "certificates/import")?, foreign).await
    }

    /// How many certificates end in each of the coming weeks: 13 of them unless it is said.
    pub async fn certificate_forecast(&self, tenant: &str, weeks: Option<u32>) -> Result<Expiry, ClientError> {
        let weeks = weeks.map(|weeks| weeks.to_string());
        self.read(&with_query(under(tenant, "certificates/forecast")?, &[("weeks", weeks.as_deref())])).await
    }

    /// Asks whether the certificate with this issuer and serial may authenticate: in one tenant, or in whichever has it. A refusal is
    /// an answer, not an error.
    pub async fn check_certificate(&self, tenant: Option<&str>, check: &CertificateCheck<'_>) -> Result<CheckDecision, ClientError> {
        let path = match tenant {
            Some(tenant) => under(tenant, "certificates/check")?,
            None => "/api/v1/certificates/check".to_owned(),
        };
        self.send(&path, check).await
    }

    /// The tenant's authority that signs now.
    pub async fn authority(&self, tenant: &str) -> Result<Authority, ClientError> {
        self.read(&under(tenant, "ca")?).await
    }

    /// Every generation of the tenant's authority, newest first.
    pub async fn authority_generations(&self, tenant: &str) -> Result<AuthorityGenerations, ClientError> {
        self.read(&under(tenant, "ca/generations")?).await
    }

    /// What verifiers must trust, as PEM: the root, else the platform's authority; with the tenant's own where they are asked for.
    pub async fn authority_bundle(&self, tenant: &str, tenant_cas: bool) -> Result<String, ClientError> {
        let path = under(tenant, "ca/bundle")?;
        let answer: Bundle = self.read(&with_query(path, &[("tenant_cas", tenant_cas.then_some("true"))])).await?;
        Ok(answer.bundle)
    }

    /// One step of a rotation.
    pub async fn rotate_authority(&self, tenant: &str, rotation: &Rotation) -> Result<Rotated, ClientError> {
        self.send(&under(tenant, "ca/rotate")?, rotation).await
    }

    /// Settles what a crash left behind.
    pub async fn reconcile_authority(&self, tenant: &str) -> Result<Reconciled, ClientError> {
        self.send(&under(tenant, "ca/reconcile")?, &serde_json::json!({})).await
    }

    /// What may be certified in the tenant.
    pub async fn certificate_rule(&self, tenant: &str) -> Result<serde_json::Value, ClientError> {
        self.read(&under(tenant, "certificate-rule")?).await
    }

    /// Sets what may be certified in the tenant.
    pub async fn set_certificate_rule(&self, tenant: &str, rule: &serde_json::Value) -> Result<serde_json::Value, ClientError> {
        self.replace(&under(tenant, "certificate-rule")?, rule).await
    }

    /// Foreign authorities that this tenant trusts, newest first.
    pub async fn anchors(&self, tenant: &str, page: &PageRequest) -> Result<Page<Anchor>, ClientError> {
        let (limit, after) = page_members(page);
        self.read(&with_query(under(tenant, "anchors")?, &[("limit", limit.as_deref()), ("after", after)])).await
    }

    /// One of them, with its certificate.
    pub async fn anchor(&self, tenant: &str, id: &str) -> Result<Anchor, ClientError> {
        self.read(&under(tenant, &format!("anchors/{}", segment(id)?))?).await
    }

    /// Trusts one more.
    pub async fn create_anchor(&self, tenant: &str, new: &NewAnchor<'_>) -> Result<Anchor, ClientError> {
        self.send(&under(tenant, "anchors")?, new).await
    }

    /// Trusts it no longer.
    pub async fn delete_anchor(&self, tenant: &str, id: &str) -> Result<(), ClientError> {
        self.remove_empty(&under(tenant, &format!("anchors/{}", segment(id)?))?).await
    }
}
