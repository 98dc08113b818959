//! Is this somebody we do not want to hear from?
//!
//! The rule: one matching entry of the list, from the file or added at run time, sets the touch aside with the
//! entry's reason. It is stored and counted, no lead is published, and an existing lead is never touched.

use super::Work;
use super::identify::Claim;
use crate::facts::Need;
use crate::identity::{Identity, Matcher};
use crate::rules::Exclusion;

/// The entry that matches, `phone:+7495…: supplier`.
pub(super) fn check(work: &Work<'_>, claims: &[Claim]) -> Result<Option<String>, Need> {
    for claim in claims {
        let counts = |listed: &&Exclusion| listed.expires.is_none_or(|end| end > work.now);
        let listed =
            work.rules.exclusions.iter().filter(counts).find(|listed| matches(&listed.matcher, &claim.identity));
        if let Some(listed) = listed {
            return Ok(Some(format!("{}: {}", kind(&listed.matcher), listed.reason)));
        }
    }
    let floor = work.floor()?;
    if floor.exclusions == 0 {
        return Ok(None);
    }
    for matcher in claims.iter().flat_map(|claim| lookups(&claim.identity, &floor.prefixes)) {
        let found = work.facts().exclusion(&matcher)?;
        if let Some(found) = found.filter(|found| found.expires_at.is_none_or(|end| end > work.now)) {
            let kind = found.matcher.split(':').next().unwrap_or_default();
            return Ok(Some(format!("{kind}: {}", found.reason)));
        }
    }
    Ok(None)
}

pub fn matches(matcher: &Matcher, identity: &Identity) -> bool {
    match (matcher, identity) {
        (Matcher::One(one), _) => one == identity,
        (Matcher::Domain(domain), Identity::Email(address)) => within(address, domain),
        (Matcher::Prefix(prefix), Identity::Phone(number)) => number.starts_with(prefix),
        _ => false,
    }
}

fn within(address: &str, domain: &str) -> bool {
    let host = address.rsplit('@').next().unwrap_or_default();
    host == domain || host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.'))
}

/// The names under which an exclusion of this identity may be stored.
pub(super) fn lookups(identity: &Identity, prefixes: &std::collections::BTreeSet<String>) -> Vec<String> {
    let mut names = vec![Matcher::One(identity.clone()).to_string()];
    match identity {
        Identity::Email(address) => {
            let mut host = address.rsplit('@').next().unwrap_or_default();
            while host.contains('.') {
                names.push(Matcher::Domain(host.to_owned()).to_string());
                host = host.split_once('.').map_or("", |(_, parent)| parent);
            }
        }
        Identity::Phone(number) => {
            let starts = prefixes.iter().filter(|prefix| number.starts_with(prefix.as_str()));
            names.extend(starts.map(|prefix| Matcher::Prefix(prefix.clone()).to_string()));
        }
        Identity::Handle(..) => {}
    }
    names
}

fn kind(matcher: &Matcher) -> &'static str {
    match matcher {
        Matcher::One(identity) => identity.kind(),
        Matcher::Domain(_) => "domain",
        Matcher::Prefix(_) => "prefix",
    }
}
