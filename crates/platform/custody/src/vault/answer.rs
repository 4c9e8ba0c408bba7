//! Reading what the API answers. What is missing is named by its place.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::VaultError;

/// The text at a JSON pointer.
pub(super) fn text(answer: &Value, at: &str, call: &'static str) -> Result<String, VaultError> {
    let text = answer.pointer(at).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| missing(at, call))
}

/// The bytes at a JSON pointer, which the formats `der` give in base64.
pub(super) fn bytes(answer: &Value, at: &str, call: &'static str) -> Result<Vec<u8>, VaultError> {
    decode(&text(answer, at, call)?, at, call)
}

/// Every text of the list at a JSON pointer; an absent or null list is empty.
pub(super) fn texts(answer: &Value, at: &str, call: &'static str) -> Result<Vec<String>, VaultError> {
    match answer.pointer(at) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| missing(at, call))).collect(),
        Some(_) => Err(missing(at, call)),
    }
}

pub(super) fn decode(text: &str, at: &str, call: &'static str) -> Result<Vec<u8>, VaultError> {
    STANDARD.decode(text).map_err(|_| VaultError::Answer { call, why: format!("{at} is not base64") })
}

pub(super) fn missing(at: &str, call: &'static str) -> VaultError {
    VaultError::Answer { call, why: format!("{at} is missing or not of the expected kind") }
}
