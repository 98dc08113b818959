//! Who keeps asking whether the server is set right? Every half minute, and at once on every new connection.
//!
//! It waits on its connection, not beside it: a server that goes away ends the wait, and the one that comes back is
//! asked first of all.

use super::{Facts, Finding, Weight, ask, judge};
use crate::error::{Error, Result};
use crate::redis::Redis;
use crate::redis::forward::Durability;
use crate::redis::link::{self, PATIENCE};
use ::redis::Pipeline;
use ::redis::aio::MultiplexedConnection;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How old what is known may become.
const EVERY: Duration = Duration::from_secs(30);
/// A stream that nobody ever writes.
const NOTHING: &str = "lg:nothing";
/// Waits between attempts to reach a server that is away.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// See the module. What was found last stays published while the server is away.
pub struct Watch {
    pub redis: Arc<Redis>,
    pub durability: Durability,
    pub findings: watch::Sender<Vec<Finding>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("durability", &self.durability).finish_non_exhaustive()
    }
}

impl Watch {
    /// Runs until `stop`, and through every failure of the server.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        loop {
            let error = tokio::select! {
                error = self.session(&mut failures) => error,
                () = stop.cancelled() => return,
            };
            // That it is away is told by whoever needs it for more than questions.
            if failures == 0 && !matches!(error, Error::Away(_)) {
                tracing::warn!(%error, "store.settings_unknown: the settings of Redis cannot be read");
            }
            let wait = AGAIN[failures.min(AGAIN.len() - 1)];
            failures += 1;
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = stop.cancelled() => return }
        }
    }

    /// One connection's time; ends with what went wrong.
    async fn session(&self, failures: &mut usize) -> Error {
        let mut connection = match self.redis.dial.dial(PATIENCE + EVERY).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        loop {
            match tokio::time::timeout(PATIENCE, ask(&mut connection)).await {
                Ok(Ok(facts)) => self.publish(&facts),
                Ok(Err(error)) => return error,
                Err(_) => return Error::Away("no answer in time"),
            }
            *failures = 0;
            if let Err(error) = sleep(&mut connection).await {
                return error;
            }
        }
    }

    fn publish(&self, facts: &Facts) {
        let found = judge(facts, self.durability);
        self.findings.send_if_modified(|known| {
            changes(known, &found).iter().for_each(tell);
            std::mem::replace(known, found.clone()) != found
        });
    }
}

/// Waits for what never comes: only time, or the end of the connection, ends that.
async fn sleep(connection: &mut MultiplexedConnection) -> Result<()> {
    let mut wait = Pipeline::new();
    let read = wait.cmd("XREAD").arg("BLOCK").arg(EVERY.as_millis() as u64);
    read.arg("STREAMS").arg(NOTHING).arg("$");
    link::ask(connection, &wait).await.map(drop)
}

#[derive(Debug, PartialEq)]
enum Change<'a> {
    New(&'a Finding),
    Mended(&'a Finding),
}

/// A figure that only moves is not told again.
fn changes<'a>(known: &'a [Finding], found: &'a [Finding]) -> Vec<Change<'a>> {
    let same = |one: &Finding, other: &Finding| (one.setting, one.weight) == (other.setting, other.weight);
    let new = found.iter().filter(|now| !known.iter().any(|old| same(old, now))).map(Change::New);
    let mended = known.iter().filter(|old| found.iter().all(|now| now.setting != old.setting)).map(Change::Mended);
    new.chain(mended).collect()
}

fn tell(change: &Change<'_>) {
    match change {
        Change::Mended(Finding { setting, .. }) => {
            tracing::info!(setting, "store.setting_mended: a setting of Redis is as it should be again");
        }
        Change::New(Finding { setting, weight, found, sentence }) => match weight {
            Weight::Page => tracing::error!(setting, found, "store.setting: {sentence}"),
            Weight::Warn => tracing::warn!(setting, found, "store.setting: {sentence}"),
            Weight::Note => tracing::info!(setting, found, "store.setting: {sentence}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(setting: &'static str, weight: Weight, found: &str) -> Finding {
        Finding { setting, weight, found: found.to_owned(), sentence: String::new() }
    }

    #[test]
    fn only_what_changed_is_told() {
        let one = std::slice::from_ref;
        let few = finding("evicted_keys", Weight::Page, "3");
        let more = finding("evicted_keys", Weight::Page, "9");
        let note = finding("appendfsync", Weight::Note, "everysec");
        let warn = finding("appendfsync", Weight::Warn, "no");
        assert_eq!(changes(&[], one(&few)), [Change::New(&few)]);
        assert_eq!(changes(one(&few), one(&more)), []);
        assert_eq!(changes(one(&note), one(&warn)), [Change::New(&warn)]);
        assert_eq!(changes(&[few.clone(), note.clone()], one(&note)), [Change::Mended(&few)]);
        assert_eq!(changes(one(&few), one(&note)), [Change::New(&note), Change::Mended(&few)]);
    }
}
