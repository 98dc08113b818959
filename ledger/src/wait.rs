//! How does a reader wait for news without asking all the time?

use crate::error::{Error, Result};
use std::time::Duration;
use tokio::sync::watch;

/// Asks until there is an answer or the time is up; `changed` says when asking again makes sense.
pub(crate) async fn until<T, W, F, Fut>(wait: Duration, mut changed: watch::Receiver<W>, mut ask: F) -> Result<Vec<T>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Vec<T>>>,
{
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        changed.mark_unchanged();
        let found = ask().await?;
        if !found.is_empty() || wait.is_zero() {
            return Ok(found);
        }
        match tokio::time::timeout_at(deadline, changed.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Error::Closed),
            Err(_) => return Ok(Vec::new()),
        }
    }
}
