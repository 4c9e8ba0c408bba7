//! Every reason that this program can give, from the crates that declare them.

use signet_model::Reason;

/// The lists, by what they belong to.
pub(crate) static LISTS: &[(&str, &[&Reason])] = &[
    ("Common", signet_model::kinds::REASONS),
    ("Configuration", crate::config::REASONS),
    ("Command line", crate::cli::REASONS),
    ("Output files", crate::cli::OUTPUT_FILE_REASONS),
    ("Ceremony", crate::ceremony::REASONS),
    ("Operator token", crate::cli::OPERATOR_REASONS),
    ("Server start", crate::lifecycle::REASONS),
    ("Imports", crate::import::REASONS),
    ("Client", signet_client::REASONS),
    ("Audit log", crate::api::REASONS),
    ("Audit verification", crate::cli::VERIFY_REASONS),
    ("HTTP", signet_http::reasons::REASONS),
    ("Foreign tokens", signet_jose::REASONS),
    ("Issuers", signet_http::oidc::reasons::REASONS),
    ("Tenants, identities, credentials", signet_credentials::REASONS),
    ("Authorities and their certificates", signet_authority::REASONS),
    ("Passwords and seals", signet_crypto::REASONS),
    ("Ledger", signet_ledger::REASONS),
    ("Database", signet_db::REASONS),
    ("Message bus", signet_bus::REASONS),
    ("Standing", signet_standing::REASONS),
    ("Secret files", signet_custody::REASONS),
    ("Vault and OpenBao", signet_custody::vault::REASONS),
    ("Outbound requests", signet_outbound::REASONS),
    ("Certificates", signet_pki::REASONS),
    ("Certificate chains", signet_pki::PATH_REASONS),
];

/// All reasons.
pub(crate) fn all() -> impl Iterator<Item = &'static Reason> {
    LISTS.iter().flat_map(|(_, list)| list.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_complete() {
        let mut codes: Vec<&str> = all().map(|r| r.code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count, "a reason code is declared twice");
        for reason in all() {
            assert!(
                reason.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-')),
                "{}",
                reason.code
            );
            assert!(!reason.title.trim().is_empty() && !reason.fix.is_empty(), "{}", reason.code);
            assert!((400..=599).contains(&reason.status), "{}", reason.code);
        }
    }
}
