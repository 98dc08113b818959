//! What is a place in a list, seen from outside? An opaque text that fits only the list it came from: a mistyped or
//! borrowed cursor is refused instead of skipping or repeating leads.

use super::error::{Failure, Result};
use data_encoding::BASE32HEX_NOPAD;
use lead::ids::{LeadId, WorkspaceId, digest};
use lead::time::At;
use ledger::Position;

/// Which list a cursor belongs to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum List {
    Events,
    Leads,
    Aside,
    Exclusions,
}

impl List {
    const fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Leads => "leads",
            Self::Aside => "aside",
            Self::Exclusions => "exclusions",
        }
    }

    fn check(self, workspace: &WorkspaceId, place: &[u8]) -> [u8; 4] {
        let [a, b, c, d, ..] = digest("cursor", &[self.word().as_bytes(), workspace.as_str().as_bytes(), place]);
        [a, b, c, d]
    }

    fn write(self, workspace: &WorkspaceId, place: &[u8]) -> String {
        let sealed = [place, &self.check(workspace, place)].concat();
        BASE32HEX_NOPAD.encode(&sealed).to_ascii_lowercase()
    }

    fn read(self, workspace: &WorkspaceId, text: &str) -> Option<Vec<u8>> {
        let mut sealed = BASE32HEX_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        let check = sealed.split_off(sealed.len().checked_sub(4)?);
        (check == self.check(workspace, &sealed)).then_some(sealed)
    }
}

pub(super) fn position(list: List, workspace: &WorkspaceId, position: Position) -> String {
    list.write(workspace, &position.0.to_be_bytes())
}

pub(super) fn read_position(list: List, workspace: &WorkspaceId, text: &str) -> Result<Position> {
    let place: Option<[u8; 16]> = list.read(workspace, text).and_then(|place| place.try_into().ok());
    place.map(|place| Position(u128::from_be_bytes(place))).ok_or_else(refused)
}

pub(super) fn lead(workspace: &WorkspaceId, (at, id): (At, LeadId)) -> String {
    List::Leads.write(workspace, &[&at.millis().to_be_bytes()[..], id.bytes()].concat())
}

pub(super) fn read_lead(workspace: &WorkspaceId, text: &str) -> Result<(At, LeadId)> {
    let place = List::Leads.read(workspace, text).ok_or_else(refused)?;
    let (at, id) = place.split_first_chunk::<8>().ok_or_else(refused)?;
    let id = <[u8; 16]>::try_from(id).map_err(|_| refused())?;
    Ok((At::from_millis(i64::from_be_bytes(*at)), LeadId::from_bytes(id)))
}

pub(super) fn name(workspace: &WorkspaceId, name: &str) -> String {
    List::Exclusions.write(workspace, name.as_bytes())
}

pub(super) fn read_name(workspace: &WorkspaceId, text: &str) -> Result<String> {
    let place = List::Exclusions.read(workspace, text).ok_or_else(refused)?;
    String::from_utf8(place).map_err(|_| refused())
}

fn refused() -> Failure {
    Failure::invalid("this cursor is not one of this list's")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::ids::Uid;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let ws = WorkspaceId::new("demo");
        for place in [0, 1, 1 << 40, u128::MAX] {
            let text = position(List::Events, &ws, Position(place));
            assert_eq!(read_position(List::Events, &ws, &text).unwrap(), Position(place));
            assert_eq!(read_position(List::Events, &ws, &text.to_uppercase()).unwrap(), Position(place));
        }
        let lead_place = (At::from_secs(7), Uid::derived("a", "b", "c").lead());
        assert_eq!(read_lead(&ws, &lead(&ws, lead_place)).unwrap(), lead_place);
        assert_eq!(read_name(&ws, &name(&ws, "domain:b.c")).unwrap(), "domain:b.c");
    }

    #[test]
    fn a_cursor_of_another_list_workspace_or_making_is_refused() {
        let (ws, other) = (WorkspaceId::new("demo"), WorkspaceId::new("other"));
        let good = position(List::Events, &ws, Position(7));
        assert!(read_position(List::Aside, &ws, &good).is_err());
        assert!(read_position(List::Events, &other, &good).is_err());
        for bad in ["", "0", "7", "000000000000000000000", &good[1..], &format!("{good}0"), "ключ"] {
            assert!(read_position(List::Events, &ws, bad).is_err(), "{bad}");
            assert!(read_lead(&ws, bad).is_err() && read_name(&ws, bad).is_err(), "{bad}");
        }
    }
}
