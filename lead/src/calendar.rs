//! When is the company at work, and how much working time lies between two moments?
//!
//! Several intervals a day, holidays, any time zone: across a change of the clocks an hour of work is an hour that
//! passed. Zones come from the bundled database, so every machine counts alike.

use crate::time::At;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::time::Duration;

/// A deadline is looked for this many days ahead; a calendar without any hours has none.
const FARTHEST_DAYS: u32 = 3_700;

/// Working hours. Without any interval the company answers around the clock.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    /// Intervals of each day of the week, Monday first, in order, not overlapping.
    week: [Vec<(Time, Time)>; 7],
    /// First and last day of each holiday.
    holidays: Vec<(Date, Date)>,
    always: bool,
}

impl Calendar {
    pub fn always() -> Self {
        Self { zone: TimeZone::UTC, week: Default::default(), holidays: Vec::new(), always: true }
    }

    /// `week` lines read `mon-fri 09:00-13:00 14:00-19:00`; `holidays` read `2027-01-01` or `2027-01-01..2027-01-08`.
    pub fn parse(zone: &str, week: &[String], holidays: &[String]) -> Result<Self, Wrong> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).map_err(|_| Wrong::Zone)?;
        let mut days: [Vec<(Time, Time)>; 7] = Default::default();
        for (index, line) in week.iter().enumerate() {
            let (from, to, intervals) = week_line(line).ok_or(Wrong::Week(index))?;
            for day in &mut days[from..=to] {
                day.extend(&intervals);
            }
        }
        for day in &mut days {
            day.sort_unstable();
            if day.windows(2).any(|pair| pair[1].0 < pair[0].1) {
                return Err(Wrong::Overlap);
            }
        }
        let holidays: Result<Vec<_>, _> =
            holidays.iter().enumerate().map(|(index, text)| holiday(text).ok_or(Wrong::Holiday(index))).collect();
        Ok(Self { zone, always: week.is_empty(), week: days, holidays: holidays? })
    }

    /// The moment at which `work` of working time has passed since `from`.
    pub fn after(&self, from: At, work: Duration) -> At {
        if self.always {
            return from.plus(work);
        }
        let mut left = work;
        for (open, close) in self.intervals(from) {
            let start = open.max(from);
            let there = close.since(start);
            if left <= there {
                return start.plus(left);
            }
            left -= there;
        }
        from.plus(Duration::from_hours(24 * u64::from(FARTHEST_DAYS)))
    }

    /// Working time between two moments.
    pub fn between(&self, from: At, to: At) -> Duration {
        if self.always {
            return to.since(from);
        }
        self.intervals(from)
            .take_while(|(open, _)| *open < to)
            .map(|(open, close)| close.min(to).since(open.max(from)))
            .sum()
    }

    /// The midnight that ends a day (`2027-12-31`) where the company is.
    pub fn end_of(&self, day: &str) -> Option<At> {
        let next = day.parse::<Date>().ok()?.tomorrow().ok()?;
        Some(self.instant(next.at(0, 0, 0, 0)))
    }

    pub fn is_open(&self, at: At) -> bool {
        self.always || self.intervals(at).next().is_some_and(|(open, _)| open <= at)
    }

    /// Working intervals that end after `from`, in order.
    fn intervals(&self, from: At) -> impl Iterator<Item = (At, At)> + '_ {
        let first = self.date_of(from);
        let days = (0..FARTHEST_DAYS).map_while(move |day| first.checked_add(i64::from(day).days()).ok());
        days.flat_map(move |date| self.of_day(date)).filter(move |(_, close)| *close > from)
    }

    fn of_day(&self, date: Date) -> impl Iterator<Item = (At, At)> + '_ {
        let holiday = self.holidays.iter().any(|(first, last)| *first <= date && date <= *last);
        let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
        let hours = if holiday { &[][..] } else { &self.week[weekday][..] };
        hours.iter().map(move |(open, close)| {
            // 24:00 is the midnight that begins the next day.
            let ends_next_day = *close == Time::MAX;
            let closing =
                if ends_next_day { date.tomorrow().unwrap_or(date).at(0, 0, 0, 0) } else { date.to_datetime(*close) };
            (self.instant(date.to_datetime(*open)), self.instant(closing))
        })
    }

    fn instant(&self, local: jiff::civil::DateTime) -> At {
        let stamp = self.zone.to_ambiguous_timestamp(local).compatible().unwrap_or(Timestamp::MAX);
        At::from_millis(stamp.as_millisecond())
    }

    fn date_of(&self, at: At) -> Date {
        let stamp = Timestamp::from_millisecond(at.millis()).unwrap_or(Timestamp::MAX - SignedDuration::from_hours(48));
        self.zone.to_datetime(stamp).date()
    }
}

/// What cannot be read in a calendar.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    Zone,
    Week(usize),
    Holiday(usize),
    Overlap,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn week_line(line: &str) -> Option<(usize, usize, Vec<(Time, Time)>)> {
    let mut words = line.split_whitespace();
    let days = words.next()?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let day = |name: &str| DAYS.iter().position(|known| *known == name.to_ascii_lowercase());
    let (first, last) = (day(first)?, day(last)?);
    let intervals: Option<Vec<_>> = words.map(interval).collect();
    let intervals = intervals.filter(|all| !all.is_empty())?;
    (first <= last).then_some((first, last, intervals))
}

fn interval(text: &str) -> Option<(Time, Time)> {
    let (open, close) = text.split_once('-')?;
    let (open, close) = (clock(open)?, if close == "24:00" { Time::MAX } else { clock(close)? });
    (open < close).then_some((open, close))
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn holiday(text: &str) -> Option<(Date, Date)> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last): (Date, Date) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(all: &[&str]) -> Vec<String> {
        all.iter().map(|line| (*line).to_owned()).collect()
    }

    fn moscow() -> Calendar {
        let week = lines(&["mon-fri 09:00-13:00 14:00-19:00", "sat 10:00-16:00"]);
        Calendar::parse("Europe/Moscow", &week, &lines(&["2027-01-01..2027-01-08"])).unwrap()
    }

    fn at(text: &str) -> At {
        At::parse(text).unwrap()
    }

    const QUARTER: Duration = Duration::from_secs(900);

    #[test]
    fn a_deadline_skips_lunch_night_weekend_and_holidays() {
        let calendar = moscow();
        for (from, due) in [
            ("2026-11-23T10:00:00+03:00", "2026-11-23T10:15:00+03:00"),
            ("2026-11-23T12:50:00+03:00", "2026-11-23T14:05:00+03:00"),
            ("2026-11-23T18:55:00+03:00", "2026-11-24T09:10:00+03:00"),
            ("2026-11-21T15:50:00+03:00", "2026-11-23T09:05:00+03:00"),
            ("2026-11-22T03:00:00+03:00", "2026-11-23T09:15:00+03:00"),
            ("2026-12-31T18:50:00+03:00", "2027-01-09T10:05:00+03:00"),
        ] {
            assert_eq!(calendar.after(at(from), QUARTER), at(due), "{from}");
        }
    }

    #[test]
    fn working_time_between_two_moments_is_counted_once() {
        let calendar = moscow();
        let span = |from, to| calendar.between(at(from), at(to)).as_secs();
        assert_eq!(span("2026-11-23T12:00:00+03:00", "2026-11-23T15:00:00+03:00"), 2 * 3600);
        assert_eq!(span("2026-11-20T18:00:00+03:00", "2026-11-23T10:00:00+03:00"), (1 + 6 + 1) * 3600);
        assert_eq!(span("2026-11-23T15:00:00+03:00", "2026-11-23T12:00:00+03:00"), 0);
    }

    #[test]
    fn the_end_of_the_working_time_is_the_deadline_not_the_next_morning() {
        assert_eq!(moscow().after(at("2026-11-23T18:45:00+03:00"), QUARTER), at("2026-11-23T19:00:00+03:00"));
    }

    #[test]
    fn an_hour_across_a_change_of_the_clocks_is_an_hour() {
        let night = Calendar::parse("America/New_York", &lines(&["mon-sun 00:00-24:00"]), &[]).unwrap();
        let hour = Duration::from_hours(1);
        for from in ["2026-11-01T01:30:00-04:00", "2026-03-08T01:30:00-05:00"] {
            assert_eq!(night.after(at(from), hour), at(from).plus(hour), "{from}");
        }
        let day = night.between(at("2026-11-01T00:00:00-04:00"), at("2026-11-02T00:00:00-05:00"));
        assert_eq!(day, Duration::from_hours(25));
    }

    #[test]
    fn without_hours_the_company_never_closes() {
        let calendar = Calendar::parse("Europe/Moscow", &[], &[]).unwrap();
        assert!(calendar.is_open(at("2026-11-22T03:00:00Z")));
        assert_eq!(calendar.after(at("2026-11-22T03:00:00Z"), QUARTER), at("2026-11-22T03:15:00Z"));
        assert!(!moscow().is_open(at("2026-11-22T03:00:00Z")));
        assert!(moscow().is_open(at("2026-11-23T09:00:00Z")));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let parse =
            |zone: &str, week: &[&str], holidays: &[&str]| Calendar::parse(zone, &lines(week), &lines(holidays)).err();
        assert_eq!(parse("Europe/Moskva", &[], &[]), Some(Wrong::Zone));
        for bad in
            ["mon", "mon 9:00-18:00", "fri-mon 09:00-18:00", "mon 18:00-09:00", "day 09:00-18:00", "mon 09:00-25:00"]
        {
            assert_eq!(parse("UTC", &["mon 09:00-10:00", bad], &[]), Some(Wrong::Week(1)), "{bad}");
        }
        assert_eq!(parse("UTC", &["mon 09:00-13:00", "mon-tue 12:00-18:00"], &[]), Some(Wrong::Overlap));
        assert_eq!(parse("UTC", &[], &["2027-01-08..2027-01-01"]), Some(Wrong::Holiday(0)));
    }

    #[test]
    fn a_calendar_of_holidays_only_still_answers() {
        let closed = Calendar::parse("UTC", &lines(&["mon 09:00-09:01"]), &lines(&["2026-01-01..2099-01-01"])).unwrap();
        let from = at("2026-11-23T10:00:00Z");
        assert!(closed.after(from, QUARTER) > from);
    }
}
