//! Which bytes break a promise of the target that `LEADGATE_FUZZ_TARGET` names? libFuzzer looks for them; a panic, more
//! than a second of processor time, or more memory than any reader needs is what it reports.
//!
//! With `LEADGATE_FUZZ_SEEDS` it writes the target's seeds to that folder instead.

#![no_main]

mod memory;

use fuzz::{LONGEST, Target};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

thread_local! {
    static TARGET: OnceCell<Target> = const { OnceCell::new() };
}

/// Processor time for one input.
const SLOW: Duration = Duration::from_secs(1);

fuzz_target!(init: begin(), |bytes: &[u8]| {
    TARGET.with(|target| {
        let target = target.get().expect("it was chosen at the start");
        let (before, held) = (processor_time(), memory::held());
        target.play(bytes);
        let (time, most) = (processor_time().saturating_sub(before), memory::most_since(held));
        assert!(time < SLOW, "{target:?} is slow: {time:?} for {} bytes", bytes.len());
        note(time, most, bytes.len());
    });
});

/// Chooses the target; a name that is none ends the process.
fn begin() {
    let name = std::env::var("LEADGATE_FUZZ_TARGET").unwrap_or_default();
    if let Some(folder) = std::env::var_os("LEADGATE_FUZZ_SEEDS").map(PathBuf::from) {
        for (number, (_, bytes)) in fuzz::seeds(&name).into_iter().enumerate() {
            std::fs::write(folder.join(format!("{number:05}")), bytes).expect("the folder takes files");
        }
        std::process::exit(0);
    }
    let Some(target) = fuzz::target(&name) else {
        eprintln!("LEADGATE_FUZZ_TARGET must be one of {}", fuzz::names().join(" "));
        std::process::exit(2);
    };
    TARGET.with(|chosen| chosen.set(target)).expect("it is chosen once");
}

fn processor_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the place it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Says the dearest inputs so far: what will be slow or large one day begins as what is slower than the rest.
fn note(time: Duration, most: usize, length: usize) {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static TIME: AtomicUsize = AtomicUsize::new(10_000);
    static MOST: AtomicUsize = AtomicUsize::new(1 << 20);
    let micros = usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
    if micros > TIME.fetch_max(micros, Relaxed) {
        eprintln!("DEAREST: {micros} us for {length} bytes");
    }
    if most > MOST.fetch_max(most, Relaxed) {
        eprintln!("LARGEST: {most} bytes for {length} bytes");
    }
}

// Where inputs may be long, now and then a piece is repeated until there is no room: what takes the square of its
// length shows itself by that.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if max_size == LONGEST && seed.is_multiple_of(8) && size > 0 {
        repeat(data, size, seed / 8)
    } else {
        fuzzer_mutate(data, size, max_size)
    }
});

/// Puts copies of a short piece behind it, as many as fit; what followed stays behind them.
fn repeat(data: &mut [u8], size: usize, seed: u32) -> usize {
    let seed = seed as usize;
    let start = (seed >> 3) % size;
    let length = (1 + seed % 24).min(size - start);
    let piece = data[start..start + length].to_vec();
    let rest = data[start + length..size].to_vec();
    let times = (LONGEST - size) / length;
    let changed = [&data[..start + length], &piece.repeat(times), &rest].concat();
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}
