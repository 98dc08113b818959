//! What does one JSON object say at a path? Values as text, moments in whatever form, and what nobody has asked for.

use super::fields::Pairs;
use super::json;
use crate::sources::Refusal;
use lead::time::At;
use std::borrow::Cow;

/// One object of a provider, `a.b.0.c` = `1`.
pub(crate) struct Item<'a>(Pairs<'a>);

impl<'a> Item<'a> {
    pub(crate) fn of(json: &'a [u8]) -> Result<Self, Refusal> {
        json::read(json).map(Self)
    }

    /// The value at the path, unless it is blank.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == path)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    /// The first path that says something.
    pub(crate) fn any(&self, paths: &[&str]) -> Option<&str> {
        paths.iter().find_map(|path| self.get(path))
    }

    /// Is it said to be so?
    pub(crate) fn is(&self, path: &str) -> bool {
        self.get(path) == Some("true")
    }

    /// Is there anything at the path or below it?
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.0.iter().any(|(known, _)| within(known, path))
    }

    pub(crate) fn at(&self, path: &str) -> Option<At> {
        moment(self.get(path)?)
    }

    /// What lies below the path, by the rest of its path.
    pub(crate) fn fields_below(&self, path: &str) -> Pairs<'_> {
        let inner = self.0.iter().filter(|(known, _)| known.len() > path.len() && within(known, path));
        inner.map(|(known, value)| (Cow::Borrowed(&known[path.len() + 1..]), Cow::Borrowed(&**value))).collect()
    }

    /// The same as an object of its own.
    pub(crate) fn below(&self, path: &str) -> Item<'_> {
        Item(self.fields_below(path))
    }

    /// What lies at none of these paths and not below them.
    pub(crate) fn without(&self, paths: &[&str]) -> Pairs<'_> {
        let rest = self.0.iter().filter(|(known, _)| !paths.iter().any(|path| within(known, path)));
        rest.map(|(known, value)| (Cow::Borrowed(&**known), Cow::Borrowed(&**value))).collect()
    }
}

fn within(known: &str, path: &str) -> bool {
    known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// RFC 3339, Ruby's `2026-11-21 10:00:00 UTC`, or a whole number: seconds since 1970 as far as they are plausible, else
/// milliseconds.
pub(crate) fn moment(text: &str) -> Option<At> {
    /// As seconds the year 5138, as milliseconds March 1973.
    const SECONDS_END: i64 = 100_000_000_000;
    match text.parse::<i64>() {
        Ok(secs) if (1..SECONDS_END).contains(&secs) => Some(At::from_secs(secs)),
        Ok(millis) if millis >= SECONDS_END => Some(At::from_millis(millis)),
        Ok(_) => None,
        Err(_) => At::parse(text).or_else(|| At::parse(&text.replacen(' ', "T", 1).replacen(" UTC", "Z", 1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_there_and_nothing_else() {
        let item = Item::of(br#"{"a": {"b": " x ", "c": "", "list": [{"d": 1}]}, "ab": true, "n": null}"#).unwrap();
        assert_eq!((item.get("a.b"), item.get("a.c"), item.get("a"), item.get("n")), (Some("x"), None, None, None));
        assert_eq!(item.any(&["no", "a.c", "a.list.0.d"]), Some("1"));
        assert!(item.is("ab") && !item.is("a.b"));
        assert!(item.holds("a") && item.holds("a.list") && !item.holds("a.l") && !item.holds("n"));
        assert_eq!(item.below("a").get("list.0.d"), Some("1"));
        assert_eq!(item.fields_below("a.b").len(), 0);
        let rest: Vec<_> = item.without(&["a.b", "a.list", "x"]).into_iter().map(|(path, _)| path).collect();
        assert_eq!(rest, ["a.c", "ab"]);
    }

    #[test]
    fn a_moment_is_read_in_every_form_that_chats_send() {
        let expected = At::parse("2026-11-21T10:00:00Z");
        for text in ["1795255200", "1795255200000", "2026-11-21T10:00:00Z", "2026-11-21 10:00:00 UTC"] {
            assert_eq!(moment(text), expected, "{text}");
        }
        for text in ["", "0", "-1", "yesterday", "99999999999999999999", "2026-11-21"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
