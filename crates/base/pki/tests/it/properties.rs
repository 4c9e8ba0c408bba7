//! Properties of the PEM reader.

use proptest::prelude::*;
use signet_crypto::Secret;
use signet_pki::pem;

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = pem::certificates(&bytes).map_err(|e| e.to_string());
        let _ = pem::private_key(&bytes).map_err(|e| e.to_string());
    }

    #[test]
    fn any_text_of_pem_parts_is_read_or_refused(parts in prop::collection::vec(
        prop::sample::select(vec!["-----BEGIN ", "-----END ", "CERTIFICATE", "PRIVATE KEY", "EC ", "-----", "\n", "\r\n", "MIIB", "==", "Proc-Type: 4,ENCRYPTED", "\u{feff}", " "]),
        0..40,
    )) {
        let text = parts.concat();
        let _ = pem::certificates(text.as_bytes()).map_err(|e| e.to_string());
        let _ = pem::private_key(text.as_bytes()).map_err(|e| e.to_string());
    }

    #[test]
    fn what_is_written_reads_back(der in prop::collection::vec(any::<u8>(), 0..300), windows: bool) {
        let written = pem::write_certificate(&der.clone().into());
        prop_assert!(written.lines().all(|line| line.len() <= 64));
        let text = if windows { format!("\u{feff}{}", written.replace('\n', "\r\n")) } else { written };
        prop_assert_eq!(&pem::certificates(text.as_bytes()).unwrap()[0][..], &der[..]);
        let key = pem::private_key(pem::write_private_key(&Secret::from(der.clone())).expose()).unwrap();
        let key = key.to_rustls();
        prop_assert_eq!(key.secret_der(), &der[..]);
    }
}
