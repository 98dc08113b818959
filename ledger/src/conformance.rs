//! What must hold for every backend? One suite; a backend's own test file is a single call of [`run`].

#![expect(clippy::unwrap_used, reason = "a suite of tests: what cannot be unwrapped has failed")]

mod commits;
mod made;
mod reads;
mod streams;

use crate::SharedLedger;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use lead::entry::Entry;

/// A backend under test: a ledger and the way entries get into its inbox.
#[async_trait]
pub trait Backend: Send + Sync {
    fn ledger(&self) -> SharedLedger;

    /// Accepts entries as a gateway would; the bytes are those of the request.
    async fn accept(&self, entries: Vec<Entry>, raw: &'static [u8]);
}

type Check = for<'a> fn(&'a dyn Backend) -> BoxFuture<'a, ()>;

/// The suite: a sentence and its proof.
const CHECKS: [(&str, Check); 20] = [
    ("what was accepted comes back in its order, each workspace its own", |backend| Box::pin(streams::inbox(backend))),
    ("a reader of the inbox is woken by what is accepted", |backend| Box::pin(streams::woken(backend))),
    ("events come in their order, from any position, as many as asked", |backend| Box::pin(streams::events(backend))),
    ("a reader of events is woken by a commit", |backend| Box::pin(streams::published(backend))),
    ("a consumer's position moves forward, and back only when told so", |backend| {
        Box::pin(streams::consumers(backend))
    }),
    ("a feed is leased apart from deciding, and free again once given back", |backend| {
        Box::pin(streams::leases(backend))
    }),
    ("the last note under a name is kept, each workspace its own", |backend| Box::pin(streams::notes(backend))),
    ("a batch commits whole: cursor, records, events, timers, queue and books", |backend| {
        Box::pin(commits::whole(backend))
    }),
    ("a commit under an old claim changes nothing", |backend| Box::pin(commits::fenced(backend))),
    ("records of every kind come back as they were put, and go when removed", |backend| {
        Box::pin(commits::records(backend))
    }),
    ("timers come due in their order and are gone once cleared", |backend| Box::pin(commits::timers(backend))),
    ("the queue gives the oldest first", |backend| Box::pin(commits::queue(backend))),
    ("a claim tells whether the last owner stopped with a batch under way", |backend| {
        Box::pin(commits::unclean(backend))
    }),
    ("attempts are counted across claims and forgotten by success", |backend| Box::pin(commits::attempts(backend))),
    ("the books balance at every moment", |backend| Box::pin(reads::books(backend))),
    ("what is set aside keeps its entry and its bytes until it is released", |backend| Box::pin(reads::aside(backend))),
    ("leads are listed newest first, filtered, page by page", |backend| Box::pin(reads::leads(backend))),
    ("exclusions are listed page by page", |backend| Box::pin(reads::exclusions(backend))),
    (
        "what was set aside goes once it has been there for its time, dead letters stay, the books do not change",
        |backend| Box::pin(reads::aged(backend)),
    ),
    ("only what is old goes, and no event that a registered consumer has not read", |backend| {
        Box::pin(reads::trim(backend))
    }),
];

/// Runs every check on a backend of its own. Panics with the sentence that does not hold.
pub async fn run<B: Backend, F: AsyncFn() -> B>(fresh: F) {
    for (sentence, check) in CHECKS {
        tracing::info!(sentence, "conformance.check: checking");
        let backend = fresh().await;
        check(&backend).await;
    }
}
