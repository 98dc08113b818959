//! Does any source panic, hang or make a command of what nobody would send? Recorded requests are changed at random,
//! from a seed that a failure names.
//!
//! `LEADGATE_FUZZ_SECONDS=600 cargo test --release -p gateway --test sources fuzz` goes on for so long a source, from
//! another seed each time.

use crate::fixtures;
use crate::support::{channel, recorded};
use bytes::Bytes;
use gateway::channel::Channel;
use gateway::sources::{Request, SOURCES, Source, explain};
use http::{HeaderName, HeaderValue};
use lead::entry::Signal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A request may be slow to read only if it is large; this is a hundred times what any takes.
const SLOW: Duration = Duration::from_secs(2);
const ROUNDS: u64 = 150;

/// SplitMix64: all a fuzzer needs.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % (most.max(1) as u64)).unwrap()
    }
}

/// What breaks readers: ends of numbers, of texts and of nesting.
const PIECES: [&[u8]; 24] = [
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"=",
    b"&",
    b"%",
    b"%ff",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff\xfe",
    "\u{202e}Я😀".as_bytes(),
    b"-1",
    b"9223372036854775808",
    b"1e400",
    b"null",
    b"\r\n\r\n",
    b"--",
    b"{{7*7}}",
];

fn change(dice: &mut Dice, body: &[u8], other: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=dice.below(4) {
        let (at, to) = (dice.below(body.len() + 1), dice.below(body.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match dice.below(6) {
            0 => body.truncate(at),
            1 => drop(body.splice(from..to.min(from + 8), PIECES[dice.below(PIECES.len())].iter().copied())),
            2 => drop(body.splice(at..at, body[from..to].to_vec())),
            3 => drop(body.drain(from..to)),
            4 => {
                let start = dice.below(other.len() + 1);
                drop(body.splice(at..at, other[start..].iter().take(64).copied()));
            }
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
        body.truncate(64 * 1024);
    }
    body
}

fn changed(dice: &mut Dice, seeds: &[Request]) -> Request {
    let (one, other) = (&seeds[dice.below(seeds.len())], &seeds[dice.below(seeds.len())]);
    let mut request = Request {
        method: one.method.clone(),
        url: one.url.clone(),
        rest: one.rest.clone(),
        query: one.query.clone(),
        headers: one.headers.clone(),
        body: Bytes::from(change(dice, &one.body, &other.body)),
        documents: one.documents.clone(),
        received_at: one.received_at,
    };
    if dice.below(4) == 0 {
        request.query =
            String::from_utf8_lossy(&change(dice, one.query.as_bytes(), other.query.as_bytes())).into_owned();
    }
    if dice.below(4) == 0 {
        let names: Vec<HeaderName> = request.headers.keys().cloned().collect();
        if let Some(name) = names.get(dice.below(names.len())) {
            let value = change(dice, request.headers[name].as_bytes(), b"");
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers.insert(name, value);
            }
        }
    }
    request
}

fn play(source: &Source, channel: &Channel, request: &Request) {
    let _ = (source.verify)(request, channel);
    let _ = (source.answer)(request, channel, None);
    if let Ok(reading) = (source.read)(request, channel) {
        assert!(reading.signals.iter().all(|read| !matches!(read.signal, Signal::Command(_) | Signal::Feedback(_))));
        explain::trace(explain::fields(request), &reading.signals);
    }
}

/// Each source for some rounds, or for as long as the variable says.
#[test]
fn whatever_comes_is_read_or_refused() {
    let long = std::env::var("LEADGATE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let first = if long.is_some() { rand::random() } else { 20_261_122 };
    for source in SOURCES.iter().copied() {
        let seeds: Vec<Request> = fixtures::names(source.name).iter().map(|name| recorded(source.name, name)).collect();
        let (channel, begun) = (channel(source.name), Instant::now());
        for round in 0.. {
            if long.map_or(round >= ROUNDS, |long| begun.elapsed() >= long) {
                break;
            }
            let seed = first + round;
            let request = changed(&mut Dice(seed), &seeds);
            let one = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| play(source, &channel, &request)));
            let name = source.name;
            assert!(outcome.is_ok(), "{name} panics at seed {seed}: {:?}", String::from_utf8_lossy(&request.body));
            assert!(one.elapsed() < SLOW, "{name} is slow at seed {seed}");
        }
    }
}
