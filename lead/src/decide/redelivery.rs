//! Have we had this one already?
//!
//! The rule: the same uid again, or the same content without an id within `same_post_window`, is a redelivery:
//! counted, never a second touch. The window runs from the first post, not from the last.

use super::{Case, Work};
use crate::books::Verdict;
use crate::changes::Measure;
use crate::entry::Entry;
use crate::facts::Need;
use crate::ids;
use crate::record::{Key, Record};
use crate::state::{Same, Seen};

/// Of the content, for entries whose id the provider gave; the others cannot come again with another body.
pub(super) fn digest(entry: &Entry) -> u32 {
    if entry.same.is_some() {
        return 0;
    }
    let content = rmp_serde::to_vec(&entry.signal).expect("a signal holds nothing that MessagePack cannot say");
    let [a, b, c, d, ..] = ids::digest("content", &[&content]);
    u32::from_be_bytes([a, b, c, d])
}

pub(super) fn check(work: &mut Work<'_>, case: &Case<'_>) -> Result<Option<Verdict>, Need> {
    let entry = case.entry;
    if let Some(seen) = work.facts().seen(entry.uid)? {
        if seen.digest != case.digest {
            work.measure(Measure::IdConflict { channel: entry.channel.clone() });
        }
        return Ok(Some(Verdict::Redelivered));
    }
    work.put(Key::Seen(entry.uid), Some(Record::Seen(Seen { at: entry.received_at, digest: case.digest })));
    let Some(content) = entry.same else { return Ok(None) };
    if let Some(first) = work.facts().same(content)? {
        let apart = entry.received_at.since(first.at).max(first.at.since(entry.received_at));
        if apart < work.rules.same_post_window {
            return Ok(Some(Verdict::Redelivered));
        }
    }
    work.put(Key::Same(content), Some(Record::Same(Same { at: entry.received_at, uid: entry.uid })));
    Ok(None)
}
