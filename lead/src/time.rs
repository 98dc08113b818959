//! What is a moment? Milliseconds of UTC since 1970, as an argument: nothing in this crate asks a clock.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A moment in UTC. Serialises as a number in state and as RFC 3339 text in JSON.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct At(i64);

impl At {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since 1970; a number too large to be a moment is clamped to year 9999.
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.clamp(0, MAX_SECS) * 1000)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, the only form our own interfaces take.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(parsed.timestamp_millis()))
    }

    /// Reads `2026-11-21 13:00:00` as the clock of a zone like `Europe/Moscow` shows it: for providers that do not say
    /// which zone they mean. An hour that comes twice is the first.
    pub fn local(text: &str, zone: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).ok()?;
        let clock: jiff::civil::DateTime = text.trim().parse().ok()?;
        let stamp = zone.to_ambiguous_timestamp(clock).compatible().ok()?;
        Some(Self(stamp.as_millisecond()))
    }

    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time since `earlier`; zero when `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// 9999-12-31T23:59:59Z, the last moment RFC 3339 can write.
const MAX_SECS: i64 = 253_402_300_799;

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clamped = self.0.clamp(0, MAX_SECS * 1000);
        let utc = DateTime::<Utc>::from_timestamp_millis(clamped).unwrap_or_default();
        f.write_str(&utc.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 time"))
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_in_utc() {
        let at = At::parse("2026-11-21T23:15:00+03:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-21T20:15:00.000Z");
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-11-21T20:15:00.000Z\"");
    }

    #[test]
    fn a_clock_without_a_zone_is_read_in_the_one_that_is_told() {
        let utc = |text, zone| At::local(text, zone).map(|at| at.to_string());
        assert_eq!(utc("2026-11-21 13:00:00", "Europe/Moscow").as_deref(), Some("2026-11-21T10:00:00.000Z"));
        assert_eq!(utc(" 2026-07-01 13:00:00 ", "Europe/Berlin").as_deref(), Some("2026-07-01T11:00:00.000Z"));
        assert_eq!(utc("2026-10-25 02:30:00", "Europe/Berlin").as_deref(), Some("2026-10-25T00:30:00.000Z"));
        for (text, zone) in [("2026-11-21 13:00:00", "Moscow"), ("21.11.2026 13:00", "UTC"), ("", "UTC"), ("NaN", "")] {
            assert_eq!(utc(text, zone), None, "{text} {zone}");
        }
    }

    #[test]
    fn a_span_between_moments_is_never_below_zero() {
        let early = At::from_secs(10);
        assert_eq!(early.since(At::from_secs(20)), Duration::ZERO);
        assert_eq!(At::from_secs(20).since(early), Duration::from_secs(10));
    }

    #[test]
    fn a_wild_number_of_seconds_is_clamped() {
        assert_eq!(At::from_secs(i64::MAX).to_string(), "9999-12-31T23:59:59.000Z");
    }
}
