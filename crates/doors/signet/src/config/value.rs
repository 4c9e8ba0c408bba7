//! The types of single settings: each reads itself from the file or from an environment variable and writes itself back as
//! TOML, so that check, show and sample cannot drift apart.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use signet_model::log_text;

use super::schema::{Set, Wrong};

/// A value as found, before it has a type.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    /// A TOML string.
    Text(String),
    /// A TOML integer that fits 64 bits.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
    /// The text of an environment variable: takes the type of its key.
    Environment(String),
}

impl Raw {
    /// What was found, in words; never the value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "an array",
            Self::Other(kind) => kind,
            Self::Environment(_) => "a text",
        }
    }

    /// What was found, for the one who wrote it; only for settings that hold no secret.
    fn seen(&self) -> String {
        let text = match self {
            Self::Text(text) => quoted(text),
            Self::Environment(text) => format!("`{text}`"),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
            Self::List(words) => format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ")),
            Self::Other(kind) => (*kind).to_owned(),
        };
        log_text(&text, 120)
    }

    /// The text of a string or of an environment variable.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Environment(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) | Self::List(_) | Self::Other(_) => None,
        }
    }
}

/// The type of a setting.
pub(crate) trait Setting: Sized {
    /// What is wanted, in words.
    const WANTED: &'static str;
    /// An example in TOML, for keys that are unset by default.
    const EXAMPLE: &'static str;
    /// Whether its text may hold a secret: then a wrong value is told by its type alone.
    const SECRET: bool = false;
    /// What is wanted, in words, with the range where it has one.
    fn wanted() -> Cow<'static, str> {
        Cow::Borrowed(Self::WANTED)
    }
    /// Reads it; none when the value is not as wanted.
    fn read(raw: &Raw) -> Option<Self>;
    /// Writes it as TOML; none when unset.
    fn toml(&self) -> Option<String>;
    /// The same for showing to people: secrets are masked.
    fn shown(&self) -> Option<String> {
        self.toml()
    }
}

/// A value that a setting of type `T` does not take, as [`Set::Wrong`].
pub(crate) fn wrong<T: Setting>(raw: &Raw) -> Set {
    let seen = if T::SECRET { raw.kind().to_owned() } else { raw.seen() };
    Set::Wrong(Wrong { wanted: T::wanted(), seen })
}

/// A TOML basic string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl<T: Setting> Setting for Option<T> {
    const WANTED: &'static str = T::WANTED;
    const EXAMPLE: &'static str = T::EXAMPLE;
    const SECRET: bool = T::SECRET;

    fn wanted() -> Cow<'static, str> {
        T::wanted()
    }

    fn read(raw: &Raw) -> Option<Self> {
        T::read(raw).map(Some)
    }

    fn toml(&self) -> Option<String> {
        self.as_ref().and_then(T::toml)
    }

    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(T::shown)
    }
}

/// A text without control characters; not empty.
impl Setting for String {
    const WANTED: &'static str = "a string";
    const EXAMPLE: &'static str = "\"\"";
    const SECRET: bool = true;

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().filter(|t| !t.is_empty() && !t.chars().any(char::is_control)).map(str::to_owned)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Setting for PathBuf {
    const WANTED: &'static str = "a path as a string";
    const EXAMPLE: &'static str = "\"/etc/signet/FILE\"";

    fn read(raw: &Raw) -> Option<Self> {
        raw.text().filter(|t| !t.is_empty() && !t.contains('\0')).map(Self::from)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.to_string_lossy()))
    }
}

impl Setting for bool {
    const WANTED: &'static str = "true or false";
    const EXAMPLE: &'static str = "false";

    fn read(raw: &Raw) -> Option<Self> {
        match raw {
            Raw::Boolean(value) => Some(*value),
            Raw::Environment(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            Raw::Text(_) | Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => None,
        }
    }

    fn toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count<const LOW: u32, const HIGH: u32>(pub(crate) u32);

impl<const LOW: u32, const HIGH: u32> Setting for Count<LOW, HIGH> {
    const WANTED: &'static str = "a whole number within its range";
    const EXAMPLE: &'static str = "1";

    fn wanted() -> Cow<'static, str> {
        Cow::Owned(format!("a whole number from {LOW} to {HIGH}"))
    }

    fn read(raw: &Raw) -> Option<Self> {
        let number = match raw {
            Raw::Integer(number) => u32::try_from(*number).ok()?,
            Raw::Environment(text) => text.parse().ok()?,
            Raw::Text(_) | Raw::Boolean(_) | Raw::List(_) | Raw::Other(_) => return None,
        };
        (LOW..=HIGH).contains(&number).then_some(Self(number))
    }

    fn toml(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// A length of time such as `30s`: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    /// Parses the text form; zero and more than 100 years are refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let unit_millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        const LONGEST: u64 = 86_400_000 * 36_525;
        let millis = number.checked_mul(unit_millis).filter(|m| (1..=LONGEST).contains(m))?;
        Some(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if millis.checked_rem(size) == Some(0) {
                return write!(f, "{}{unit}", millis.checked_div(size).unwrap_or(0));
            }
        }
        write!(f, "{millis}ms")
    }
}

impl Setting for Span {
    const WANTED: &'static str = "a length of time such as \"30s\" (ms, s, m, h, d), from 1ms to 36525d";
    const EXAMPLE: &'static str = "\"30s\"";

    fn read(raw: &Raw) -> Option<Self> {
        Self::parse(raw.text()?)
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

/// A service instance's name: one token of a NATS subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance(pub(crate) String);

impl Setting for Instance {
    const WANTED: &'static str = "a name of letters, digits, `-` and `_`";
    const EXAMPLE: &'static str = "\"ccm\"";

    fn read(raw: &Raw) -> Option<Self> {
        let text = raw.text()?;
        let valid = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        valid.then(|| Self(text.to_owned()))
    }

    fn toml(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_what_they_write() {
        for text in ["1ms", "30s", "5m", "24h", "90d", "1500ms"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()), Some(span));
        }
        for bad in ["", "30", "s", "0s", "1.5s", "-1s", "1w", "99999999999999d", "36526d"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }
}
