//! Does any reader panic, hang or break its promise over what was kept, and over what becomes of it by chance? Chance
//! comes from a seed that a failure names. `tests/fuzz/run` looks longer and more cleverly.

use fuzz::{names, seeds, target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Bytes may be slow to read only if there are many; this is a hundred times what any take.
const SLOW: Duration = Duration::from_secs(2);
const ROUNDS: u64 = 150;
const FIRST: u64 = 20_261_122;

/// SplitMix64: all that is needed here.
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
        usize::try_from(self.next() % (most.max(1) as u64)).expect("it is less than a usize")
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

fn change(dice: &mut Dice, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let (at, to) = (dice.below(bytes.len() + 1), dice.below(bytes.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(from..to.min(from + 8), PIECES[dice.below(PIECES.len())].iter().copied())),
            2 => drop(bytes.splice(at..at, bytes[from..to].to_vec())),
            3 => drop(bytes.drain(from..to)),
            4 => {
                let start = dice.below(other.len() + 1);
                drop(bytes.splice(at..at, other[start..].iter().take(64).copied()));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

/// Of requests mostly the body: a change of the head is most often only another head that nobody reads.
fn changed(dice: &mut Dice, one: &[u8], other: &[u8]) -> Vec<u8> {
    let head = one.windows(2).position(|pair| pair == b"\n\n").map_or(0, |end| end + 2);
    if head == 0 || dice.below(4) == 0 {
        return change(dice, one, other);
    }
    [&one[..head], &change(dice, &one[head..], other)].concat()
}

/// Every target over its seeds as they are, and then for some rounds over what chance makes of them.
#[test]
fn whatever_comes_is_read_or_refused() {
    for name in names() {
        let (target, seeds) = (target(name).expect("every name has its target"), seeds(name));
        assert!(!seeds.is_empty(), "{name} begins with nothing");
        let play = |what: &str, bytes: &[u8]| {
            let begun = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| target.play(bytes)));
            assert!(outcome.is_ok(), "{name} fails over {what}: {:?}", String::from_utf8_lossy(bytes));
            assert!(begun.elapsed() < SLOW, "{name} is slow over {what}");
        };
        seeds.iter().for_each(|(what, bytes)| play(what, bytes));
        for seed in FIRST..FIRST + ROUNDS {
            let mut dice = Dice(seed);
            let (one, other) = (&seeds[dice.below(seeds.len())].1, &seeds[dice.below(seeds.len())].1);
            play(&format!("seed {seed}"), &changed(&mut dice, one, other));
        }
    }
}
