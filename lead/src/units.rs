//! How do people write durations, sizes and rates? With a unit, always: `"15m"`, `"1MiB"`, `"20/s burst 100"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A duration with a unit: `ms`, `s`, `m`, `h`, `d`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes with a unit: `B`, `KiB`, `MiB`, `GiB`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A steady rate with room for a burst: `20/s burst 100`, `600/m`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many are allowed in each period.
    pub count: u32,
    pub period: Duration,
    pub burst: u32,
}

const SPANS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Span {
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let (_, factor) = SPANS.iter().find(|(name, _)| *name == unit)?;
        Some(Self(Duration::from_millis(number.checked_mul(*factor)?)))
    }
}

impl Size {
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*factor).map(Self)
    }

    /// As an in-memory length; a size beyond the address space is the largest length.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Rate {
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (count, unit) = words.next()?.split_once('/')?;
        let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
        let period = Span::parse(&format!("1{unit}"))?.0;
        let burst = match (words.next(), words.next(), words.next()) {
            (None, ..) => count,
            (Some("burst"), Some(number), None) => number.parse().ok().filter(|burst| *burst > 0)?,
            _ => return None,
        };
        Some(Self { count, period, burst })
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = SPANS.iter().rev().find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
        let (unit, factor) = whole.unwrap_or(&SPANS[0]);
        write!(f, "{}{unit}", millis / factor)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        let (unit, factor) = whole.unwrap_or(&SIZES[3]);
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = Span(self.period).to_string();
        write!(f, "{}/{} burst {}", self.count, period.trim_start_matches('1'), self.burst)
    }
}

/// Text in, text out, with the expected form in the error.
macro_rules! as_text {
    ($type:ty, $expected:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not {}", $expected)))
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}
as_text!(Span, "a duration like \"90s\", \"15m\", \"24h\" or \"7d\"");
as_text!(Size, "a size like \"64KiB\" or \"25MiB\"");
as_text!(Rate, "a rate like \"20/s burst 100\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_with_their_unit() {
        for text in ["250ms", "90s", "15m", "24h", "7d"] {
            let span = Span::parse(text).unwrap();
            assert_eq!(Span::parse(&span.to_string()), Some(span), "{text}");
        }
        assert_eq!(Span::parse("2m").unwrap().0, Duration::from_secs(120));
        assert_eq!(Span(Duration::from_secs(120)).to_string(), "2m");
    }

    #[test]
    fn a_number_without_a_unit_is_refused() {
        for text in ["30", "", "m", "-5m", "1.5h", "15 minutes", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        assert_eq!(Size::parse("1024"), None);
    }

    #[test]
    fn sizes_and_rates_read() {
        assert_eq!(Size::parse("256KiB"), Some(Size(262_144)));
        assert_eq!(Size(26_214_400).to_string(), "25MiB");
        let rate = Rate::parse("20/s burst 100").unwrap();
        assert_eq!((rate.count, rate.period, rate.burst), (20, Duration::from_secs(1), 100));
        assert_eq!(rate.to_string(), "20/s burst 100");
        assert_eq!(Rate::parse("600/m").unwrap().burst, 600);
        for text in ["0/s", "20", "20/s burst", "20/s burst 0", "20/fortnight", "20/s burst 5 6"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
