//! Takes a signed message apart: nothing of the payload is parsed before the signature verifies.

use serde::de::DeserializeOwned;
use signet_crypto::sign::Ed25519Public;
use signet_model::SignedMessage;

use crate::Cause;

pub(crate) fn open<T: DeserializeOwned>(key: &Ed25519Public, purpose: &str, bytes: &[u8]) -> Result<T, Cause> {
    let message = SignedMessage::decode(bytes).map_err(|_| Cause::Malformed)?;
    let input = SignedMessage::signing_input(purpose, &message.payload);
    if !key.verify(&input, &message.signature) {
        return Err(Cause::Signature);
    }
    serde_json::from_str(&message.payload).map_err(|_| Cause::Malformed)
}
