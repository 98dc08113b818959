//! What must be pasted where so that a channel works, and has anything come through it yet?

use super::ask::{self, Asked, Named};
use super::auth::{Managing, Seat};
use super::books::is_proven;
use super::error::{Kind, Result};
use crate::channel::Channel;
use crate::sources::{self, Proof, Source, Value};
use axum::response::Response;
use http::StatusCode;
use lead::ids::ChannelId;
use prometheus::Registry;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Wiring<'a> {
    channel: &'a ChannelId,
    source: &'a str,
    /// What the provider is given; with a key in it, it is a secret.
    url: &'a str,
    /// Markdown, with the address in its place.
    help: String,
    /// The keys of `[[channel]]` that the source knows, and whether they are written.
    keys: Vec<Key>,
    /// Something came through this entrance, not counting our own tests.
    proven: bool,
    seen: Seen,
}

#[derive(Serialize)]
struct Key {
    name: &'static str,
    required: bool,
    /// Written, and not as it would be without.
    configured: bool,
    /// What holds where nobody wrote anything; none where that is nothing.
    default: Option<&'static str>,
    expected: String,
}

/// What this gateway has counted since its start.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Seen {
    /// Signals that were made durable.
    accepted: u64,
    /// Genuine requests that hold nothing of interest: a handshake, an event that makes no lead.
    ignored: u64,
    refused: BTreeMap<String, u64>,
}

/// `GET …/channels/{c}/wiring`
pub(super) async fn show(seat: Seat<Managing>, id: Named, asked: Asked) -> Result<Response> {
    asked.only(&[])?;
    let channel = seat.view.channels.iter().find(|channel| channel.id.as_str() == id.0).ok_or(Kind::NotFound)?;
    let source = sources::source(channel.source).ok_or(Kind::Broken)?;
    let books = seat.desk.ledger.books(seat.workspace()).await?;
    let wiring = Wiring {
        channel: &channel.id,
        source: source.name,
        url: &channel.url,
        help: source.help.replace("{url}", &channel.url),
        keys: keys(source, channel),
        proven: is_proven(books.get(&channel.id)),
        seen: seen(&seat.desk.registry, channel.id.as_str()),
    };
    ask::json(StatusCode::OK, &wiring)
}

fn keys(source: &'static Source, channel: &Channel) -> Vec<Key> {
    let own = source.settings.iter().map(|setting| {
        let default = match setting.value {
            Value::Word(words) => words.first().copied(),
            _ => None,
        };
        let configured = channel.setting(setting.name).is_some_and(|set| Some(set) != default);
        let (name, required, expected) = (setting.name, setting.required, setting.expected.to_owned());
        Key { name, required, configured, default, expected }
    });
    guards(source, channel).into_iter().chain(own).collect()
}

/// What tells a provider from anybody else. A form of a page has no secret to keep, but its address may be one.
fn guards(source: &Source, channel: &Channel) -> Vec<Key> {
    let (by_key, name) = (channel.url_key.is_some(), source.name);
    let guard = |name, required, configured, expected| Key { name, required, configured, default: None, expected };
    let required = source.proof == Proof::Secret || (source.proof == Proof::SecretOrKey && !by_key);
    let expected = match source.proof {
        Proof::SecretOrKey => format!("the secret that {name} shows; or url_key, which makes the address one"),
        Proof::Secret => format!("the secret that {name} signs with"),
        Proof::Open => {
            "the secret that whoever sends shows; without it and without url_key anybody may send".to_owned()
        }
    };
    let secret = guard("secret", required, !channel.secrets.is_empty(), expected);
    let expected = "letters, digits, - and _ that make the address itself a secret".to_owned();
    let key = guard("url_key", false, by_key, expected);
    let takes_secret = source.proof != Proof::Open || !source.anonymous || secret.configured;
    // What we connect to ourselves has no address.
    let has_address = !source.methods.is_empty();
    takes_secret.then_some(secret).into_iter().chain(has_address.then_some(key)).collect()
}

fn seen(registry: &Registry, channel: &str) -> Seen {
    let mut seen = Seen::default();
    for family in registry.gather() {
        for metric in family.get_metric() {
            let label = |name: &str| {
                metric.get_label().iter().find(|label| label.name() == name).map(prometheus::proto::LabelPair::value)
            };
            if label("channel") != Some(channel) {
                continue;
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of whole things")]
            let count = metric.get_counter().get_value() as u64;
            match family.name() {
                "leadgate_signals_accepted_total" => seen.accepted += count,
                "leadgate_signals_ignored_total" => seen.ignored += count,
                "leadgate_signals_refused_total" => {
                    *seen.refused.entry(label("reason").unwrap_or_default().to_owned()).or_default() += count;
                }
                _ => {}
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_nobody_wrote_is_not_set_and_every_guard_is_named() {
        let keys = |name: &str, secret: bool, settings: &[(&'static str, &str)]| {
            let source = sources::source(name).unwrap();
            let secrets = secret.then(|| "a secret of ours".into()).into_iter().collect();
            let settings = settings.iter().map(|(name, value)| (*name, vec![(*value).into()])).collect();
            let channel = Channel { secrets, settings, ..Channel::new("a".into(), "demo".into(), source.name) };
            let told = |key: Key| (key.name, key.configured, key.default);
            super::keys(source, &channel).into_iter().map(told).collect::<Vec<_>>()
        };
        let (plain, strict) =
            (keys("form", false, &[("captcha", "off")]), keys("form", false, &[("captcha", "altcha")]));
        assert_eq!((plain[0], plain[1]), (("url_key", false, None), ("captcha", false, Some("off"))));
        assert_eq!(strict[1], ("captcha", true, Some("off")));
        assert_eq!(keys("mail", true, &[])[..2], [("secret", true, None), ("url_key", false, None)]);
        assert_eq!(keys("mail", false, &[])[0], ("secret", false, None));
        assert_eq!(keys("imap", true, &[]).iter().filter(|(name, ..)| *name == "url_key").count(), 0);
    }

    #[test]
    fn what_was_seen_is_of_this_channel_alone() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry);
        metrics.accepted.with_label_values(&["demo", "a"]).inc_by(2);
        metrics.accepted.with_label_values(&["demo", "b"]).inc();
        metrics.ignored.with_label_values(&["demo", "a"]).inc();
        metrics.refused.with_label_values(&["a", "unauthorized"]).inc_by(3);
        metrics.refused.with_label_values(&["", "not_found"]).inc();
        let refused = BTreeMap::from([("unauthorized".to_owned(), 3)]);
        assert_eq!(seen(&registry, "a"), Seen { accepted: 2, ignored: 1, refused });
        assert_eq!(seen(&registry, "c"), Seen::default());
    }
}
