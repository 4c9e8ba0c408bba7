//! Identifiers. Credentials carry xids (20 characters, `kaa.md` 14.2); everything else a type prefix, `_` and the 32 hex
//! digits of a UUIDv7 (RFC 9562 section 5.7). Identifiers are not secrets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Entropy, Timestamp};

/// A text that is no identifier of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdFormatError {
    /// What was wanted, such as `idn_` and 32 hex digits.
    pub wanted: &'static str,
}

impl fmt::Display for IdFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an identifier: wanted {}", self.wanted)
    }
}
impl std::error::Error for IdFormatError {}

/// 16 bytes of a UUIDv7: 48 bits of milliseconds, then random bits around version and variant.
fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> [u8; 16] {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let millis = u64::try_from(now.millis()).unwrap_or(0).to_be_bytes();
    let [_, _, time @ ..] = millis;
    let [t0, t1, t2, t3, t4, t5, version, _, variant, ..] = &mut bytes;
    [*t0, *t1, *t2, *t3, *t4, *t5] = time;
    *version = 0x70 | (*version & 0x0f);
    *variant = 0x80 | (*variant & 0x3f);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |n: u8| DIGITS.get(usize::from(n)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $wanted:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdFormatError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(IdFormatError { wanted: $wanted }) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        text_id!(
            $(#[$doc])*
            $name,
            concat!("`", $prefix, "_` and 32 hex digits"),
            |text| text.strip_prefix(concat!($prefix, "_")).is_some_and(|rest| rest.len() == 32 && is_hex(rest))
        );

        impl $name {
            /// A new identifier that sorts by `now`.
            pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(format!(concat!($prefix, "_{}"), hex(&uuid_v7(now, entropy))))
            }
        }
    };
}

prefixed_id!(
    /// An identity: a device, a service or an operator.
    IdentityId,
    "idn"
);
prefixed_id!(
    /// An API token of ours.
    ApiTokenId,
    "atk"
);
prefixed_id!(
    /// A foreign CA that a tenant trusts.
    AnchorId,
    "anc"
);
prefixed_id!(
    /// An event of the outbox; the `correlationId` of a Kaa event. A repeat keeps it.
    EventId,
    "evt"
);
prefixed_id!(
    /// One running process; fresh at each start, and a valid single NATS token (`kaa.md` 1).
    ReplicaId,
    "rep"
);

impl ReplicaId {
    /// The name that an operator gave a replica, as Kaa's `service.instance.replica.id` does: one token of a NATS subject, of
    /// 1 to 64 letters, digits, `-` and `_`. Nothing but events carries it.
    ///
    /// # Errors
    /// It is none.
    pub fn named(text: &str) -> Result<Self, IdFormatError> {
        let token = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if token { Ok(Self(text.to_owned())) } else { Err(IdFormatError { wanted: "1 to 64 letters, digits, `-` and `_`" }) }
    }
}

text_id!(
    /// A credential: an xid of 20 characters in lower-case base32hex.
    CredentialId,
    "20 characters of 0-9 and a-v",
    |text| text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b))
);

impl CredentialId {
    /// A new xid: 4 bytes of Unix seconds, then 8 random bytes in place of machine, process and counter, since any
    /// unique string works for peers and random bytes stay unique over replicas (`kaa.md` 14.2).
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(xid(now, entropy))
    }
}

/// The text of a new xid.
pub(crate) fn xid(now: Timestamp, entropy: &dyn Entropy) -> String {
    let mut bytes = [0_u8; 12];
    entropy.fill(&mut bytes);
    let seconds = u32::try_from(now.micros().div_euclid(1_000_000)).unwrap_or(0).to_be_bytes();
    let [s0, s1, s2, s3, ..] = &mut bytes;
    [*s0, *s1, *s2, *s3] = seconds;
    base32hex(&bytes)
}

/// Base32hex without padding (RFC 4648 section 7), lower-case.
fn base32hex(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = String::with_capacity(bytes.len().div_ceil(5).saturating_mul(8));
    let (mut bits, mut held) = (0_u32, 0_u32);
    let letter = |five: u32| ALPHABET.get(usize::try_from(five & 31).unwrap_or(0)).copied().map_or('0', char::from);
    for byte in bytes {
        bits = ((bits << 8) | u32::from(*byte)) & 0xffff;
        held = held.saturating_add(8);
        while held >= 5 {
            held = held.saturating_sub(5);
            text.push(letter(bits >> held));
        }
    }
    if held > 0 {
        text.push(letter(bits << 5_u32.saturating_sub(held)));
    }
    text
}

text_id!(
    /// A trace: the 32 hex digits of a W3C Trace Context trace-id, not all zero.
    TraceId,
    "32 hex digits, not all zero",
    |text| text.len() == 32 && is_hex(text) && text.bytes().any(|b| b != b'0')
);

impl TraceId {
    /// A new random trace id.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0_u8; 16];
        entropy.fill(&mut bytes);
        let [first, ..] = &mut bytes;
        *first |= 1; // never all zero
        Self(hex(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn generated_ids_parse_as_their_type_and_as_no_other() {
        let now = Timestamp::from_millis(1_490_262_793_349);
        for entropy in [Fixed(0), Fixed(0xff)] {
            let identity = IdentityId::generate(now, &entropy);
            assert_eq!(identity.as_str().parse(), Ok(identity.clone()));
            assert!(identity.as_str().parse::<ApiTokenId>().is_err());
            let credential = CredentialId::generate(now, &entropy);
            assert_eq!(credential.as_str().len(), 20);
            assert_eq!(credential.as_str().parse(), Ok(credential.clone()));
            let trace = TraceId::generate(&entropy);
            assert_eq!(trace.as_str().parse(), Ok(trace.clone()));
        }
    }

    #[test]
    fn uuid_carries_time_version_and_variant() {
        let text = EventId::generate(Timestamp::from_millis(0x0123_4567_89ab), &Fixed(0xff)).to_string();
        assert_eq!(text, "evt_0123456789ab7fffbfffffffffffffff");
    }

    #[test]
    fn a_replica_may_be_named_by_one_token() {
        assert!(ReplicaId::named("ccm-5d9c7_b").is_ok());
        for bad in ["", "a.b", "a b", "*", &"x".repeat(65)] {
            assert!(ReplicaId::named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn xid_uses_base32hex() {
        assert_eq!(base32hex(b"foobar"), "cpnmuoj1e8"); // RFC 4648 section 10
        assert_eq!(base32hex(&[]), "");
    }

    #[test]
    fn odd_texts_are_refused() {
        for text in ["", "idn_", "idn_0123", "IDN_00000000000000000000000000000000", "idn_0000000000000000000000000000000G"] {
            assert!(text.parse::<IdentityId>().is_err(), "{text}");
        }
        assert!("0".repeat(32).parse::<TraceId>().is_err());
        assert!("br7si8mg10l7an82quez".parse::<CredentialId>().is_err());
    }
}
