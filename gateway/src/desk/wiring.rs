//! What must be pasted where so that a channel works, and has anything come through it yet?

use super::ask::{self, Asked, Named};
use super::auth::{Managing, Seat};
use super::books::is_proven;
use super::error::{Kind, Result};
use crate::channel::Channel;
use crate::sources::{self, Proof, Source};
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
    configured: bool,
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
    let (by_key, name) = (channel.url_key.is_some(), source.name);
    let secret = Key {
        name: "secret",
        required: source.proof == Proof::Secret || (source.proof == Proof::SecretOrKey && !by_key),
        configured: !channel.secrets.is_empty(),
        expected: match source.proof {
            Proof::SecretOrKey => format!("the secret that {name} shows; or url_key, which makes the address one"),
            Proof::Open | Proof::Secret => format!("the secret that {name} signs with"),
        },
    };
    let own = source.settings.iter().map(|setting| Key {
        name: setting.name,
        required: setting.required,
        configured: channel.setting(setting.name).is_some(),
        expected: setting.expected.to_owned(),
    });
    let secret = (source.proof != Proof::Open || secret.configured).then_some(secret);
    secret.into_iter().chain(own).collect()
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
