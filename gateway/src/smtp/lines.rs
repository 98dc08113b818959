//! Where does a command end? At CR LF, within a bound.

use bytes::BytesMut;

/// What stands at the beginning of what was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// With its end.
    Whole(BytesMut),
    /// Its end has not come yet.
    Part,
    /// A line feed without its carriage return.
    Bare,
    Long,
}

/// Takes the next line of at most `most` bytes, its end included.
pub(super) fn next(inbox: &mut BytesMut, most: usize) -> Line {
    let seen = &inbox[..inbox.len().min(most)];
    match seen.iter().position(|byte| *byte == b'\n') {
        Some(end) if end > 0 && seen[end - 1] == b'\r' => Line::Whole(inbox.split_to(end + 1)),
        Some(_) => Line::Bare,
        None if inbox.len() >= most => Line::Long,
        None => Line::Part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_both_its_characters() {
        let whole = |text: &str| Line::Whole(BytesMut::from(text));
        for (received, expected, left) in [
            ("", Line::Part, ""),
            ("NOOP", Line::Part, "NOOP"),
            ("NOOP\r", Line::Part, "NOOP\r"),
            ("NOOP\r\n", whole("NOOP\r\n"), ""),
            ("NOOP\r\nQUIT\r\n", whole("NOOP\r\n"), "QUIT\r\n"),
            ("\r\n", whole("\r\n"), ""),
            ("NOOP\n", Line::Bare, "NOOP\n"),
            ("\n", Line::Bare, "\n"),
            ("NOOP 1234\r\n", whole("NOOP 1234\r\n"), ""),
            ("NOOP 12345\r\n", Line::Long, "NOOP 12345\r\n"),
            ("NOOP 12345678", Line::Long, "NOOP 12345678"),
        ] {
            let mut inbox = BytesMut::from(received);
            assert_eq!((next(&mut inbox, 11), &inbox[..]), (expected, left.as_bytes()), "{received:?}");
        }
    }
}
