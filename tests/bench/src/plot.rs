//! How do figures look? Plain SVG, written by hand: bars for what is compared, a line for what grows.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 40.0;

/// A bar with its name, its value and the value that was hoped for.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) reach: Option<f64>,
}

/// Horizontal bars; a mark stands at each reach.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let (label, row) = (230.0, 26.0);
    let most = bars.iter().map(|bar| bar.value.max(bar.reach.unwrap_or(0.0))).fold(0.0, f64::max).max(1e-9);
    let room = WIDTH - label - 80.0;
    let mut svg = head(title, TOP + row * bars.len() as f64 + 14.0);
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP + row * index as f64;
        let length = bar.value / most * room;
        let _ = write!(
            svg,
            r##"<text x="{:.0}" y="{:.0}" text-anchor="end">{}</text><rect x="{label:.0}" y="{y:.0}" width="{length:.1}" height="16" fill="#3b6ea5"/><text x="{:.0}" y="{:.0}">{}</text>"##,
            label - 8.0,
            y + 13.0,
            escaped(&bar.name),
            label + length + 6.0,
            y + 13.0,
            short(bar.value)
        );
        if let Some(reach) = bar.reach {
            let x = label + reach / most * room;
            let _ = write!(svg, r##"<path d="M{x:.1} {:.0}v22" stroke="#b33" stroke-width="2"/>"##, y - 3.0);
        }
    }
    svg + "</svg>\n"
}

/// One line through points from left to right; `marks` are written below it.
pub(crate) fn line(title: &str, marks: &[String], values: &[f64], reach: Option<f64>) -> String {
    let most = values.iter().copied().chain(reach).fold(0.0, f64::max).max(1e-9) * 1.1;
    let (across, up) = (WIDTH - LEFT - 30.0, HEIGHT - TOP - BOTTOM);
    let last = values.len().saturating_sub(1).max(1) as f64;
    let x = |index: usize| LEFT + across * index as f64 / last;
    let y = |value: f64| TOP + up * (1.0 - value / most);
    let mut svg = head(title, HEIGHT);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let at = y(value);
        let _ = write!(
            svg,
            r##"<path d="M{LEFT} {at:.1}H{:.0}" stroke="#ddd"/><text x="{:.0}" y="{:.1}" text-anchor="end">{}</text>"##,
            LEFT + across,
            LEFT - 6.0,
            at + 4.0,
            short(value)
        );
    }
    if let Some(reach) = reach {
        let _ = write!(
            svg,
            r##"<path d="M{LEFT} {:.1}H{:.0}" stroke="#b33" stroke-dasharray="5 4"/>"##,
            y(reach),
            LEFT + across
        );
    }
    let points: Vec<String> =
        values.iter().enumerate().map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value))).collect();
    let _ = write!(svg, r##"<polyline points="{}" fill="none" stroke="#3b6ea5" stroke-width="2"/>"##, points.join(" "));
    let apart = values.len().div_ceil(marks.len().max(1)).max(1);
    for (index, mark) in marks.iter().enumerate() {
        let at = x((index * apart).min(values.len().saturating_sub(1)));
        let _ =
            write!(svg, r#"<text x="{at:.1}" y="{:.0}" text-anchor="middle">{}</text>"#, HEIGHT - 16.0, escaped(mark));
    }
    svg + "</svg>\n"
}

fn head(title: &str, height: f64) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0}" height="{height:.0}" font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/><text x="16" y="22" font-size="15">{}</text>"##,
        escaped(title)
    )
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_whole_even_of_nothing_and_names_cannot_break_out() {
        let bar = Bar { name: "<a & b>".to_owned(), value: 0.0, reach: Some(1.0) };
        for svg in [bars("title", &[bar]), bars("title", &[]), line("<t>", &["x".to_owned()], &[], None)] {
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert!(
                !svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<a") && !svg.contains("<t>"),
                "{svg}"
            );
        }
    }
}
