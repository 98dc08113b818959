//! What did a webhook lose? The provider's list is asked for it, again and again; what is there and not known yet goes
//! the way that the webhook's notice would have gone.
//!
//! - Only what came in since the channel was first asked for, and within two days.
//! - The newest is left to the webhook for a while: it may still be on its way.

use super::Failure;
use super::line::Line;
use super::patience::Patience;
use crate::sources::Refusal;
use crate::sources::shared::reconcile::{Asked, EVERY, Item, Poll, Question};
use lead::ids::Uid;
use lead::record::Key;
use lead::time::At;
use lead::units::Span;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const USUALLY: Duration = Duration::from_secs(15 * 60);
/// Far enough back for an outage over a weekend. What is known must be known for as long, or it comes again.
pub const WINDOW: Duration = Duration::from_secs(48 * 3600);
/// Pages in one round; beyond it the list has no end.
const MOST_PAGES: usize = 2000;
const AT_ONCE: usize = 500;

pub(super) async fn run(line: Line, poll: &'static Poll) {
    let every = line.channel().setting(EVERY.name).and_then(Span::parse).map_or(USUALLY, |span| span.0);
    let (mut patience, mut asker) = (Patience::default(), Asker { poll, every, begun: None, taken: BTreeMap::new() });
    while !line.stop.is_cancelled() {
        match line.stop.run_until_cancelled(asker.round(&line)).await {
            Some(Ok(())) => {
                patience.reset();
                line.connected(true);
                line.stop.run_until_cancelled(tokio::time::sleep(every)).await;
            }
            Some(Err(failure)) => line.rest(&mut patience, failure).await,
            None => {}
        }
    }
    line.connected(false);
}

struct Asker {
    poll: &'static Poll,
    every: Duration,
    /// When the channel was first asked for: what came before is somebody else's.
    begun: Option<At>,
    /// What was brought and may not be decided yet, with its time.
    taken: BTreeMap<Uid, At>,
}

/// One way through a provider's lists.
struct Round<'a> {
    asked: Asked<'a>,
    now: At,
    waiting: VecDeque<Question>,
    brought: u64,
    failed: Option<Failure>,
}

impl Asker {
    /// Nothing that fails keeps back what can be had.
    async fn round(&mut self, line: &Line) -> Result<(), Failure> {
        let (begun, now) = (self.begun(line).await?, line.now());
        self.taken.retain(|_, at| now.since(*at) < WINDOW);
        let asked = Asked { channel: line.channel(), since: begun.max(now.minus(WINDOW)) };
        let waiting = (self.poll.begin)(&asked).into();
        let mut round = Round { asked, now, waiting, brought: 0, failed: None };
        for _ in 0..MOST_PAGES {
            let Some(question) = round.waiting.pop_front() else { break };
            if let Err(failure) = self.page(line, &mut round, &question).await {
                round.failed = Some(failure);
            }
        }
        if round.brought > 0 {
            let brought = round.brought;
            tracing::warn!(channel = line.name(), brought, "feed.reconciled: the webhook did not bring these");
        }
        let endless = (!round.waiting.is_empty()).then_some(Failure::Refused("its list has no end"));
        round.failed.or(endless).map_or(Ok(()), Err)
    }

    async fn begun(&mut self, line: &Line) -> Result<At, Failure> {
        if self.begun.is_none() {
            self.begun = line.noted().await?.as_deref().and_then(At::parse);
        }
        if self.begun.is_none() {
            let now = line.now();
            line.note(&now.to_string()).await;
            tracing::info!(channel = line.name(), "feed.begun: the provider is asked for what comes from now on");
            self.begun = Some(now);
        }
        Ok(self.begun.unwrap_or_default())
    }

    /// Asks one question, and brings what was missing of what it tells.
    async fn page(&mut self, line: &Line, round: &mut Round<'_>, question: &Question) -> Result<(), Failure> {
        let asked = &round.asked;
        let answer = line.gateway.fetcher.document(&question.needed, asked.channel).await.map_err(Failure::Refused)?;
        let page = (question.read)(asked, question, &answer).map_err(|refusal| Failure::Refused(refusal.why()))?;
        round.waiting.extend(page.next);
        let now = round.now;
        let settled = |item: &Item| item.at.is_none_or(|at| at >= asked.since && now.since(at) >= self.every / 3);
        let items: Vec<Item> = page.items.into_iter().filter(settled).collect();
        for item in self.missing(line, items).await? {
            match self.bring(line, item, now).await {
                Ok(count) => round.brought += count,
                Err(failure) => round.failed = Some(failure),
            }
        }
        Ok(())
    }

    /// What is neither decided nor on its way there.
    async fn missing(&self, line: &Line, items: Vec<Item>) -> Result<Vec<(Uid, Item)>, Failure> {
        let named = items.into_iter().map(|item| (Uid::derived(line.name(), &item.id.0, &item.id.1), item));
        let named: Vec<(Uid, Item)> = named.filter(|(uid, _)| !self.taken.contains_key(uid)).collect();
        let mut known = Vec::with_capacity(named.len());
        for some in named.chunks(AT_ONCE) {
            let keys: Vec<Key> = some.iter().map(|(uid, _)| Key::Seen(*uid)).collect();
            let found = line.ledger.fetch(&line.channel().workspace, &keys).await;
            known.extend(found.map_err(|_| Failure::Away("the store does not say what is known"))?);
        }
        let missing = named.into_iter().zip(known).filter(|(_, known)| known.is_none());
        Ok(missing.map(|(one, _)| one).collect())
    }

    async fn bring(&mut self, line: &Line, (uid, item): (Uid, Item), now: At) -> Result<u64, Failure> {
        let mut request = line.request(item.media_type, item.notice);
        if let Err(Refusal::Needs(needed)) = (line.entrance.source.read)(&request, line.channel())
            && !line.gateway.fetcher.fetch(&mut request, line.channel(), &needed).await
        {
            return Err(Failure::Refused("what its list names cannot be had"));
        }
        let count = line.take(vec![request]).await?;
        line.gateway.metrics.reconciled.with_label_values(&[line.name()]).inc_by(count);
        self.taken.insert(uid, item.at.unwrap_or(now));
        Ok(count)
    }
}
