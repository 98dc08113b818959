//! What do all chats have in common? A person known by a handle, words or a placeholder for what has none, and
//! colleagues who answer.
//!
//! An edited message is a touch of its own, marked `edited`: it attaches to the lead of the first version, so a phone
//! that was corrected is not lost, and what was said before stays on record.

use super::fields::{self, LONGEST_TEXT, attribute};
use crate::sources::{Read, Reading};
use data_encoding::HEXLOWER;
use lead::entry::{Handle, Kind, Reply, Signal, Touch};
use lead::phone::Region;
use lead::text::cut;
use lead::time::At;

/// What is told of an event: the signal in it, or the name of what is of no interest.
pub(crate) type Told = Result<Read, &'static str>;

pub(crate) fn reading(told: Told) -> Reading {
    let mut reading = Reading::default();
    add(&mut reading, told);
    reading
}

pub(crate) fn add(reading: &mut Reading, told: Told) {
    match told {
        Ok(read) => reading.signals.push(read),
        Err(what) => reading.ignored.push(what),
    }
}

pub(crate) fn touched(id: Option<(String, String)>, touch: Touch) -> Told {
    Ok(Read { id, signal: Signal::Touch(Box::new(touch)) })
}

/// A handle is compared by its first 128 bytes, so a longer id is known by its digest.
pub(crate) fn handle(network: &str, id: &str) -> Handle {
    const LONGEST: usize = 128;
    let whole = id.len() <= LONGEST;
    let id = if whole { id.to_owned() } else { HEXLOWER.encode(&lead::ids::digest("handle", &[id.as_bytes()])) };
    Handle { kind: cut(network, 64).to_owned(), id }
}

pub(crate) fn touch(handle: Option<Handle>, at: Option<At>) -> Touch {
    let mut touch = Touch::new(Kind::Chat);
    touch.handles.extend(handle);
    touch.occurred_at = at;
    touch
}

/// The words, or a placeholder for what has none.
pub(crate) fn say(touch: &mut Touch, text: Option<&str>, media: Option<&str>, region: Region) {
    let text = text.unwrap_or_default();
    if let Some(media) = media {
        attribute(touch, "media", media);
    }
    if text.len() > LONGEST_TEXT {
        touch.flags.insert("cut".to_owned());
    }
    touch.text_phones = fields::phones_in(text, region);
    touch.text = match media {
        Some(media) if text.is_empty() => Some(format!("[{}]", cut(media, 64))),
        _ => Some(cut(text, LONGEST_TEXT).to_owned()).filter(|text| !text.is_empty()),
    };
}

/// A name that the network knows; one that the person has typed wins.
pub(crate) fn known_as(touch: &mut Touch, name: Option<&str>) {
    let Some(name) = name.map(|name| cut(name, 1024)) else { return };
    match &touch.name {
        None => touch.name = Some(name.to_owned()),
        Some(typed) if typed == name => {}
        Some(_) => attribute(touch, "profile_name", name),
    }
}

/// A human of ours has written to whom `to` would be from.
pub(crate) fn replied(id: Option<(String, String)>, to: Touch, by: Option<&str>) -> Told {
    let reply = Reply {
        to_phones: to.phones,
        to_emails: to.emails,
        to_handles: to.handles,
        by: by.map(|by| cut(by, 320).to_owned()),
        occurred_at: to.occurred_at,
    };
    Ok(Read { id, signal: Signal::Reply(Box::new(reply)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_that_begin_alike_are_two_people() {
        let long = "projects/p/".repeat(20);
        let (one, two) = (handle("chat", &format!("{long}1")), handle("chat", &format!("{long}2")));
        assert!(one != two && one.id.len() <= 128 && two.id.len() <= 128);
        assert_eq!(handle("chat", &"x".repeat(128)).id, "x".repeat(128));
    }

    #[test]
    fn what_has_no_words_has_a_placeholder() {
        let said = |text, media| {
            let mut touch = touch(None, None);
            say(&mut touch, text, media, Region::RU);
            touch.text
        };
        assert_eq!(said(Some("hi"), Some("photo")).as_deref(), Some("hi"));
        assert_eq!(said(None, Some("sticker")).as_deref(), Some("[sticker]"));
        assert_eq!(said(None, None), None);
    }
}
