//! Which feeds run in this gateway? Those of the configuration in force whose leases it holds.
//!
//! A lease that cannot be asked for changes nothing: a store that is away is no reason to lose a connection, and nobody
//! else can take the lease then either.

use super::line::Line;
use super::{Feed, feed};
use crate::channel::Channel;
use crate::channels::{ChannelTable, Entrance, State};
use crate::state::Gateway;
use lead::ids::{ChannelId, digest, short_hash};
use ledger::{Duty, SharedLedger};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Between two looks at the configuration and the leases.
const EVERY: Duration = Duration::from_secs(2);
/// A gateway that dies is missed after this long.
const LIFE: Duration = Duration::from_secs(15);

/// Keeps feeds until `stop`; what was fetched by then is in the journal.
pub async fn run(gateway: Arc<Gateway>, ledger: SharedLedger, stop: CancellationToken) {
    let holder = short_hash(&rand::random::<[u8; 16]>());
    let mut keeper = Keeper { gateway, ledger, holder, running: BTreeMap::new(), failing: false };
    while !stop.is_cancelled() {
        let table = keeper.gateway.channels.load_full();
        keeper.round(&wanted(&table)).await;
        stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
    keeper.round(&BTreeMap::new()).await;
}

struct Keeper {
    gateway: Arc<Gateway>,
    ledger: SharedLedger,
    /// This gateway, as no other calls itself.
    holder: String,
    running: BTreeMap<ChannelId, Running>,
    failing: bool,
}

#[derive(Debug)]
struct Running {
    entrance: Arc<Entrance>,
    print: [u8; 16],
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// A feed that should run somewhere, and what tells its configuration from another.
type Wanted = BTreeMap<ChannelId, (Arc<Entrance>, &'static Feed, [u8; 16])>;

fn wanted(table: &ChannelTable) -> Wanted {
    let open = table.iter().filter(|entrance| entrance.state == State::Open);
    let wanted = open.filter_map(|entrance| Some((Arc::clone(entrance), feed(&entrance.channel)?)));
    wanted
        .map(|(entrance, feed)| (entrance.channel.id.clone(), (Arc::clone(&entrance), feed, print(&entrance.channel))))
        .collect()
}

/// A channel that says the same keeps its connection. `Debug` shows everything but the secrets.
fn print(channel: &Channel) -> [u8; 16] {
    let mut parts = vec![format!("{channel:?}")];
    parts.extend(channel.secrets.iter().map(|secret| secret.expose_secret().to_owned()));
    for (name, values) in &channel.settings {
        parts.extend(values.iter().map(|value| format!("{name} {}", value.expose_secret())));
    }
    digest("feed", &parts.iter().map(String::as_bytes).collect::<Vec<_>>())
}

impl Keeper {
    async fn round(&mut self, wanted: &Wanted) {
        let changed = |(id, running): (&ChannelId, &Running)| {
            let same = wanted.get(id).is_some_and(|(.., print)| *print == running.print);
            (!same || running.task.is_finished()).then(|| id.clone())
        };
        let changed: Vec<ChannelId> = self.running.iter().filter_map(changed).collect();
        for id in changed {
            self.end(&id, !wanted.contains_key(&id)).await;
        }
        for (id, one) in wanted {
            self.keep(id, one).await;
        }
    }

    async fn keep(&mut self, id: &ChannelId, (entrance, feed, print): &(Arc<Entrance>, &'static Feed, [u8; 16])) {
        let leased = self.ledger.lease(&entrance.channel.workspace, Duty::Feed(id), &self.holder, LIFE).await;
        if let Err(error) = &leased
            && !self.failing
        {
            tracing::warn!(%error, "feed.lease_unknown: what runs goes on, and nothing new begins");
        }
        self.failing = leased.is_err();
        match leased {
            Ok(true) if !self.running.contains_key(id) => self.start(Arc::clone(entrance), feed, *print),
            Ok(false) if self.running.contains_key(id) => {
                tracing::info!(channel = id.as_str(), "feed.handed_over: another gateway keeps it now");
                self.end(id, false).await;
            }
            Ok(false) => self.gateway.metrics.feed_connected.with_label_values(&[id.as_str()]).set(0),
            Ok(true) | Err(_) => {}
        }
    }

    fn start(&mut self, entrance: Arc<Entrance>, feed: &'static Feed, print: [u8; 16]) {
        let stop = CancellationToken::new();
        let line = Line {
            gateway: Arc::clone(&self.gateway),
            ledger: Arc::clone(&self.ledger),
            entrance: Arc::clone(&entrance),
            stop: stop.clone(),
        };
        line.connected(false);
        let (id, task) = (entrance.channel.id.clone(), tokio::spawn((feed.run)(line)));
        self.running.insert(id, Running { entrance, print, task, stop });
    }

    /// Lets a feed end; `gone` for good, another gateway may have it.
    async fn end(&mut self, id: &ChannelId, gone: bool) {
        let Some(running) = self.running.remove(id) else { return };
        running.stop.cancel();
        let _ = running.task.await;
        if gone {
            let _ = self.gateway.metrics.feed_connected.remove_label_values(&[id.as_str()]);
            let workspace = &running.entrance.channel.workspace;
            // Whoever cannot say so waits for the lease to end.
            let _ = self.ledger.give_back(workspace, Duty::Feed(id), &self.holder).await;
        } else {
            self.gateway.metrics.feed_connected.with_label_values(&[id.as_str()]).set(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_channel_that_says_something_else_is_another() {
        let channel = |secret: &str, host: &str| Channel {
            secrets: vec![secret.to_owned().into()],
            settings: [("host", vec![host.to_owned().into()])].into(),
            ..Channel::new("mailbox".into(), "demo".into(), "imap")
        };
        let first = print(&channel("one", "a.example"));
        assert_eq!(first, print(&channel("one", "a.example")));
        for other in [channel("two", "a.example"), channel("one", "b.example")] {
            assert_ne!(first, print(&other));
        }
    }
}
