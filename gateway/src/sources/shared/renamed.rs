//! How do the field names that a provider chose become the ones everybody understands? Before [`super::fields`] sees
//! them, so that what nobody understands is kept there as it came.

use super::fields::{self, Pairs};
use crate::channel::Channel;
use lead::entry::{Handle, Kind, Touch};
use lead::text::cut;
use std::borrow::Cow;

const LONGEST_ID: usize = 256;

/// A provider's name and ours. One that ends in a dot is a wrapper, and what follows it keeps its own name. An empty
/// name of ours drops the field.
pub(crate) type Names = [(&'static str, &'static str)];

/// What the channel maps by hand keeps the provider's name, or its mapping would not find it.
pub(crate) fn rename<'a>(pairs: Pairs<'a>, names: &Names, channel: &Channel) -> Pairs<'a> {
    let by_hand = |path: &str| channel.fields.values().any(|theirs| theirs.eq_ignore_ascii_case(path));
    let kept = pairs.into_iter().filter(|(_, value)| !is_unfilled(value));
    let renamed = kept.map(|(path, value)| if by_hand(&path) { (path, value) } else { (ours(path, names), value) });
    renamed.filter(|(path, _)| !path.is_empty()).collect()
}

fn ours<'a>(path: Cow<'a, str>, names: &Names) -> Cow<'a, str> {
    for (theirs, ours) in names {
        if *theirs == path {
            return Cow::Borrowed(ours);
        }
        if let Some(rest) = path.strip_prefix(theirs).filter(|_| theirs.ends_with('.')) {
            return Cow::Owned(format!("{ours}{rest}"));
        }
    }
    path
}

/// A template that the bot's builder had nothing to put into: `{{phone}}`, or what Chatfuel writes instead.
fn is_unfilled(value: &str) -> bool {
    let value = value.trim();
    (value.starts_with("{{") && value.ends_with("}}")) || value == "NOT SET"
}

/// Moves an id out: it is no attribute.
pub(crate) fn take(pairs: &mut Pairs<'_>, path: &str) -> Option<String> {
    let id = fields::get(pairs, path).map(|id| cut(id, LONGEST_ID).to_owned());
    pairs.retain(|(known, _)| known != path);
    id
}

/// A person of whom a bot or a list tells. `network` names whose ids these are.
pub(crate) struct Person {
    pub kind: Kind,
    pub network: &'static str,
    pub id: Option<String>,
}

impl Person {
    /// The touch, and the id that the sender gave this post; none where nothing tells who it is.
    pub(crate) fn touch(self, pairs: Pairs<'_>, channel: &Channel) -> Option<(Touch, Option<String>)> {
        let mut touch = Touch::new(self.kind);
        touch.handles.extend(self.id.map(|id| Handle { kind: self.network.to_owned(), id }));
        let service = fields::fill(&mut touch, pairs, channel);
        fields::hear(&mut touch, channel);
        let somebody = !(touch.handles.is_empty() && touch.phones.is_empty() && touch.emails.is_empty());
        somebody.then_some((touch, service.post_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_spares_what_the_channel_maps_by_hand() {
        let mut channel = Channel::new("line".into(), "demo".into(), "jivo");
        let names = [("visitor.name", "name"), ("page.title", "")];
        let pair = |(path, value): (&'static str, &'static str)| (Cow::Borrowed(path), Cow::Borrowed(value));
        let given: Vec<_> = [("visitor.name", "Anna"), ("page.title", "Home"), ("x", "1")].map(pair).into();
        let paths = |pairs: Pairs<'_>| pairs.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(paths(rename(given.clone(), &names, &channel)), "name x");
        channel.fields = [("text".to_owned(), "page.title".to_owned())].into();
        assert_eq!(paths(rename(given, &names, &channel)), "name page.title x");
    }
}
