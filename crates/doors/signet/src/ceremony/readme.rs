//! What the people of a ceremony do next, in the directory that it made.

use super::perform::Authority;
use super::{PLATFORM_CERTIFICATE, PLATFORM_KEY, ROOT_CERTIFICATE, ROOT_KEY, SIGNATURE, TRANSCRIPT};

/// The text.
pub(super) fn text(root: &Authority, platform: &Authority, sealed: bool) -> String {
    let root_key = if sealed {
        format!(
            "{ROOT_KEY} is sealed by the passphrase; `openssl pkey -in {ROOT_KEY}` opens it. Keep the passphrase elsewhere than the file."
        )
    } else {
        format!("{ROOT_KEY} is NOT sealed: whoever has the file is the root.")
    };
    format!(
        "The root and the platform's authority were made here.

Root:      {}
           SHA-256 {}
           valid until {}
Platform:  {}
           SHA-256 {}
           valid until {}

1. Verify: `signet ca ceremony verify DIRECTORY`. Read the root's SHA-256 aloud, and let every witness write it down: who has it can
   verify the transcript later with `--root-fingerprint`.
2. Copy {ROOT_KEY} to two media that stay offline, in two places, and remove it from this machine. {root_key}
3. Carry {PLATFORM_CERTIFICATE}, {PLATFORM_KEY} and {ROOT_CERTIFICATE} to the servers, {PLATFORM_KEY} with mode 0600, and write
   into signet.toml:

       [authority]
       platform_cert_file = \"/etc/signet/{PLATFORM_CERTIFICATE}\"
       platform_key_file = \"/etc/signet/{PLATFORM_KEY}\"
       platform_chain_file = \"/etc/signet/{ROOT_CERTIFICATE}\"

   Every replica gets the same files. Do it before the first start: the authorities of tenants stay under the platform's authority
   that made them.
4. Give {ROOT_CERTIFICATE} to everybody who verifies certificates. It is what `signet ca bundle` prints.
5. Keep {TRANSCRIPT} and {SIGNATURE} with this page.
",
        root.subject, root.fingerprint, root.not_after, platform.subject, platform.fingerprint, platform.not_after
    )
}
