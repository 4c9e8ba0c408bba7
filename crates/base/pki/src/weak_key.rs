//! Public keys that others can use: RSA moduli with a structure that gives the primes away, and keys whose private half is published.
//!
//! Covered: moduli below 2048 bits, even ones and ones with a factor below 752, small and even exponents, the ROCA structure
//! (CVE-2017-15361), primes that Fermat's method finds in 100 steps (CVE-2022-26320), the first 16 multiples of the generators of
//! P-256 and P-384, Ed25519 points of small order, and the keys printed in RFC 7515, 7517, 8032 and 8037. Not covered: the
//! lists of Debian's weak keys of 2008, which are some 100,000 fingerprints for each size; an operator who needs them enters their
//! fingerprints as compromised keys.

use std::sync::LazyLock;

use num_bigint::BigUint;

use crate::public_key::KeyFault;

/// Steps of Fermat's method. The keys that were found in the field fall in the first.
const FERMAT_STEPS: usize = 100;
/// Factors below this are looked for, as the large public authorities do.
const SMALL_FACTOR: u32 = 752;
/// The primes that the ROCA structure is looked for with; beyond 167 the smallest affected keys carry nothing.
const ROCA_PRIME: u32 = 167;
/// The generator of the subgroup in which the moduli of affected chips lie.
const ROCA_GENERATOR: u32 = 65537;

/// The first 8 bytes of the x coordinates of G, 2G … 16G on P-256, and of the keys printed in RFC 7515 A.3 and RFC 7517 A.2.
static KNOWN_P256: &[u64] = &[
    0x6b17_d1f2_e12c_4247,
    0x7cf2_7b18_8d03_4f7e,
    0x5ecb_e4d1_a633_0a44,
    0xe253_4a35_32d0_8fbb,
    0x5159_0b7a_5151_40d2,
    0xb01a_172a_76a4_602c,
    0x8e53_3b6f_a0bf_7b46,
    0x62d9_779d_bee9_b053,
    0xea68_d7b6_fedf_0b71,
    0xcef6_6d6b_2a3a_993e,
    0x3ed1_13b7_883b_4c59,
    0x741d_d5bd_a817_d95e,
    0x177c_837a_e0ac_495a,
    0x54e7_7a00_1c38_62b9,
    0xf045_4dc6_971a_bae7,
    0x76a9_4d13_8a6b_4185,
    0x7fcd_ce27_70f6_c45d,
    0x30a0_424c_d21c_2944,
];
/// The same of P-384, without published keys.
static KNOWN_P384: &[u64] = &[
    0xaa87_ca22_be8b_0537,
    0x08d9_9905_7ba3_d2d9,
    0x077a_41d4_606f_fa14,
    0x1382_51cd_52ac_9298,
    0x11de_24a2_c251_c777,
    0x627b_e1ac_d064_d2b2,
    0x283c_1d73_65ce_4788,
    0x1692_778e_a596_e0be,
    0x8f0a_39a4_049b_cb3e,
    0xa669_c556_3bd6_7eec,
    0x0990_56e2_7da7_b998,
    0x952a_7a34_9bd4_9289,
    0xa567_ba97_b67a_ea5b,
    0xe8c8_f94d_44fb_c239,
    0xb3d1_3fc8_b32b_0105,
    0xd5d8_9c3b_5282_369c,
];
/// The first 8 bytes of the keys of RFC 8032 section 7.1 (and RFC 8037 appendix A, which uses the first).
static KNOWN_ED25519: &[u64] =
    &[0xd75a_9801_82b1_0ab7, 0x3d40_17c3_e843_895a, 0xfc51_cd8e_6218_a1a3, 0x2781_17fc_144c_7234, 0xec17_2b93_ad5e_563b];
/// The first 8 bytes of the moduli of RFC 7515 A.2 and RFC 7517 A.1.
static KNOWN_RSA: &[u64] = &[0xa1f8_160a_e2e3_c9b4, 0xd2fc_7b6a_0a1e_6c67];

fn head(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk::<8>().map(|head| u64::from_be_bytes(*head))
}

/// Whether the private half of a key is known to all: `number` is the x coordinate, the Ed25519 key or the modulus.
pub(crate) fn published(kind: Published, number: &[u8]) -> bool {
    let list = match kind {
        Published::P256 => KNOWN_P256,
        Published::P384 => KNOWN_P384,
        Published::Ed25519 => KNOWN_ED25519,
        Published::Rsa => KNOWN_RSA,
    };
    head(number).is_some_and(|head| list.contains(&head))
}

/// Which list of published keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Published {
    P256,
    P384,
    Ed25519,
    Rsa,
}

/// What is wrong with an RSA modulus (big endian, without leading zero) that is long enough.
pub(crate) fn fault_of_modulus(modulus: &[u8]) -> Option<KeyFault> {
    if modulus.last().is_none_or(|last| last & 1 == 0) {
        Some(KeyFault::RsaModulus("is even"))
    } else if published(Published::Rsa, modulus) {
        Some(KeyFault::Published)
    } else if has_small_factor(modulus) {
        Some(KeyFault::RsaModulus("has a factor below 752"))
    } else if is_roca(modulus) {
        Some(KeyFault::Roca)
    } else if has_close_primes(modulus) {
        Some(KeyFault::ClosePrimes)
    } else {
        None
    }
}

/// The odd primes below 752, in order.
static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| odd_primes(SMALL_FACTOR).collect());

fn odd_primes(below: u32) -> impl Iterator<Item = u32> {
    (3..below).step_by(2).filter(|n| (3..*n).step_by(2).take_while(|d| d.wrapping_mul(*d) <= *n).all(|d| rest_of(*n, d) != 0))
}

/// The remainder; no divisor here is zero.
fn rest_of(number: u32, divisor: u32) -> u32 {
    number.checked_rem(divisor).unwrap_or(0)
}

/// The remainder of a big-endian number.
fn remainder(number: &[u8], divisor: u32) -> u32 {
    let divisor = u64::from(divisor.max(1));
    let words = number.rchunks(4).rev().map(|word| word.iter().fold(0_u64, |n, byte| (n << 8) | u64::from(*byte)));
    // The remainder is below 2^32, and so the sum below 2^64.
    let rest = words.fold(0_u64, |rest, word| ((rest << 32) | word).checked_rem(divisor).unwrap_or(0));
    u32::try_from(rest).unwrap_or(u32::MAX)
}

fn has_small_factor(modulus: &[u8]) -> bool {
    // One division of the large number serves as many primes as fit into 32 bits.
    let (mut product, mut group) = (1_u32, Vec::new());
    let divides = |product: u32, group: &[u32]| {
        let rest = remainder(modulus, product);
        group.iter().any(|prime| rest_of(rest, *prime) == 0)
    };
    for prime in PRIMES.iter().copied() {
        match product.checked_mul(prime) {
            Some(larger) => product = larger,
            None => {
                if divides(product, &group) {
                    return true;
                }
                group.clear();
                product = prime;
            }
        }
        group.push(prime);
    }
    divides(product, &group)
}

/// Whether the modulus lies in the subgroup of 65537 modulo every small prime; of other moduli one in some 2^28 does.
fn is_roca(modulus: &[u8]) -> bool {
    PRIMES.iter().copied().take_while(|prime| *prime <= ROCA_PRIME).all(|prime| {
        let wanted = remainder(modulus, prime);
        let generator = rest_of(ROCA_GENERATOR, prime);
        let mut power = 1_u32;
        for _ in 0..prime {
            if power == wanted {
                return true;
            }
            power = rest_of(power.wrapping_mul(generator), prime);
        }
        false
    })
}

#[expect(clippy::arithmetic_side_effects, reason = "BigUint grows as it must, and no square here is below the modulus")]
fn has_close_primes(modulus: &[u8]) -> bool {
    let n = BigUint::from_bytes_be(modulus);
    let root = n.sqrt();
    let mut candidate = if root.pow(2) == n { root } else { root + 1_u32 };
    let mut rest = candidate.pow(2) - n;
    (0..FERMAT_STEPS).any(|_| {
        let found = is_square(&rest);
        // (a + 1)² - n = (a² - n) + 2a + 1
        rest += &candidate * 2_u32 + 1_u32;
        candidate += 1_u32;
        found
    })
}

#[expect(clippy::arithmetic_side_effects, reason = "the divisors are constants above zero")]
fn is_square(number: &BigUint) -> bool {
    // Squares leave few remainders; the root is taken for the few numbers that pass.
    const SIEVE: [u32; 6] = [9, 5, 7, 11, 13, 17];
    // The lowest byte is at hand; one in six numbers has that of a square.
    let lowest = number.iter_u32_digits().next().unwrap_or(0) & 0xff;
    if !(0..=128_u32).any(|root| root.wrapping_mul(root) & 0xff == lowest) {
        return false;
    }
    let plausible = |divisor: u32| {
        let rest = (number % divisor).iter_u32_digits().next().unwrap_or(0);
        (0..divisor).any(|root| rest_of(root.wrapping_mul(root), divisor) == rest)
    };
    SIEVE.into_iter().all(plausible) && {
        let root = number.sqrt();
        root.pow(2) == *number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remainders_are_those_of_the_large_number() {
        let number: Vec<u8> = (1..=37).collect();
        let big = BigUint::from_bytes_be(&number);
        for divisor in [1, 2, 3, 65_537, u32::MAX] {
            assert_eq!(BigUint::from(remainder(&number, divisor)), &big % divisor);
        }
    }

    #[test]
    fn squares_are_told_from_other_numbers() {
        for n in 0_u32..2000 {
            let root = f64::from(n).sqrt().round();
            assert_eq!(is_square(&BigUint::from(n)), (root * root - f64::from(n)).abs() < 0.5, "{n}");
        }
    }

    #[test]
    fn small_primes_are_all_there() {
        assert_eq!(odd_primes(20).collect::<Vec<_>>(), [3, 5, 7, 11, 13, 17, 19]);
        assert_eq!(odd_primes(SMALL_FACTOR).count(), 132);
    }
}
