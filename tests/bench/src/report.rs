//! How are figures shown? As lines for people and as JSON for whoever compares runs.

use std::fmt::Display;

/// One number with its name and unit.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Figure {
    pub(crate) fn new(name: impl Display, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_string(), value, unit }
    }
}

#[expect(clippy::print_stdout, reason = "printing figures is what this program is for")]
pub(crate) fn print(figures: &[Figure]) {
    for figure in figures {
        println!("{:<58} {:>12} {}", figure.name, rounded(figure.value), figure.unit);
    }
}

fn rounded(value: f64) -> String {
    match value.abs() {
        1_000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The value below which `share` of a sorted list lies.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}
