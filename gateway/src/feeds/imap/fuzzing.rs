//! How does `tests/fuzz` play a server that says anything at all? It has a dialogue as the feed has one, over a wire of
//! its own, and hears which mails came out.

use super::answer::{Answer, Fetched};
use super::dialogue::Dialogue;
use crate::feeds::dial::Wire;
use bytes::Bytes;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The mails of a server's answers, each no longer than `keep`, up to the answer that ends the talk.
#[doc(hidden)]
pub async fn imap(wire: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, keep: usize) -> Vec<Bytes> {
    let mut mails = Vec::new();
    // What ended it does not matter: every end is one.
    let _ = talk(Box::new(wire), keep, &mut mails).await;
    mails
}

async fn talk(wire: Wire, keep: usize, mails: &mut Vec<Bytes>) -> Result<(), super::Failure> {
    let mut dialogue = Dialogue::begin(wire, keep).await?;
    let mut take = |answer| {
        if let Answer::Fetched(Fetched { body: Some(body), .. }) = answer {
            mails.push(body.bytes);
        }
    };
    dialogue.ask_on("AUTHENTICATE PLAIN", Some(""), &mut take).await?;
    dialogue.ask("UID SEARCH UID 1:*", &mut take).await?;
    dialogue.ask("UID FETCH 1,2 (UID BODY.PEEK[])", &mut take).await?;
    dialogue.idle(Duration::ZERO).await?;
    dialogue.ask("UID FETCH 3 (UID BODY.PEEK[])", take).await
}
