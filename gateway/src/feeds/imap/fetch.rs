//! How does a gap of any length come in? Some mails at a time, the position moving behind each part that is durable.

use super::answer::{Answer, Literal, Outcome};
use super::dialogue::Dialogue;
use super::place::Place;
use crate::feeds::Failure;
use crate::feeds::line::Line;
use crate::sources::Request;
use crate::sources::imap::CUT;
use std::collections::BTreeMap;

/// Mails whose sizes are asked at once.
const CHUNK: usize = 100;
/// Bytes of mails that are fetched and stored at once, unless one alone is longer.
const PART: u64 = 4 << 20;

/// Reads until nothing new is there.
pub(super) async fn all(line: &Line, dialogue: &mut Dialogue, place: &mut Place) -> Result<(), Failure> {
    loop {
        let (mut found, mut more) = (Vec::new(), false);
        let take = |answer| match answer {
            Answer::Found(uids) => found.extend(uids),
            Answer::Exists => more = true,
            _ => {}
        };
        dialogue.ask(&place.search(), take).await?;
        let unread = place.unread(found);
        if unread.is_empty() && !more {
            return Ok(());
        }
        if unread.len() > CHUNK {
            tracing::info!(channel = line.name(), mails = unread.len(), "feed.catching_up: mails have waited");
        }
        for chunk in unread.chunks(CHUNK) {
            let sizes = sizes(dialogue, chunk).await?;
            for part in parts(&sizes, line.gateway.config.limits.mail.0) {
                take_part(line, dialogue, place, &part).await?;
            }
            // The last ones may have been deleted before they were read.
            place.past(chunk.last().copied().unwrap_or_default());
        }
        line.note(&place.written()).await;
    }
}

/// The UID of the last mail, zero where there is none.
pub(super) async fn last(dialogue: &mut Dialogue) -> Result<u32, Failure> {
    let mut last = 0;
    let take = |answer| {
        if let Answer::Found(uids) = answer {
            last = uids.into_iter().fold(last, u32::max);
        }
    };
    dialogue.ask("UID SEARCH ALL", take).await?;
    Ok(last)
}

/// What is fetched and stored together.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole(Vec<u32>),
    /// Too long: only its head.
    Head(u32),
}

impl Part {
    fn last(&self) -> u32 {
        match self {
            Part::Whole(uids) => uids.last().copied().unwrap_or_default(),
            Part::Head(uid) => *uid,
        }
    }
}

fn parts(sizes: &BTreeMap<u32, u64>, longest: u64) -> Vec<Part> {
    let (mut parts, mut part, mut filled) = (Vec::new(), Vec::new(), 0);
    for (uid, size) in sizes {
        if !part.is_empty() && (filled + size > PART || *size > longest) {
            parts.push(Part::Whole(std::mem::take(&mut part)));
            filled = 0;
        }
        if *size > longest {
            parts.push(Part::Head(*uid));
        } else {
            part.push(*uid);
            filled += size;
        }
    }
    if !part.is_empty() {
        parts.push(Part::Whole(part));
    }
    parts
}

async fn sizes(dialogue: &mut Dialogue, uids: &[u32]) -> Result<BTreeMap<u32, u64>, Failure> {
    let mut sizes = BTreeMap::new();
    let take = |answer| {
        if let Answer::Fetched(one) = answer
            && let (Some(uid), Some(size)) = (one.uid, one.size)
        {
            sizes.insert(uid, u64::from(size));
        }
    };
    dialogue.ask(&format!("UID FETCH {} (UID RFC822.SIZE)", list(uids)), take).await?;
    sizes.retain(|uid, _| uids.binary_search(uid).is_ok());
    Ok(sizes)
}

async fn take_part(line: &Line, dialogue: &mut Dialogue, place: &mut Place, part: &Part) -> Result<(), Failure> {
    let requests = match part {
        Part::Whole(uids) => whole(line, dialogue, uids).await?,
        Part::Head(uid) => {
            tracing::warn!(
                channel = line.name(),
                uid,
                "feed.cut: a mail is longer than limits.mail; only its head is read"
            );
            vec![head(line, dialogue, *uid).await?]
        }
    };
    line.take(requests).await?;
    place.past(part.last());
    line.note(&place.written()).await;
    Ok(())
}

/// Several mails at once; where the server does not hand them out, each alone, so that one that it cannot read itself
/// does not stand in the way of the others. A mail that is simply not there was deleted.
async fn whole(line: &Line, dialogue: &mut Dialogue, uids: &[u32]) -> Result<Vec<Request>, Failure> {
    let (mut mails, outcome) = bodies(dialogue, uids, "BODY.PEEK[]").await?;
    if outcome == Outcome::Later {
        return Err(Failure::Away("the server asks for patience"));
    }
    let mut heads = Vec::new();
    for uid in uids.iter().filter(|_| outcome == Outcome::No) {
        let (one, outcome) = bodies(dialogue, &[*uid], "BODY.PEEK[]").await?;
        if outcome == Outcome::No && one.is_empty() {
            tracing::warn!(channel = line.name(), uid, "feed.withheld: the server does not hand out a mail");
            heads.push(head(line, dialogue, *uid).await?);
        }
        mails.extend(one);
    }
    Ok(requests(line, mails).into_iter().chain(heads).collect())
}

fn requests(line: &Line, mails: BTreeMap<u32, Literal>) -> Vec<Request> {
    mails.into_values().map(|mail| request(line, mail)).collect()
}

fn request(line: &Line, mail: Literal) -> Request {
    let mut request = line.request("message/rfc822", mail.bytes);
    if mail.cut {
        CUT.clone_into(&mut request.rest);
    }
    request
}

/// The head of a mail; where the server does not even tell that, a line for those who look after the quarantine.
async fn head(line: &Line, dialogue: &mut Dialogue, uid: u32) -> Result<Request, Failure> {
    let (mut mails, _) = bodies(dialogue, &[uid], "BODY.PEEK[HEADER]").await?;
    let missing = || Literal { bytes: format!("The server did not hand out mail {uid}.\r\n").into(), cut: true };
    let mail = mails.remove(&uid).unwrap_or_else(missing);
    Ok(request(line, Literal { cut: true, ..mail }))
}

async fn bodies(
    dialogue: &mut Dialogue,
    uids: &[u32],
    what: &str,
) -> Result<(BTreeMap<u32, Literal>, Outcome), Failure> {
    let mut mails = BTreeMap::new();
    let take = |answer| {
        if let Answer::Fetched(one) = answer
            && let (Some(uid), Some(body)) = (one.uid, one.body)
        {
            mails.insert(uid, body);
        }
    };
    let outcome = dialogue.ask_on(&format!("UID FETCH {} (UID {what})", list(uids)), None, take).await?;
    mails.retain(|uid, _| uids.binary_search(uid).is_ok());
    Ok((mails, outcome))
}

fn list(uids: &[u32]) -> String {
    uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_mails_go_alone_and_too_long_ones_as_their_heads() {
        let sizes = |sizes: &[u64]| (1..).zip(sizes.iter().copied()).collect::<BTreeMap<u32, u64>>();
        let whole = |uids: &[u32]| Part::Whole(uids.to_vec());
        for (given, expected) in [
            (vec![], vec![]),
            (vec![1, 2, 3], vec![whole(&[1, 2, 3])]),
            (vec![PART, 1, PART - 1, 1], vec![whole(&[1]), whole(&[2, 3]), whole(&[4])]),
            (vec![1, PART * 2, 1], vec![whole(&[1]), whole(&[2]), whole(&[3])]),
            (vec![1, PART * 9, 1], vec![whole(&[1]), Part::Head(2), whole(&[3])]),
        ] {
            assert_eq!(parts(&sizes(&given), PART * 4), expected, "{given:?}");
        }
    }
}
