//! Passwords by bcrypt (`kaa.md` 14.2): strict hashes, no silent truncation, a bounded cost, the same work for unknown users.
//!
//! A verification blocks its thread for tens of milliseconds: call it from a bounded pool, never from an async worker.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};
use signet_model::{Entropy, Reason, Refusal};
use zeroize::Zeroizing;

use crate::{PASSWORD_COST, PASSWORD_EMPTY, PASSWORD_HASH, PASSWORD_NUL, PASSWORD_TOO_LONG, Secret, constant_time_eq};

/// The longest password in bytes; classic bcrypt ignores what follows.
pub const MAX_PASSWORD_BYTES: usize = 72;

/// bcrypt's own base64, strict: unused bits must be zero, so that one hash has one text.
const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::BCRYPT, NO_PAD);

/// Why a password, a hash or a cost is refused. Never holds the password or the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// No bytes at all.
    #[error("the password is empty")]
    Empty,
    /// Longer than bcrypt looks at.
    #[error("the password has {bytes} bytes; {MAX_PASSWORD_BYTES} are the most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A NUL byte inside.
    #[error("the password holds a NUL byte")]
    Nul,
    /// Not a bcrypt hash.
    #[error("the password hash is not one of bcrypt: {0}")]
    Hash(&'static str),
    /// A cost that is outside 4 to 31, or above the caller's ceiling.
    #[error("the bcrypt cost {cost} is not from 4 to {maximum}")]
    CostNotAllowed {
        /// The cost seen.
        cost: u32,
        /// The highest allowed here.
        maximum: u32,
    },
}

impl PasswordError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Empty => &PASSWORD_EMPTY,
            Self::TooLong { .. } => &PASSWORD_TOO_LONG,
            Self::Nul => &PASSWORD_NUL,
            Self::Hash(_) => &PASSWORD_HASH,
            Self::CostNotAllowed { .. } => &PASSWORD_COST,
        }
    }
}

impl From<PasswordError> for Refusal {
    fn from(error: PasswordError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

/// A password that bcrypt hashes as a whole: 1 to 72 bytes without NUL.
pub struct Password(Secret);

impl Password {
    /// Takes the bytes as they are; no normalisation, since peers hash bytes.
    ///
    /// # Errors
    /// [`PasswordError::Empty`], [`PasswordError::TooLong`] or [`PasswordError::Nul`].
    pub fn new(bytes: impl Into<Secret>) -> Result<Self, PasswordError> {
        let secret = bytes.into();
        match secret.expose() {
            [] => Err(PasswordError::Empty),
            long if long.len() > MAX_PASSWORD_BYTES => Err(PasswordError::TooLong { bytes: long.len() }),
            bytes if bytes.contains(&0) => Err(PasswordError::Nul),
            _ => Ok(Self(secret)),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The binary logarithm of bcrypt's rounds: 4 to 31. Each step doubles the time; 10 is about 60 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u32);

impl Cost {
    /// What Kaa uses and what `[password] bcrypt_cost` is when absent.
    pub const DEFAULT: Self = Self(10);
    /// The highest cost that is verified unless a caller says otherwise: about 4 s. A foreign hash of cost 31 would hold a
    /// thread for a day and a half. A configured cost must not be above it either, or the hashes made are refused.
    pub const CEILING: Self = Self(16);
    const LOWEST: u32 = 4;
    const HIGHEST: u32 = 31;

    /// A cost of bcrypt's range.
    ///
    /// # Errors
    /// [`PasswordError::CostNotAllowed`] outside 4 to 31.
    pub const fn new(cost: u32) -> Result<Self, PasswordError> {
        if cost < Self::LOWEST || cost > Self::HIGHEST {
            return Err(PasswordError::CostNotAllowed { cost, maximum: Self::HIGHEST });
        }
        Ok(Self(cost))
    }

    /// The number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// A bcrypt hash that was checked when it was made: `$2a$`, `$2b$` or `$2y$`, cost, 16 bytes of salt, 23 of digest.
#[derive(Clone, PartialEq, Eq)]
pub struct BcryptHash {
    text: String,
    cost: Cost,
    salt: [u8; 16],
    digest: [u8; 23],
}

impl BcryptHash {
    /// Reads a stored or foreign hash whose cost is at most `ceiling`. (`parse` and [`FromStr`] take [`Cost::CEILING`].)
    ///
    /// # Errors
    /// [`PasswordError::Hash`] when it is no bcrypt hash, [`PasswordError::CostNotAllowed`] when verifying it would cost too much.
    pub fn parse_up_to(text: &str, ceiling: Cost) -> Result<Self, PasswordError> {
        let bytes: &[u8; 60] = text.as_bytes().try_into().map_err(|_| PasswordError::Hash("it must have 60 characters"))?;
        let [b'$', b'2', b'a' | b'b' | b'y', b'$', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'$', encoded @ ..] = bytes else {
            return Err(PasswordError::Hash("it must begin with $2a$, $2b$ or $2y$, two digits and $"));
        };
        let digit = |b: u8| u32::from(b.wrapping_sub(b'0'));
        let number = digit(*tens).saturating_mul(10).saturating_add(digit(*ones));
        let cost = Cost::new(number)?;
        if cost > ceiling {
            return Err(PasswordError::CostNotAllowed { cost: number, maximum: ceiling.value() });
        }
        let (encoded_salt, encoded_digest) = encoded.split_at(22);
        let (mut salt, mut digest) = ([0; 16], [0; 23]);
        decode(encoded_salt, &mut salt).ok_or(PasswordError::Hash("its salt is not bcrypt's base64"))?;
        decode(encoded_digest, &mut digest).ok_or(PasswordError::Hash("its digest is not bcrypt's base64"))?;
        Ok(Self { text: text.to_owned(), cost, salt, digest })
    }

    /// The 60 characters, for storage.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its cost.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Whether a password that just verified should be hashed anew because the target cost was raised.
    pub fn needs_rehash(&self, target: Cost) -> bool {
        self.cost < target
    }

    fn from_parts(cost: Cost, salt: [u8; 16], digest: [u8; 23]) -> Self {
        // $2a$ is what Kaa's own store holds; for passwords without NUL up to 72 bytes the three versions are the same function.
        let text = format!("$2a${:02}${}{}", cost.value(), BASE64.encode(salt), BASE64.encode(digest));
        Self { text, cost, salt, digest }
    }
}

fn decode<const N: usize>(encoded: &[u8], into: &mut [u8; N]) -> Option<()> {
    (BASE64.decode_slice(encoded, into).ok()? == N).then_some(())
}

impl FromStr for BcryptHash {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_up_to(text, Cost::CEILING)
    }
}

impl fmt::Debug for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BcryptHash(cost {})", self.cost.value())
    }
}

/// Hashes `password` with a new salt. Takes 2^`cost` rounds.
pub fn hash(password: &Password, cost: Cost, entropy: &dyn Entropy) -> BcryptHash {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    BcryptHash::from_parts(cost, salt, digest(password, cost, salt))
}

/// Whether `password` is the one that was hashed. Takes the time of the hash's cost either way.
pub fn verify(password: &Password, hash: &BcryptHash) -> bool {
    constant_time_eq(&digest(password, hash.cost, hash.salt), &hash.digest)
}

/// A hash that no known password has, of any cost: verifying against it makes an unknown user cost what a known one does.
/// The answer for such a user is a refusal whatever [`verify`] says.
pub fn dummy_hash(cost: Cost) -> BcryptHash {
    // Digits of pi: a digest that was chosen before any password.
    const SALT: [u8; 16] = [0x24, 0x3f, 0x6a, 0x88, 0x85, 0xa3, 0x08, 0xd3, 0x13, 0x19, 0x8a, 0x2e, 0x03, 0x70, 0x73, 0x44];
    const DIGEST: [u8; 23] = [
        0xa4, 0x09, 0x38, 0x22, 0x29, 0x9f, 0x31, 0xd0, 0x08, 0x2e, 0xfa, 0x98, 0xec, 0x4e, 0x6c, 0x89, 0x45, 0x28, 0x21, 0xe6, 0x38, 0xd0,
        0x13,
    ];
    BcryptHash::from_parts(cost, SALT, DIGEST)
}

/// The first 23 of bcrypt's 24 bytes, which is what hashes keep.
fn digest(password: &Password, cost: Cost, salt: [u8; 16]) -> [u8; 23] {
    let bytes = password.0.expose();
    // The terminating NUL is part of the input as far as it fits into 72 bytes.
    let mut input = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD_BYTES));
    input.extend_from_slice(bytes);
    if bytes.len() < MAX_PASSWORD_BYTES {
        input.push(0);
    }
    let [kept @ .., _] = bcrypt::bcrypt(cost.value(), salt, &input);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SystemEntropy;

    const FOUR: Cost = Cost(4);

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn known_hashes_of_other_implementations_verify() {
        // jBCrypt, OpenBSD and crypt_blowfish test vectors.
        for (word, text) in [
            ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
            ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
            ("abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"),
            ("~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"),
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            (
                "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
                "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
            ),
        ] {
            let hash: BcryptHash = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(verify(&password(word), &hash), "{word} {text}");
            assert!(!verify(&password("other"), &hash), "{word} {text}");
        }
    }

    #[test]
    fn a_password_is_1_to_72_bytes_without_nul() {
        assert_eq!(Password::new("").unwrap_err(), PasswordError::Empty);
        assert!(Password::new("x".repeat(72)).is_ok());
        assert_eq!(Password::new("x".repeat(73)).unwrap_err(), PasswordError::TooLong { bytes: 73 });
        assert_eq!(Password::new("ä".repeat(37)).unwrap_err(), PasswordError::TooLong { bytes: 74 });
        assert_eq!(Password::new("a\0b").unwrap_err(), PasswordError::Nul);
        assert!(Password::new(vec![0xff, 0xfe]).is_ok(), "passwords are bytes");
    }

    #[test]
    fn all_72_bytes_count() {
        let long = "x".repeat(71);
        let stored = hash(&password(&format!("{long}a")), FOUR, &SystemEntropy);
        assert!(verify(&password(&format!("{long}a")), &stored));
        assert!(!verify(&password(&format!("{long}b")), &stored));
        assert!(!verify(&password(&long), &stored));
    }

    #[test]
    fn a_new_hash_is_kaas_form_and_salted() {
        let (first, second) = (hash(&password("pw"), FOUR, &SystemEntropy), hash(&password("pw"), FOUR, &SystemEntropy));
        assert_ne!(first, second);
        assert!(first.as_str().starts_with("$2a$04$"));
        assert_eq!(first.as_str().parse::<BcryptHash>().unwrap(), first);
        assert!(verify(&password("pw"), &first) && !verify(&password("pW"), &first));
    }

    #[test]
    fn hashes_are_read_strictly() {
        const GOOD: &str = "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";
        assert!(GOOD.parse::<BcryptHash>().is_ok());
        for bad in [
            "".to_owned(),
            GOOD[..59].to_owned(),
            format!("{GOOD}e"),
            format!("{GOOD}\n"),
            GOOD.replace("$2a$", "$2x$"),
            GOOD.replace("$2a$", "$2c$"),
            GOOD.replace("$2a$", "$1a$"),
            GOOD.replace("$06$", "$+6$"),
            GOOD.replace("$06$", "$ 6$"),
            GOOD.replace("$06$m", "$06mm"),
            GOOD.replace("m0Cr", "m0C="),
            GOOD.replace("Vfxe", "Vfx+"),
            GOOD.replace("Vfxe", "Vf\u{e4}"),
            // Unused bits set: another text of the same salt.
            GOOD.replace("zDGO3", "zDGP3"),
        ] {
            assert!(matches!(bad.parse::<BcryptHash>(), Err(PasswordError::Hash(_))), "{bad}");
        }
        for cost in ["00", "03", "32", "99"] {
            let text = GOOD.replace("$06$", &format!("${cost}$"));
            assert!(matches!(text.parse::<BcryptHash>(), Err(PasswordError::CostNotAllowed { maximum: 31, .. })), "{text}");
        }
    }

    #[test]
    fn a_hash_above_the_ceiling_is_refused_before_it_costs_anything() {
        let text = dummy_hash(Cost::new(31).unwrap()).as_str().to_owned();
        assert_eq!(text.parse::<BcryptHash>().unwrap_err(), PasswordError::CostNotAllowed { cost: 31, maximum: 16 });
        assert!(dummy_hash(Cost::CEILING).as_str().parse::<BcryptHash>().is_ok());
        assert!(BcryptHash::parse_up_to(&text, Cost::new(31).unwrap()).is_ok());
        assert!(Cost::new(3).is_err() && Cost::new(32).is_err());
    }

    #[test]
    fn the_dummy_hash_has_the_wanted_cost_and_no_password() {
        for cost in [4, 5, 10] {
            let dummy = dummy_hash(Cost::new(cost).unwrap());
            assert_eq!(dummy.cost().value(), cost);
            assert_eq!(dummy.as_str().parse::<BcryptHash>().unwrap(), dummy);
        }
        assert!(!verify(&password("pw"), &dummy_hash(FOUR)));
    }

    #[test]
    fn only_a_raised_cost_asks_for_a_new_hash() {
        let stored = dummy_hash(Cost::DEFAULT);
        assert!(stored.needs_rehash(Cost::new(11).unwrap()));
        assert!(!stored.needs_rehash(Cost::DEFAULT) && !stored.needs_rehash(FOUR));
    }

    #[test]
    fn nothing_shows_a_password_or_a_hash() {
        let stored = hash(&password("canary"), FOUR, &SystemEntropy);
        assert_eq!(format!("{:?} {stored:?}", password("canary")), "Password(..) BcryptHash(cost 4)");
        assert!(!Password::new("canary\0").unwrap_err().to_string().contains("canary"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_password_verifies_against_its_hash_and_no_changed_one_does(
            bytes in prop::collection::vec(1_u8.., 1..=72),
            at: prop::sample::Index,
            flip in 1_u8..=255,
        ) {
            let stored = hash(&Password::new(bytes.clone()).unwrap(), FOUR, &SystemEntropy);
            prop_assert!(verify(&Password::new(bytes.clone()).unwrap(), &stored));
            let mut changed = bytes;
            let index = at.index(changed.len());
            changed[index] ^= flip;
            if let Ok(changed) = Password::new(changed) {
                prop_assert!(!verify(&changed, &stored));
            }
        }

        #[test]
        fn any_text_is_a_hash_or_refused(text in "(\\$2[abxy]\\$[0-9]{2}\\$)?[./A-Za-z0-9$\u{e4}]{0,60}") {
            if let Ok(hash) = text.parse::<BcryptHash>() {
                prop_assert_eq!(hash.as_str(), text);
            }
        }
    }
}
