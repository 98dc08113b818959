//! Does a mail end where its sender ended it, however its bytes arrive?

use gateway::smtp::data::{Dots, Progress};
use proptest::prelude::*;

/// What is kept of some bytes that come in pieces of at most `piece`, how many were used, and how it ended.
fn take(bytes: &[u8], piece: usize) -> (Vec<u8>, usize, Progress) {
    let (mut dots, mut kept, mut used) = (Dots::default(), Vec::new(), 0);
    for part in bytes.chunks(piece) {
        let (more, progress) = dots.take(part, |part| kept.extend_from_slice(part));
        used += more;
        if progress != Progress::More {
            return (kept, used, progress);
        }
    }
    (kept, used, Progress::More)
}

#[test]
fn dots_are_taken_off_and_only_the_lone_one_ends_the_mail() {
    for (sent, kept, left) in [
        (".\r\n", "", ""),
        ("\r\n.\r\n", "\r\n", ""),
        ("hi\r\n.\r\n", "hi\r\n", ""),
        ("hi\r\n.\r\nMAIL FROM", "hi\r\n", "MAIL FROM"),
        ("..\r\n.\r\n", ".\r\n", ""),
        ("..a\r\n...\r\n.\r\n", ".a\r\n..\r\n", ""),
        (".a\r\n.\r\n", "a\r\n", ""),
        ("a.\r\nb.b\r\n.\r\n", "a.\r\nb.b\r\n", ""),
        ("a\rb\r\n.\r\n", "a\rb\r\n", ""),
        ("a\r\r\n.\r\n", "a\r\r\n", ""),
        (".\r\r\n.\r\n", "\r\r\n", ""),
        (".\rx\r\n.\r\n", "\rx\r\n", ""),
        ("\r.\r\n.\r\n", "\r.\r\n", ""),
        ("a\0b\u{ff}\r\n.\r\n", "a\0b\u{ff}\r\n", ""),
    ] {
        for piece in 1..=sent.len() {
            let (found, used, progress) = take(sent.as_bytes(), piece);
            assert_eq!(progress, Progress::End, "{sent:?} in pieces of {piece}");
            assert_eq!((String::from_utf8_lossy(&found), &sent[used..]), (kept.into(), left), "{sent:?} by {piece}");
        }
    }
}

#[test]
fn a_line_feed_alone_is_found_wherever_it_hides() {
    for sent in ["\n", "a\nb\r\n", "a\n.\r\n", "a\n.\n", "a\r\n.\n", "a\r\n..\n", ".\n", "a\r\n\n", "a\n\r\n.\r\n"] {
        for piece in 1..=sent.len() {
            assert_eq!(take(sent.as_bytes(), piece).2, Progress::Bare, "{sent:?} in pieces of {piece}");
        }
    }
}

#[test]
fn what_has_not_ended_has_not_ended() {
    for sent in ["", ".", ".\r", "a\r\n.", "a\r\n.\r", "a\r\n..\r\n", "\r.\r", "a\r\n\0.\r\n", "a\r\n .\r\n"] {
        assert_eq!(take(sent.as_bytes(), 1).2, Progress::More, "{sent:?}");
    }
}

proptest! {
    /// What a client makes of any text by RFC 5321 4.5.2 is that text again.
    #[test]
    fn any_text_comes_through_as_it_was(lines in prop::collection::vec("[.a\r\\PC]{0,6}", 0..12), piece in 1_usize..20) {
        let lines: Vec<String> = lines.iter().map(|line| line.trim_end_matches('\r').to_owned()).collect();
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let dotted = lines.iter().map(|line| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") });
        let sent: String = dotted.chain([".\r\n".to_owned()]).collect();
        let (kept, used, progress) = take(sent.as_bytes(), piece);
        prop_assert_eq!((String::from_utf8_lossy(&kept), used, progress), (text.into(), sent.len(), Progress::End));
    }
}
