//! Bytes from the bus: each of Kaa's records must take or refuse them, and never more than that.

/// Whatever decodes must encode again to something that decodes to the same.
pub(crate) fn feed(bytes: &[u8]) {
    for (name, reencode) in signet_kaa::RECORDS {
        if let Ok(written) = reencode(bytes) {
            let again = reencode(&written).unwrap_or_else(|error| panic!("{name}: what it wrote does not decode: {error:?}"));
            assert!(written == again, "{name}: a record changes when it is read and written");
        }
    }
}
