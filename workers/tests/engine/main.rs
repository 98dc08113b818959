//! The engine over a real embedded ledger: what it decides, what it survives.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be unwrapped has failed")]

mod house;
mod spy;

use house::{House, post, posts};
use lead::books::Verdict;
use lead::changes::AsideKind;
use lead::ids::ChannelId;
use ledger::Ledger;
use spy::Fault;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn every_post_becomes_one_lead_and_one_event_in_order() {
    let house = House::open();
    let engine = house.engine();
    house.accept(posts(1..=600)).await;
    house.settled().await;
    let events = house.events().await;
    assert_eq!(events.len(), 600);
    let subjects: BTreeSet<_> = events.iter().map(|event| event.subject.clone()).collect();
    assert_eq!(subjects.len(), 600);
    assert!(events.iter().all(|event| event.kind == "lead.created"));
    assert_eq!(house.verdict(Verdict::Lead).await, 600);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_identical_posts_in_one_instant_are_one_lead_and_49_redeliveries() {
    let house = House::open();
    let engine = house.engine();
    let same: Vec<_> = (1..=50).map(|n| house::same_post(n, "+79035551234")).collect();
    house.accept(same).await;
    house.settled().await;
    assert_eq!(house.events().await.len(), 1);
    assert_eq!((house.verdict(Verdict::Lead).await, house.verdict(Verdict::Redelivered).await), (1, 49));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_entry_is_buried_after_its_attempts_and_its_neighbours_are_not() {
    let house = House::open();
    let (before, poison, after) = (posts(1..=20), post(21), posts(22..=40));
    house.spy.fault(Fault::Poison(poison.uid));
    house.accept([before, vec![poison.clone()], after].concat()).await;
    let engine = house.engine();
    house.settled().await;
    assert_eq!(house.verdict(Verdict::Lead).await, 39);
    assert_eq!(house.verdict(Verdict::Dead).await, 1);
    let dead = house.ledger.aside(&house.workspace, AsideKind::Dead, None, 9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].entry.uid, dead[0].attempts), (poison.uid, 4));
    assert!(dead[0].raw.is_some(), "the request's bytes are kept with it");
    // The provider's own redelivery of what is buried is recognised.
    house.accept(vec![poison]).await;
    house.settled().await;
    engine.stop().await;
    assert_eq!(house.books().await.difference(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_for_a_while_delays_leads_and_loses_none() {
    let house = House::open();
    let engine = house.engine();
    house.spy.fault(Fault::Commits(3));
    house.accept(posts(1..=10)).await;
    house.settled().await;
    assert_eq!(house.verdict(Verdict::Lead).await, 10);
    assert_eq!(house.events().await.len(), 10);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_whose_workspace_was_claimed_by_another_commits_nothing_more_under_its_old_claim() {
    let house = House::open();
    let engine = house.engine();
    house.accept(posts(1..=5)).await;
    house.settled().await;
    // Somebody else takes over; the engine notices at its next commit and ends, and whoever comes next goes on.
    house.ledger.claim(&house.workspace).await.unwrap();
    house.accept(posts(6..=10)).await;
    engine.ended().await;
    assert_eq!(house.failures("fenced"), 1);
    assert_eq!(house.events().await.len(), 5, "nothing was committed under the old claim");
    let next = house.engine();
    house.settled().await;
    assert_eq!(house.events().await.len(), 10);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unclean_stop_the_next_engine_goes_on_where_the_last_commit_was() {
    let house = House::open();
    let engine = house.engine();
    house.accept(posts(1..=300)).await;
    engine.kill().await;
    house.accept(posts(301..=320)).await;
    let next = house.engine();
    house.settled().await;
    assert_eq!(house.events().await.len(), 320);
    let ids: BTreeSet<_> = house.events().await.into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 320);
    next.stop().await;
    assert!(!house.ledger.claim(&house.workspace).await.unwrap().unclean, "a clean stop says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_runs_without_anybody_knocking() {
    let house = House::with_rules(|rules| rules.first_contact = Duration::from_millis(400));
    let engine = house.engine();
    house.accept(vec![house::post_now(1)]).await;
    let breached = house.until(|events| events.iter().any(|event| event.kind == "lead.sla_breached")).await;
    let kinds: Vec<_> = breached.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["lead.created", "lead.sla_warning", "lead.sla_warning", "lead.sla_breached"]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rules_take_effect_at_the_next_batch() {
    let house = House::open();
    let engine = house.engine();
    house.accept(vec![post(1)]).await;
    house.settled().await;
    house.change_rules(|rules| rules.people.clear());
    house.accept(vec![post(2)]).await;
    house.settled().await;
    let events = house.events().await;
    assert!(events[0].json.contains(r#""owner":"anna""#));
    assert!(events[1].json.contains(r#""owner":null"#));
    assert_eq!(house.ledger.queue(&house.workspace, 9).await.unwrap().len(), 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_was_committed() {
    let house = House::open();
    let engine = house.engine();
    house.spy.fault(Fault::Commits(2));
    house.accept(posts(1..=7)).await;
    house.settled().await;
    let channel = ChannelId::new("landing");
    let counted = house.metrics.signals.with_label_values(&["shop", channel.as_str(), "lead"]).get();
    assert_eq!(counted, 7, "a batch that was undone was never counted");
    engine.stop().await;
}
