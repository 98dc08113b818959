//! What does a file of exclusions say? Columns match, reason, expires; every wrong line is found, none is skipped.

use lead::identity::Matcher;
use lead::phone::Region;
use lead::time::At;
use serde::Serialize;

/// One line to exclude.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) r#match: String,
    pub(crate) reason: String,
    #[serde(flatten)]
    pub(crate) until: Option<Until>,
}

/// How long a line holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Until {
    /// The last day; only the desk knows when it ends, because it knows where the company is.
    #[serde(rename = "expires")]
    Day(String),
    #[serde(rename = "expires_at")]
    Moment(At),
}

/// A file read to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) lines: Vec<Line>,
    /// Where each line stood in the file.
    pub(crate) places: Vec<usize>,
    pub(crate) wrong: Vec<(usize, String)>,
}

/// Which column holds what.
#[derive(Copy, Clone, Debug)]
struct Columns {
    r#match: usize,
    reason: Option<usize>,
    expires: Option<usize>,
}

const USUAL: Columns = Columns { r#match: 0, reason: Some(1), expires: Some(2) };

/// Reads all of it; `step` hears how many bytes are behind.
pub(crate) fn read(bytes: &[u8], mut step: impl FnMut(u64)) -> Read {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(bytes))
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let (mut read, mut columns, mut record) = (Read::default(), USUAL, csv::ByteRecord::new());
    let (mut first, mut counter) = (true, Counter::default());
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => return read,
            // Over bytes in memory the reader has nothing to fail at.
            Err(error) => {
                read.wrong.push((0, format!("the file cannot be read: {error}")));
                return read;
            }
            Ok(true) => {}
        }
        step(reader.position().byte());
        let place = counter.line_of(bytes, &record);
        let header = if std::mem::take(&mut first) { header(&record) } else { None };
        match header {
            Some(named) => columns = named,
            None => match line(&record, columns) {
                Ok(line) => {
                    read.lines.push(line);
                    read.places.push(place);
                }
                Err(why) => read.wrong.push((place, why)),
            },
        }
    }
}

/// Counts lines as an editor does. The reader's own count begins a record before the empty lines in front of it.
#[derive(Debug, Default)]
struct Counter {
    behind: usize,
    breaks: usize,
}

impl Counter {
    fn line_of(&mut self, bytes: &[u8], record: &csv::ByteRecord) -> usize {
        let begin = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let empty = bytes.iter().skip(begin).take_while(|byte| blank(byte)).count();
        let start = (begin + empty).clamp(self.behind, bytes.len());
        self.breaks += bytes[self.behind..start].iter().filter(|byte| **byte == b'\n').count();
        self.behind = start;
        self.breaks + 1
    }
}

/// Some spreadsheets write semicolons.
fn delimiter(bytes: &[u8]) -> u8 {
    let first = bytes.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    if !first.contains(&b',') && first.contains(&b';') { b';' } else { b',' }
}

/// The columns as the first line names them, if that is what it does.
fn header(record: &csv::ByteRecord) -> Option<Columns> {
    let place = |name: &str| record.iter().position(|field| field.eq_ignore_ascii_case(name.as_bytes()));
    let expires = place("expires").or_else(|| place("expires_at"));
    Some(Columns { r#match: place("match")?, reason: place("reason"), expires })
}

fn line(record: &csv::ByteRecord, columns: Columns) -> Result<Line, String> {
    let field = |column: Option<usize>| {
        let bytes = column.and_then(|column| record.get(column)).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| "this is not UTF-8 text; save the file as UTF-8".to_owned())
    };
    let matcher = field(Some(columns.r#match))?;
    checked(matcher)?;
    let reason = field(columns.reason)?;
    if reason.is_empty() {
        return Err("the reason is missing; whoever wonders later needs it".to_owned());
    }
    let expires = field(columns.expires)?;
    let until = if expires.is_empty() { None } else { Some(until(expires)?) };
    Ok(Line { r#match: matcher.to_owned(), reason: reason.to_owned(), until })
}

/// What is wrong in any country; the desk checks phones by the workspace's own.
fn checked(matcher: &str) -> Result<(), String> {
    if matcher.split_once(':').is_some_and(|(kind, number)| kind.trim() == "phone" && !number.trim().is_empty()) {
        return Ok(());
    }
    Matcher::parse(matcher, Region::RU).map(drop).map_err(str::to_owned)
}

/// A day or a moment.
pub(crate) fn until(text: &str) -> Result<Until, String> {
    let is_day = text.len() == 10 && At::parse(&format!("{text}T00:00:00Z")).is_some();
    let until = if is_day { Some(Until::Day(text.to_owned())) } else { At::parse(text).map(Until::Moment) };
    until.ok_or_else(|| "expected a last day like 2027-12-31, or a moment like 2027-12-31T18:00:00+03:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> String {
        let read = read(text, |_| {});
        let lines = read.lines.iter().zip(&read.places).map(|(line, place)| {
            let until = match &line.until {
                None => String::new(),
                Some(Until::Day(day)) => format!(" to the end of {day}"),
                Some(Until::Moment(at)) => format!(" until {at}"),
            };
            format!("{place}: {} because {}{until}", line.r#match, line.reason)
        });
        let wrong = read.wrong.iter().map(|(place, why)| format!("{place}! {why}"));
        lines.chain(wrong).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_file_reads_alike_with_and_without_a_header_from_any_spreadsheet() {
        let day = "phone:8 (495) 000-00-00 because supplier, timber to the end of 2027-12-31";
        let moment = "phone:8 (495) 000-00-00 because supplier, timber until 2028-01-01T00:00:00.000Z";
        for (text, place, expected) in [
            ("phone:8 (495) 000-00-00,\"supplier, timber\",2027-12-31\n", 1, day),
            ("match,reason,expires\r\nphone:8 (495) 000-00-00,\"supplier, timber\",2027-12-31\r\n", 2, day),
            ("\u{feff}Match;Reason;Expires\nphone:8 (495) 000-00-00;supplier, timber;2027-12-31", 2, day),
            (
                "reason,expires,match\n\n\"supplier, timber\",2028-01-01T03:00:00+03:00,phone:8 (495) 000-00-00\n",
                3,
                moment,
            ),
        ] {
            assert_eq!(told(text.as_bytes()), format!("{place}: {expected}"), "{text}");
        }
    }

    #[test]
    fn every_wrong_line_is_told_with_its_number() {
        let text = b"domain:a.b,ok\n\
            supplier.example,no kind\n\
            email:nobody,broken\n\
            prefix:800,no plus\n\
            domain:c.d\n\
            domain:e.f,reason,tomorrow\n\
            domain:g.h,\xff\n\
            \"domain:i.j\",\"two\nlines\"\n\
            handle:telegram,half\n";
        insta::assert_snapshot!(told(text), @r"
        1: domain:a.b because ok
        8: domain:i.j because two
        lines
        2! expected `phone:`, `email:`, `domain:`, `prefix:` or `handle:` and a value
        3! this is not a mail address
        4! expected `prefix:+` and 1 to 14 digits
        5! the reason is missing; whoever wonders later needs it
        6! expected a last day like 2027-12-31, or a moment like 2027-12-31T18:00:00+03:00
        7! this is not UTF-8 text; save the file as UTF-8
        10! expected `handle:network:id`
        ");
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        for text in ["", "\n\n", "match,reason,expires\n"] {
            assert_eq!(read(text.as_bytes(), |_| {}), Read::default(), "{text:?}");
        }
    }
}
