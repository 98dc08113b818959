//! What may a text hold that goes into state, screens and other people's systems? Letters, not control characters and
//! not invisible tricks, up to a length.

use unicode_segmentation::UnicodeSegmentation;

/// Graphemes in a name.
pub const NAME: usize = 200;
/// Bytes in a name, however few graphemes they make.
const NAME_BYTES: usize = 1024;

/// A name or another single line: no line breaks, no control, no direction overrides, no zero-width characters.
pub fn line(text: &str) -> Option<String> {
    let (short, _) = shortened(text);
    (!short.is_empty()).then_some(short)
}

/// Whether [`line`] leaves off an end that somebody would see.
pub fn line_is_cut(text: &str) -> bool {
    shortened(text).1
}

fn shortened(text: &str) -> (String, bool) {
    let mut clean = String::new();
    let mut clusters = text.graphemes(true);
    for cluster in clusters.by_ref().take(NAME * 2) {
        let seen = cluster.chars().filter(|c| visible(*c)).take(8);
        clean.extend(seen.map(|c| if c.is_whitespace() { ' ' } else { c }));
        if clean.len() >= NAME_BYTES {
            break;
        }
    }
    let words: Vec<&str> = clean.split(' ').filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let mut kept = line.graphemes(true);
    let short: String = kept.by_ref().take(NAME).collect();
    let seen = |rest: &str| rest.chars().any(|c| visible(c) && !c.is_whitespace());
    (short, seen(kept.as_str()) || seen(clusters.as_str()))
}

/// A message: line breaks stay, the rest as in [`line`]. Longer than `most` bytes is cut at a character.
pub fn message(text: &str, most: usize) -> Option<String> {
    let mut clean = String::with_capacity(text.len().min(most));
    for c in text.chars().filter(|c| visible(*c) || matches!(c, '\n' | '\t')) {
        if clean.len() + c.len_utf8() > most {
            break;
        }
        clean.push(c);
    }
    let trimmed = clean.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Cuts at a character so that at most `most` bytes remain.
pub fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

fn visible(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !hidden && (!c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_visible_line() {
        assert_eq!(line("  Анна \r\n Иванова\0 ").as_deref(), Some("Анна Иванова"));
        assert_eq!(line("A\u{202e}nna\u{200b}").as_deref(), Some("Anna"));
        assert_eq!(line("\0\u{200b} "), None);
    }

    #[test]
    fn a_name_is_bounded_in_every_way() {
        let long = line(&"a".repeat(1 << 20)).unwrap();
        assert_eq!(long.len(), NAME);
        let zalgo = line(&format!("a{}", "\u{301}".repeat(500))).unwrap();
        assert!(zalgo.chars().count() <= 8);
        assert!(line(&"🧑‍🧑‍🧒‍🧒".repeat(10_000)).unwrap().len() <= NAME_BYTES + 64);
    }

    #[test]
    fn a_name_that_lost_its_end_is_known() {
        let (whole, family) = ("я".repeat(NAME), "🧑‍🧑‍🧒‍🧒".repeat(100));
        for (name, cut) in [
            (whole.clone(), false),
            (format!("  {whole} \r\n\0"), false),
            (format!("{}я", " ".repeat(NAME)), false),
            (format!("{}я", " ".repeat(NAME * 3)), true),
            (format!("{whole}!"), true),
            (format!("{whole}{}", "\u{200b}".repeat(NAME * 3)), false),
            ("a".repeat(1 << 20), true),
            (family, true),
        ] {
            assert_eq!(line_is_cut(&name), cut, "{} bytes", name.len());
        }
    }

    #[test]
    fn a_message_keeps_its_lines_and_is_cut_at_a_character() {
        assert_eq!(message("Добрый день\n\nЖду", 1000).as_deref(), Some("Добрый день\n\nЖду"));
        assert_eq!(message("ааа", 3).as_deref(), Some("а"));
        assert_eq!(cut("ааа", 3), "а");
    }
}
