//! Which workspaces are in force? The files together: each right in itself, and no channel twice.
//!
//! A file with a problem falls back to what it said before, where that is known. A fallback may hold a channel that
//! another file now claims; then the claim is the problem, because the one before must keep serving.

use super::File;
use super::problem::Problem;
use super::workspace::{self, Context, Parsed};
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A workspace in force.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) parsed: Parsed,
    /// What the file said when it was right. It may hold secrets.
    pub(crate) text: Arc<str>,
    /// The file says something else now, which is wrong.
    pub(crate) stale: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) held: BTreeMap<WorkspaceId, Held>,
    pub(crate) problems: Vec<Problem>,
    /// Files that are wrong and were never right.
    pub(crate) lost: Vec<WorkspaceId>,
}

/// What a workspace was before.
pub(crate) type Before<'a> = &'a dyn Fn(&WorkspaceId) -> Option<Held>;

pub(crate) fn assemble(files: &[File], context: &Context<'_>, before: Before<'_>) -> Set {
    let mut problems = Vec::new();
    let mut fresh = BTreeMap::new();
    for file in files {
        match read(file, context) {
            Ok(held) => drop(fresh.insert(WorkspaceId::new(&file.id), held)),
            Err(found) => problems.extend(found),
        }
    }
    let ids: BTreeSet<WorkspaceId> = files.iter().map(|file| WorkspaceId::new(&file.id)).collect();
    let old: BTreeMap<&WorkspaceId, Held> = ids.iter().filter_map(|id| Some((id, before(id)?))).collect();
    loop {
        let (held, clash) = together(&ids, &fresh, &old);
        let Some((loser, problem)) = clash else {
            let lost = ids.iter().filter(|id| !held.contains_key(*id)).cloned().collect();
            return Set { held, problems, lost };
        };
        fresh.remove(&loser);
        problems.push(problem);
    }
}

fn read(file: &File, context: &Context<'_>) -> Result<Held, Vec<Problem>> {
    let text = file.text.as_ref().map_err(|problem| vec![problem.clone()])?;
    let parsed = workspace::read(&file.name, &file.id, text, context)?;
    Ok(Held { parsed, text: Arc::from(text.as_str()), stale: false })
}

/// Fallbacks first, then what did not change, then what did: who comes later has to give way.
fn together(
    ids: &BTreeSet<WorkspaceId>,
    fresh: &BTreeMap<WorkspaceId, Held>,
    old: &BTreeMap<&WorkspaceId, Held>,
) -> (BTreeMap<WorkspaceId, Held>, Option<(WorkspaceId, Problem)>) {
    let pick = |id: &WorkspaceId| match (fresh.get(id), old.get(id)) {
        (Some(new), Some(old)) => Some((if new.text == old.text { 1 } else { 2 }, new.clone())),
        (Some(new), None) => Some((2, new.clone())),
        (None, Some(old)) => Some((0, Held { stale: true, ..old.clone() })),
        (None, None) => None,
    };
    let mut all: Vec<(u8, WorkspaceId, Held)> =
        ids.iter().filter_map(|id| pick(id).map(|(rank, held)| (rank, id.clone(), held))).collect();
    all.sort_by_key(|(rank, ..)| *rank);
    let mut owners: BTreeMap<ChannelId, WorkspaceId> = BTreeMap::new();
    let mut held = BTreeMap::new();
    for (_, id, one) in all {
        let taken = one.parsed.channel_spots.iter().find_map(|(channel, spot)| Some((owners.get(channel)?, spot)));
        match taken {
            Some((owner, spot)) if !one.stale => {
                let expected = format!("an id no other channel has: workspace {owner} has the same");
                return (held, Some((id, spot.wrong(expected))));
            }
            // Two fallbacks that were never in force together: the second cannot be kept.
            Some(_) => {}
            None => {
                owners.extend(one.parsed.channel_spots.iter().map(|(channel, _)| (channel.clone(), id.clone())));
                held.insert(id, one);
            }
        }
    }
    (held, None)
}
