//! What does a feed stand on? Its channel, its note in the store, and the way into the journal.

use super::Failure;
use super::patience::Patience;
use crate::channel::Channel;
use crate::channels::Entrance;
use crate::rows;
use crate::sources::{Refusal, Request};
use crate::state::Gateway;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use lead::time::At;
use ledger::journal::Row;
use ledger::{Error, SharedLedger};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two tries of a journal that does not take rows.
const JOURNAL: Duration = Duration::from_secs(1);

/// One channel's feed, as long as it runs here.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) gateway: Arc<Gateway>,
    pub(super) ledger: SharedLedger,
    pub(super) entrance: Arc<Entrance>,
    pub(super) stop: CancellationToken,
}

impl Line {
    pub(super) fn channel(&self) -> &Channel {
        &self.entrance.channel
    }

    pub(super) fn name(&self) -> &str {
        self.channel().id.as_str()
    }

    pub(super) fn now(&self) -> At {
        self.gateway.clock.now()
    }

    /// Where whoever ran this feed before had come to.
    pub(super) async fn noted(&self) -> Result<Option<String>, Failure> {
        let noted = self.ledger.note(&self.channel().workspace, self.name()).await;
        noted.map_err(|_| Failure::Away("the store does not say how far we had come"))
    }

    /// Says how far we have come. Where the store is away we go on, and say it next time.
    pub(super) async fn note(&self, text: &str) {
        if let Err(error) = self.ledger.put_note(&self.channel().workspace, self.name(), text).await {
            tracing::warn!(channel = self.name(), %error, "feed.not_noted: a new start would read the last part again");
        }
    }

    pub(super) fn connected(&self, is: bool) {
        self.gateway.metrics.feed_connected.with_label_values(&[self.name()]).set(i64::from(is));
    }

    /// Notes a failure, once aloud, and waits before the next try.
    pub(super) async fn rest(&self, patience: &mut Patience, failure: Failure) {
        self.connected(false);
        if self.stop.is_cancelled() {
            return;
        }
        self.gateway.metrics.feed_failures.with_label_values(&[self.name()]).inc();
        let (channel, why) = (self.name(), failure.why());
        if patience.is_first() {
            tracing::warn!(channel, why, "feed.lost: trying again until it works");
        } else {
            tracing::debug!(channel, why, "feed.still_lost");
        }
        let pause = patience.after(failure, rand::random());
        self.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }

    /// What was fetched, as if it had been sent.
    pub(super) fn request(&self, media_type: &'static str, body: impl Into<Bytes>) -> Request {
        Request {
            method: Method::POST,
            url: self.channel().url.clone(),
            rest: String::new(),
            query: String::new(),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]),
            body: body.into(),
            documents: BTreeMap::new(),
            received_at: self.now(),
        }
    }

    /// Returns once everything is durable, with the number of signals; a journal that takes nothing is waited for. What
    /// was begun ends even when nobody waits for it any more.
    pub(super) async fn take(&self, requests: Vec<Request>) -> Result<u64, Failure> {
        let line = self.clone();
        let taking = tokio::spawn(async move { line.store(requests).await });
        taking.await.unwrap_or(Err(Failure::Away("what came could not be taken: see the log")))
    }

    async fn store(&self, requests: Vec<Request>) -> Result<u64, Failure> {
        let rows: Vec<Row> = requests.iter().flat_map(|request| self.rows(request)).collect();
        let count = rows.len() as u64;
        if count > 0 {
            self.append(rows).await?;
        }
        let labels = [self.channel().workspace.as_str(), self.name()];
        self.gateway.metrics.accepted.with_label_values(&labels).inc_by(count);
        Ok(count)
    }

    async fn append(&self, rows: Vec<Row>) -> Result<(), Failure> {
        loop {
            let stored = self.gateway.journal.append(rows.clone()).await;
            self.gateway.note_journal(&stored);
            match stored {
                Ok(()) => return Ok(()),
                Err(Error::Closed) => return Err(Failure::Away("the journal is closed")),
                Err(_) if self.stop.is_cancelled() => return Err(Failure::Away("the journal takes nothing")),
                Err(_) => tokio::time::sleep(JOURNAL).await,
            }
        }
    }

    /// Nobody hears a refusal here, so whatever cannot be read is kept where people look. That goes for what breaks its
    /// reader too, or it would be fetched again for ever, and nothing behind it.
    fn rows(&self, request: &Request) -> Vec<Row> {
        let channel = self.channel();
        let reading = std::panic::catch_unwind(AssertUnwindSafe(|| (self.entrance.source.read)(request, channel)));
        match reading.unwrap_or(Err(Refusal::Unreadable("reading it failed"))) {
            Ok(reading) => {
                if reading.signals.is_empty() {
                    let labels = [channel.workspace.as_str(), self.name()];
                    self.gateway.metrics.ignored.with_label_values(&labels).inc();
                }
                rows::rows(channel, request, reading.signals, None, rand::random())
            }
            Err(refusal) => vec![rows::unreadable(channel, request, refusal.why(), None, rand::random())],
        }
    }
}
