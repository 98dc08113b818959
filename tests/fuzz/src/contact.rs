//! What is promised of a number, an address or a name that somebody typed? It is bounded, and what is normal stays as
//! it is when it is read again: else one customer would be two.

use lead::identity::Matcher;
use lead::phone::{self, Region};
use lead::time::At;
use lead::units::{Rate, Size, Span};
use lead::{email, text};

pub(crate) fn play(bytes: &[u8]) {
    let said = String::from_utf8_lossy(bytes);
    for region in [Region::RU, Region::US, Region::DE] {
        phones(&said, region);
        let _ = Matcher::parse(&said, region);
    }
    if let Some(address) = email::normalise(&said) {
        assert!(address.len() <= 512, "an address of {} bytes", address.len());
        assert_eq!(email::normalise(&address).as_ref(), Some(&address), "from {said:?}");
        let _ = (email::confusable(&address), email::is_machine(&address));
    }
    if let Some(line) = text::line(&said) {
        assert!(!line.contains(['\n', '\r', '\0']));
        assert!(line.len() <= 2048, "a name of {} bytes", line.len());
    }
    if let Some(message) = text::message(&said, 100) {
        assert!(message.len() <= 100);
    }
    units(&said);
}

fn phones(said: &str, region: Region) {
    for found in phone::parse(said, region).into_iter().chain(phone::in_text(said, region)) {
        assert!(found.number.len() <= 256, "a number of {} bytes", found.number.len());
        if found.valid {
            assert!(found.number.starts_with('+') && found.number[1..].bytes().all(|byte| byte.is_ascii_digit()));
            let again = phone::parse(&found.number, region);
            assert_eq!(again.first().map(|one| &one.number), Some(&found.number), "from {said:?}");
            let _ = phone::country(&found.number);
        }
    }
}

/// What can be read can be written and read again.
fn units(said: &str) {
    if let Some(at) = At::parse(said) {
        let _ = (at.to_string(), At::local(said, "Europe/Moscow"));
    }
    if let Some(span) = Span::parse(said) {
        assert_eq!(Span::parse(&span.to_string()), Some(span));
    }
    if let Some(size) = Size::parse(said) {
        assert_eq!(Size::parse(&size.to_string()), Some(size));
    }
    if let Some(rate) = Rate::parse(said) {
        assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
    }
}
