//! How much memory does one input take? Counted at every allocation; one that goes beyond the bound ends the process,
//! which libFuzzer reports with its input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A thousand times the longest input.
const MOST: usize = 64 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// What was held before the input.
static BASE: AtomicUsize = AtomicUsize::new(usize::MAX / 2);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system's; only sizes are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Relaxed);
        grow(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

fn grow(size: usize) {
    let held = HELD.fetch_add(size, Relaxed) + size;
    if held > PEAK.load(Relaxed) {
        PEAK.store(held, Relaxed);
        if held > BASE.load(Relaxed).saturating_add(MOST) {
            // No allocation here: a fixed text, and the end.
            BASE.store(usize::MAX / 2, Relaxed);
            eprintln!("one input takes more than {MOST} bytes of memory");
            std::process::abort();
        }
    }
}

/// Begins to count for one input; what is held now.
pub(crate) fn held() -> usize {
    let held = HELD.load(Relaxed);
    PEAK.store(held, Relaxed);
    BASE.store(held, Relaxed);
    held
}

/// The most that was held at one moment since then.
pub(crate) fn most_since(held: usize) -> usize {
    BASE.store(usize::MAX / 2, Relaxed);
    PEAK.load(Relaxed).saturating_sub(held)
}
