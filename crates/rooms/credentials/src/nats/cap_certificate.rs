//! The provider of 22/CAP for certificates (`kaa.md` 14.4): gateways, which have verified a client's certificate, ask whose it is
//! and whether it may be used. The decision is that of REST.

use std::sync::Arc;

use signet_bus::Bus;
use signet_kaa::cap::{ClientCertificateAuthenticationRequest, ClientCertificateAuthenticationResponse};
use signet_kaa::{DecodeError, Record as _, subject};
use signet_model::{CredentialKind, Refusal, Timestamp, kinds};
use signet_pki::{IssuerName, Serial};

use super::{BusProvider, Desk, Head, Limits, Protocol};
use crate::certificate_check::{Asking, CertificateName, CheckedCertificate};
use crate::metrics::CredentialMetrics;
use crate::reasons::{CERTIFICATE_QUEUE_FULL, CREDENTIAL_UNKNOWN};
use crate::verdict::Verdict;
use crate::{CredentialsError, CredentialsRoom};

/// Checks at once: each waits for one read only, and reads share a bounded queue of their own. As many wait as a fleet that comes
/// back at once has; one more is told that the queue is full.
const CHECKS: Limits = Limits { concurrency: 256, queue: 32_768 };
/// Bytes of an issuer that can matter: in whatever form, four times the longest that a credential may have.
const LONGEST_ISSUER_TEXT: usize = 8_192;
/// Bytes of a serial number that can matter: 20 bytes in any spelling, with room.
const LONGEST_SERIAL_TEXT: usize = 128;

/// Subscribes to the requests for certificates of this instance, in its queue group.
pub(super) async fn open(provider: &BusProvider, bus: &Bus, room: &Arc<CredentialsRoom>) -> Result<(), CredentialsError> {
    let ccm = &room.config.ccm_instance;
    let requests = CertificateRequests { room: Arc::clone(room) };
    Desk::open(provider, bus, &subject::cap_certificate_request(ccm), ccm.as_str(), requests, CHECKS).await
}

/// Requests for authentication by certificate.
struct CertificateRequests {
    room: Arc<CredentialsRoom>,
}

/// Which certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// This one.
    Of(CertificateName),
    /// Its issuer is no name, so nobody has it.
    OfNobody,
    /// A part is empty, or the serial number is none.
    Invalid,
}

impl Question {
    fn of(issuer: &str, serial: &str) -> Self {
        let (Some(serial), false) = (serial_number(serial), issuer.trim().is_empty()) else { return Self::Invalid };
        if issuer.len() > LONGEST_ISSUER_TEXT {
            return Self::OfNobody;
        }
        match IssuerName::parse_liberal(issuer) {
            Ok(issuer) => Self::Of(CertificateName { issuer, serial }),
            Err(_) => Self::OfNobody,
        }
    }
}

/// Decimal digits, as the protocol has them; leniently also `0x…` and pairs of hexadecimal digits with colons. Bare letters and
/// digits are neither (`kaa.md` 16.4).
fn serial_number(text: &str) -> Option<Serial> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let decimal = unsigned.bytes().all(|byte| byte.is_ascii_digit());
    let marked = unsigned.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x")) || unsigned.contains(':');
    if text.len() > LONGEST_SERIAL_TEXT || !(decimal || marked) {
        return None;
    }
    Serial::parse_text(text).ok()
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    status: i32,
    /// Tenant and credential, where they are known.
    of: Option<(String, String)>,
    phrase: Option<&'static str>,
}

impl Reply {
    fn refused(status: i32, phrase: &'static str) -> Self {
        Self { status, of: None, phrase: Some(phrase) }
    }
}

/// The table of `kaa.md` 14.4.
fn reply(outcome: Result<CheckedCertificate, Refusal>) -> Reply {
    match outcome {
        Ok(CheckedCertificate::Unknown) => Reply::refused(404, CREDENTIAL_UNKNOWN.code),
        Ok(CheckedCertificate::Known { tenant, credential, verdict, .. }) => {
            let of = Some((tenant.to_string(), credential.to_string()));
            match verdict {
                Verdict::Allowed => Reply { status: 200, of, phrase: None },
                Verdict::Suspended | Verdict::Revoked | Verdict::Expired | Verdict::IdentityDisabled | Verdict::TenantDisabled => {
                    Reply { status: 403, of, phrase: verdict.reason().map(|reason| reason.code) }
                }
                // Verdicts on passwords, which nothing here gives.
                Verdict::UnknownTenant | Verdict::UnknownUsername | Verdict::WrongPassword => Reply::refused(500, kinds::INTERNAL.code),
            }
        }
        Err(refusal) => Reply::refused(500, refusal.reason.code),
    }
}

fn read_question(payload: &[u8]) -> Result<(Head, Question), DecodeError> {
    let request = ClientCertificateAuthenticationRequest::decode(payload)?;
    let question = Question::of(&request.issuer, &request.serial_number);
    Ok((Head::new(request.correlation_id, request.timestamp, request.timeout), question))
}

impl Protocol for CertificateRequests {
    type Question = Question;
    type Reply = Reply;
    const KIND: CredentialKind = CredentialKind::X509;

    fn metrics(&self) -> &CredentialMetrics {
        &self.room.metrics
    }

    fn now(&self) -> Timestamp {
        self.room.clock.now()
    }

    fn read(&self, payload: &[u8]) -> Result<(Head, Question), DecodeError> {
        read_question(payload)
    }

    async fn answer(&self, question: Question) -> Reply {
        match question {
            Question::Of(name) => reply(self.room.check_certificate(Asking::Bus, &name).await),
            Question::OfNobody => {
                self.room.metrics.decided(CredentialKind::X509, "unknown");
                reply(Ok(CheckedCertificate::Unknown))
            }
            Question::Invalid => {
                self.room.metrics.decided(CredentialKind::X509, "invalid");
                Reply::refused(400, kinds::INPUT_INVALID.code)
            }
        }
    }

    fn overloaded(&self) -> Reply {
        Reply::refused(503, CERTIFICATE_QUEUE_FULL.code)
    }

    fn write(&self, head: &Head, reply: &Reply) -> Vec<u8> {
        let (tenant, credential) = reply.of.as_ref().map(|(tenant, credential)| (tenant.as_str(), credential.as_str())).unzip();
        let record = ClientCertificateAuthenticationResponse {
            correlation_id: head.correlation_id.as_str().into(),
            timestamp: self.now().millis(),
            timeout: 0,
            tenant_id: tenant.map(Into::into),
            credentials_id: credential.map(Into::into),
            client_id: None,
            status_code: reply.status,
            reason_phrase: reply.phrase.map(Into::into),
        };
        record.encode()
    }
}

#[cfg(test)]
mod tests {
    use signet_model::CredentialState;

    use super::*;

    fn known(verdict: Verdict) -> CheckedCertificate {
        CheckedCertificate::Known {
            tenant: "acme".parse().unwrap(),
            credential: "br7si8mg10l7an82que0".parse().unwrap(),
            state: CredentialState::Active,
            identity: None,
            not_after: Timestamp::EPOCH,
            verdict,
        }
    }

    #[test]
    fn every_row_of_the_table_has_its_status_and_names_tenant_and_credential_where_they_are_known() {
        for (verdict, status, phrase) in [
            (Verdict::Allowed, 200, None),
            (Verdict::Suspended, 403, Some("credential.suspended")),
            (Verdict::Revoked, 403, Some("credential.revoked")),
            (Verdict::Expired, 403, Some("credential.expired")),
            (Verdict::IdentityDisabled, 403, Some("identity.disabled")),
            (Verdict::TenantDisabled, 403, Some("tenant.disabled")),
        ] {
            let of = Some(("acme".to_owned(), "br7si8mg10l7an82que0".to_owned()));
            assert_eq!(reply(Ok(known(verdict))), Reply { status, of, phrase });
        }
        assert_eq!(reply(Ok(CheckedCertificate::Unknown)), Reply::refused(404, "credential.unknown"));
        for failed in [&kinds::STORAGE_UNAVAILABLE, &kinds::STORAGE_FULL, &kinds::STORAGE_CONTENTION, &kinds::INTERNAL] {
            assert_eq!(reply(Err(Refusal::new(failed, "x"))), Reply::refused(500, failed.code));
        }
    }

    #[test]
    fn a_serial_number_is_decimal_unless_it_says_that_it_is_not() {
        for (text, decimal) in [
            ("4660", "4660"),
            ("0004660", "4660"),
            (" 4660 ", "4660"),
            ("-5", "-5"),
            ("0", "0"),
            ("0x1234", "4660"),
            ("0X1234", "4660"),
            ("12:34", "4660"),
            ("4A:1f:0b", "4857611"),
            ("481322841591230125307308739340986366174349561025", "481322841591230125307308739340986366174349561025"),
        ] {
            assert_eq!(serial_number(text).map(|serial| serial.decimal()).as_deref(), Some(decimal), "{text}");
        }
        for bad in
            ["", " ", "-", "0x", "abc", "12ab", "1.5", "+5", "12 34", "serial=12", "0xg1", "xyz:1", &"9".repeat(60), &"9".repeat(129)]
        {
            assert_eq!(serial_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_empty_is_invalid_and_what_is_no_name_is_nobodys() {
        assert_eq!(Question::of("", "1"), Question::Invalid);
        assert_eq!(Question::of(" ", "1"), Question::Invalid);
        assert_eq!(Question::of("CN=acme", ""), Question::Invalid);
        for no_name in ["acme", "=x", &format!("CN={}", "x".repeat(LONGEST_ISSUER_TEXT))] {
            assert_eq!(Question::of(no_name, "1"), Question::OfNobody, "{no_name}");
        }
        let name = |text: &str| match Question::of(text, "1") {
            Question::Of(name) => name.issuer,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(name("CN=acme").as_str(), "CN=acme");
        assert_eq!(name("CN=tenant-x,O=Acme,C=US"), name("/C=US/O=Acme/CN=tenant-x"));
        assert_eq!(name("CN=tenant-x,O=Acme,C=US"), name("C = US, O = Acme, CN = tenant-x"));
    }

    #[test]
    fn what_is_no_request_is_not_read_and_more_behind_it_is_let_be() {
        let record = ClientCertificateAuthenticationRequest {
            correlation_id: "c-1".into(),
            timestamp: 1_000,
            timeout: 500,
            issuer: "CN=t1".into(),
            serial_number: "4660".into(),
        };
        let good = record.encode();
        for bad in [vec![], vec![0], vec![0xff; 40], good[..good.len() / 2].to_vec()] {
            assert!(read_question(&bad).is_err());
        }
        let (head, question) = read_question(&[good, vec![1, 2, 3]].concat()).unwrap();
        assert_eq!(head, Head::new("c-1", 1_000, 500));
        assert_eq!(question, Question::of("CN=t1", "4660"));
    }
}
