//! UTCTime and GeneralizedTime (RFC 5280 section 4.1.2.5): written in the one form that is allowed, read with the fault by name.

use signet_model::Timestamp;

use crate::PkiError;
use crate::tlv::{self, Element, Writer};

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;
/// 0000-03-01, from which days are counted in eras of 400 years, to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
const ERA_DAYS: i64 = 146_097;

/// What is wrong with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeFault {
    #[error("it has a fraction of a second")]
    Fraction,
    #[error("it has no seconds")]
    NoSeconds,
    #[error("it has an offset from UTC instead of Z")]
    Offset,
    #[error("it is no date and time")]
    Damaged,
}

/// Adds a time in whole seconds: UTCTime up to 2049, GeneralizedTime from 2050.
pub(crate) fn write(writer: &mut Writer, at: Timestamp) -> Result<(), PkiError> {
    let (year, text) = text(at)?;
    match text.get(2..) {
        Some(short) if year < 2050 => writer.element(tlv::UTC_TIME, short),
        _ => writer.element(tlv::GENERALIZED_TIME, &text),
    }
    Ok(())
}

/// Adds a GeneralizedTime in whole seconds whatever the year, as OCSP has it (RFC 6960 section 4.2.2.1).
pub(crate) fn write_generalized(writer: &mut Writer, at: Timestamp) -> Result<(), PkiError> {
    writer.element(tlv::GENERALIZED_TIME, &text(at)?.1);
    Ok(())
}

/// A time as people read it, to the second; unlike a [`Timestamp`]'s own text also at the end of the year 9999.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let Ok((_, text)) = text(at) else { return at.to_string() };
    let digits = String::from_utf8_lossy(&text);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (date, clock) = ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(8, 10), part(10, 12), part(12, 14)].join(":"));
    format!("{date}T{clock}Z")
}

/// The year, and all as `YYYYMMDDHHMMSSZ`.
fn text(at: Timestamp) -> Result<(i64, [u8; 15]), PkiError> {
    let seconds = at.micros().div_euclid(MICROS);
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    if !(1950..=9999).contains(&year) {
        return Err(PkiError::encode(format!("the year {year} does not fit into a certificate")));
    }
    let clock = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (clock.div_euclid(3600), clock.rem_euclid(3600).div_euclid(60), clock.rem_euclid(60));
    let digit = |value: i64| u8::try_from(value.rem_euclid(10)).unwrap_or(0) | b'0';
    let pairs = [year.div_euclid(100), year.rem_euclid(100), month, day, hour, minute, second].map(|n| [digit(n.div_euclid(10)), digit(n)]);
    let mut text = [b'Z'; 15];
    for (to, from) in text.iter_mut().zip(pairs.as_flattened()) {
        *to = *from;
    }
    Ok((year, text))
}

/// Reads a time of either form.
pub(crate) fn read(element: &Element<'_>) -> Result<Timestamp, TimeFault> {
    let year_digits = match element.tag {
        tlv::UTC_TIME => 2,
        tlv::GENERALIZED_TIME => 4,
        _ => return Err(TimeFault::Damaged),
    };
    let digits = element.body.iter().take_while(|b| b.is_ascii_digit()).count();
    let (date, rest) = element.body.split_at_checked(digits).unwrap_or_default();
    match rest {
        [b'.' | b',', ..] => return Err(TimeFault::Fraction),
        [b'+' | b'-', ..] => return Err(TimeFault::Offset),
        [b'Z'] => {}
        // A local time: without its zone it is no time at all.
        _ => return Err(TimeFault::Damaged),
    }
    if digits.checked_sub(year_digits) == Some(8) {
        return Err(TimeFault::NoSeconds);
    }
    if digits.checked_sub(year_digits) != Some(10) {
        return Err(TimeFault::Damaged);
    }
    let number = |from: usize, length: usize| {
        let digits = date.get(from..from.saturating_add(length)).unwrap_or_default();
        digits.iter().fold(0_i64, |n, digit| n.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0'))))
    };
    let part = |n: usize| number(year_digits.saturating_add(n << 1), 2);
    let year = match (year_digits, number(0, year_digits)) {
        (2, short @ 0..50) => short.wrapping_add(2000),
        (2, short) => short.wrapping_add(1900),
        (_, year) => year,
    };
    let (month, day, hour, minute, second) = (part(0), part(1), part(2), part(3), part(4));
    let days = days_of(year, month, day);
    // A date that does not exist becomes another one.
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return Err(TimeFault::Damaged);
    }
    let clock = hour.wrapping_mul(3600).wrapping_add(minute.wrapping_mul(60)).wrapping_add(second);
    Ok(Timestamp::from_micros(days.wrapping_mul(DAY).wrapping_add(clock).wrapping_mul(MICROS)))
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar. Nothing overflows for the times of
/// a [`Timestamp`].
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.wrapping_add(EPOCH_DAYS);
    let (era, of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    // Leap days of 4, 100 and 400 years are taken out before dividing by 365.
    let leap_days = of_era.div_euclid(1460).wrapping_sub(of_era.div_euclid(36_524)).wrapping_add(of_era.div_euclid(146_096));
    let year_of_era = of_era.wrapping_sub(leap_days).div_euclid(365);
    let before = year_of_era.wrapping_mul(365).wrapping_add(year_of_era.div_euclid(4)).wrapping_sub(year_of_era.div_euclid(100));
    let of_year = of_era.wrapping_sub(before);
    // Months from March: 153 days in each five.
    let month_from_march = of_year.wrapping_mul(5).wrapping_add(2).div_euclid(153);
    let day = of_year.wrapping_sub(month_from_march.wrapping_mul(153).wrapping_add(2).div_euclid(5)).wrapping_add(1);
    let month = if month_from_march < 10 { month_from_march.wrapping_add(3) } else { month_from_march.wrapping_sub(9) };
    let year = year_of_era.wrapping_add(era.wrapping_mul(400)).wrapping_add(i64::from(month <= 2));
    (year, month, day)
}

/// Days since 1970-01-01.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year.wrapping_sub(1) } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let month_from_march = if month > 2 { month.wrapping_sub(3) } else { month.wrapping_add(9) };
    let of_year = month_from_march.wrapping_mul(153).wrapping_add(2).div_euclid(5).wrapping_add(day).wrapping_sub(1);
    let before = year_of_era.wrapping_mul(365).wrapping_add(year_of_era.div_euclid(4)).wrapping_sub(year_of_era.div_euclid(100));
    era.wrapping_mul(ERA_DAYS).wrapping_add(before).wrapping_add(of_year).wrapping_sub(EPOCH_DAYS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tlv::Reader;

    fn written(text: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        write(&mut writer, text.parse().unwrap()).unwrap();
        writer.finish()
    }

    fn read_text(tag: u8, text: &str) -> Result<String, TimeFault> {
        read(&Element { tag, raw: &[], body: text.as_bytes() }).map(|at| at.to_string())
    }

    #[test]
    fn times_change_form_with_the_year_2050() {
        assert_eq!(written("2049-12-31T23:59:59.900000Z"), b"\x17\x0d491231235959Z");
        assert_eq!(written("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
        assert_eq!(written("1950-01-01T00:00:00Z"), b"\x17\x0d500101000000Z");
        assert!(write(&mut Writer::default(), "1949-12-31T23:59:59Z".parse().unwrap()).is_err());
        assert!(write(&mut Writer::default(), Timestamp::from_micros(i64::MAX)).is_err());
    }

    #[test]
    fn times_are_shown_to_the_second_up_to_the_end_of_the_year_9999() {
        let last = read(&Element { tag: tlv::GENERALIZED_TIME, raw: &[], body: b"99991231235959Z" }).unwrap();
        assert_eq!(rfc3339(last), "9999-12-31T23:59:59Z");
        assert_eq!(rfc3339(Timestamp::EPOCH), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn each_fault_has_its_name() {
        let (utc, generalized) = (tlv::UTC_TIME, tlv::GENERALIZED_TIME);
        assert_eq!(read_text(utc, "260101000000Z").unwrap(), "2026-01-01T00:00:00.000000Z");
        assert_eq!(read_text(utc, "500101000000Z").unwrap(), "1950-01-01T00:00:00.000000Z");
        assert_eq!(read_text(generalized, "20240229120000Z").unwrap(), "2024-02-29T12:00:00.000000Z");
        assert!(read_text(generalized, "99991231235959Z").is_ok(), "the year 9999 does not overflow");
        for (tag, text, fault) in [
            (generalized, "20260101000000.5Z", TimeFault::Fraction),
            (generalized, "20260101000000,5Z", TimeFault::Fraction),
            (utc, "2601010000Z", TimeFault::NoSeconds),
            (utc, "260101000000+0100", TimeFault::Offset),
            (utc, "2601010000-0100", TimeFault::Offset),
            (utc, "260101000000", TimeFault::Damaged),
            (utc, "20260101000000Z", TimeFault::Damaged),
            (utc, "260230000000Z", TimeFault::Damaged),
            (utc, "261301000000Z", TimeFault::Damaged),
            (utc, "260101240000Z", TimeFault::Damaged),
            (utc, "260101006000Z", TimeFault::Damaged),
            (utc, "260101000060Z", TimeFault::Damaged),
            (utc, "", TimeFault::Damaged),
            (generalized, "00000000000000Z", TimeFault::Damaged),
            (tlv::OCTET_STRING, "260101000000Z", TimeFault::Damaged),
        ] {
            assert_eq!(read_text(tag, text), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in -631_152_000_i64..253_402_300_800) {
            let at = Timestamp::from_micros(seconds * MICROS);
            let mut writer = Writer::default();
            write(&mut writer, at).unwrap();
            let der = writer.finish();
            prop_assert_eq!(read(&Reader::new(&der).any().unwrap()), Ok(at));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..24), tag in prop::sample::select(vec![0x17_u8, 0x18])) {
            let _ = read(&Element { tag, raw: &[], body: &body });
        }
    }
}
