//! What is wrong with the settings of a server, and what should be set? One rule a setting, in one table.
//!
//! `Page` is for what is losing something, or will at the next crash without anybody noticing; `Warn` for what costs
//! safety that the product makes up for as long as its journal lasts; `Note` for what is worth knowing.

use super::Facts;
use crate::redis::forward::Durability;
use serde::Serialize;
use std::fmt;

/// How much it matters.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    Note,
    Warn,
    Page,
}

/// One setting that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of [`names`].
    pub setting: &'static str,
    pub weight: Weight,
    pub found: String,
    /// What is wrong, and what to set.
    pub sentence: String,
}

/// Every setting that is judged, in the order of the findings.
pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(name, _)| *name)
}

/// The findings, in the order of [`names`]; none is good.
pub fn judge(facts: &Facts, durability: Durability) -> Vec<Finding> {
    let judged = |(setting, rule): &(&'static str, Rule)| {
        let Wrong(weight, found, sentence) = rule(facts, durability)?;
        Some(Finding { setting, weight, found, sentence })
    };
    RULES.iter().filter_map(judged).collect()
}

struct Wrong(Weight, String, String);

type Rule = fn(&Facts, Durability) -> Option<Wrong>;

const RULES: [(&str, Rule); 18] = [
    ("role", role),
    ("appendonly", appendonly),
    ("appendfsync", appendfsync),
    ("no-appendfsync-on-rewrite", on_rewrite),
    ("aof_last_write_status", aof_write),
    ("aof_last_bgrewrite_status", aof_rewrite),
    ("rdb_last_bgsave_status", snapshot),
    ("maxmemory", maxmemory),
    ("maxmemory-policy", policy),
    ("evicted_keys", evicted),
    ("connected_slaves", replicas),
    ("min-replicas-to-write", min_replicas),
    ("min-replicas-max-lag", max_lag),
    ("timeout", timeout),
    ("tcp-keepalive", keepalive),
    ("config-get", config_get),
    ("user", user),
    ("version", version),
];

fn wrong(weight: Weight, found: impl fmt::Display, sentence: impl Into<String>) -> Option<Wrong> {
    Some(Wrong(weight, found.to_string(), sentence.into()))
}

fn role(facts: &Facts, _: Durability) -> Option<Wrong> {
    let link = facts.replica.as_deref()?;
    let found = format!("replica, link to its master {link}");
    wrong(Weight::Page, found, "this Redis is a replica and takes no writes; name its master in store.url")
}

fn appendonly(facts: &Facts, durability: Durability) -> Option<Wrong> {
    let weight = match durability {
        _ if facts.aof => return None,
        Durability::Aof => Weight::Warn,
        Durability::Replicated => Weight::Note,
    };
    let proof = if weight == Weight::Warn { " and no row counts as safe" } else { "" };
    let sentence = format!("appendonly is no, so a crash of Redis loses what it had taken{proof}; set appendonly yes");
    wrong(weight, "no", sentence)
}

fn appendfsync(facts: &Facts, durability: Durability) -> Option<Wrong> {
    let found = facts.setting("appendfsync").filter(|_| facts.aof && durability == Durability::Aof)?;
    match found {
        "always" => None,
        "everysec" => wrong(
            Weight::Note,
            found,
            "appendfsync is everysec, so a crash of the machine takes back up to two seconds, which are sent and decided again; set appendfsync always for none",
        ),
        _ => wrong(
            Weight::Warn,
            found,
            format!(
                "appendfsync is {found}, so nobody knows when what Redis took is on its disk; set appendfsync always"
            ),
        ),
    }
}

fn on_rewrite(facts: &Facts, _: Durability) -> Option<Wrong> {
    let found = facts.setting("no-appendfsync-on-rewrite").filter(|found| facts.aof && *found != "no")?;
    let sentence = "no-appendfsync-on-rewrite is on, so a crash while the append-only file is rewritten loses half a minute; set no-appendfsync-on-rewrite no";
    wrong(Weight::Warn, found, sentence)
}

fn aof_write(facts: &Facts, _: Durability) -> Option<Wrong> {
    let sentence = "Redis cannot write its append-only file; look at its disk and its log";
    failed(&facts.aof_write, sentence)
}

fn aof_rewrite(facts: &Facts, _: Durability) -> Option<Wrong> {
    let sentence = "Redis cannot rewrite its append-only file, which grows until the disk is full; look at its disk, its memory and vm.overcommit_memory, which should be 1";
    failed(&facts.aof_rewrite, sentence)
}

fn snapshot(facts: &Facts, _: Durability) -> Option<Wrong> {
    let sentence = "the last snapshot of Redis failed, and it may refuse writes until one succeeds; look at its disk, its memory and vm.overcommit_memory, which should be 1";
    failed(&facts.snapshot, sentence)
}

fn failed(status: &str, sentence: &str) -> Option<Wrong> {
    if status == "ok" { None } else { wrong(Weight::Page, status, sentence) }
}

fn maxmemory(facts: &Facts, _: Durability) -> Option<Wrong> {
    let sentence = "maxmemory is not set, so Redis grows until the system ends it; set maxmemory to what the machine can spare, at most half of it while the append-only file is rewritten there";
    if facts.maxmemory > 0 { None } else { wrong(Weight::Warn, 0, sentence) }
}

fn policy(facts: &Facts, _: Durability) -> Option<Wrong> {
    let policy = facts.policy.as_str();
    if matches!(policy, "noeviction" | "") {
        return None;
    }
    let (weight, throws) = if policy.starts_with("allkeys") {
        (Weight::Page, "throws leads away when it is full")
    } else {
        (Weight::Warn, "throws leases away when it is full")
    };
    wrong(weight, policy, format!("maxmemory-policy is {policy}, so Redis {throws}; set maxmemory-policy noeviction"))
}

fn evicted(facts: &Facts, _: Durability) -> Option<Wrong> {
    let count = facts.evicted;
    let sentence = format!(
        "Redis has thrown {count} keys away since its start, and they may have been leads; set maxmemory-policy noeviction, look at `leadgate books`, bring back from a backup what is missing, then clear this with CONFIG RESETSTAT"
    );
    if count == 0 { None } else { wrong(Weight::Page, count, sentence) }
}

fn replicas(facts: &Facts, durability: Durability) -> Option<Wrong> {
    if durability == Durability::Aof || facts.replicas > 0 || facts.replica.is_some() {
        return None;
    }
    let sentence = "store.durability is replicated and this Redis has no replica, so no row counts as safe and the journal keeps them all; start a replica, or set store.durability to aof";
    wrong(Weight::Page, 0, sentence)
}

fn min_replicas(facts: &Facts, durability: Durability) -> Option<Wrong> {
    let expected = facts.replicas > 0 || durability == Durability::Replicated;
    let found = facts.number("min-replicas-to-write").filter(|found| expected && *found == 0)?;
    let sentence = "min-replicas-to-write is 0, so a master that was cut off from its replicas goes on taking what a failover throws away; set min-replicas-to-write 1";
    wrong(Weight::Warn, found, sentence)
}

/// The longest that a replica may lag and still count, in seconds.
const LAG: u64 = 5;

fn max_lag(facts: &Facts, durability: Durability) -> Option<Wrong> {
    let expected = facts.replicas > 0 || durability == Durability::Replicated;
    let found = facts.number("min-replicas-max-lag").filter(|found| expected && (*found == 0 || *found > LAG))?;
    let sentence = format!(
        "min-replicas-max-lag is {found}, so a master may be cut off for long before it stops taking; set min-replicas-max-lag {LAG}"
    );
    wrong(Weight::Warn, found, sentence)
}

fn timeout(facts: &Facts, _: Durability) -> Option<Wrong> {
    let found = facts.number("timeout").filter(|found| *found > 0)?;
    let sentence = format!(
        "timeout is {found}, so Redis closes a worker's connection in a quiet hour and its work starts again; set timeout 0"
    );
    wrong(Weight::Warn, found, sentence)
}

/// A peer that is gone holds its connection no longer than this, in seconds.
const KEEPALIVE: u64 = 60;

fn keepalive(facts: &Facts, _: Durability) -> Option<Wrong> {
    let found = facts.number("tcp-keepalive").filter(|found| *found == 0 || *found > KEEPALIVE)?;
    let sentence = format!(
        "tcp-keepalive is {found}, so connections of machines that vanished stay open for long; set tcp-keepalive {KEEPALIVE}"
    );
    wrong(Weight::Note, found, sentence)
}

fn config_get(facts: &Facts, _: Durability) -> Option<Wrong> {
    let untold = facts.untold();
    if facts.denied {
        let sentence = "the Redis user may not read the settings, so they are taken for the weaker ones; grant it +config|get, as in deploy/redis.acl";
        return wrong(Weight::Warn, "refused", sentence);
    }
    let sentence = format!(
        "this Redis does not tell {}, so nobody can say whether they are right; ask whoever runs it",
        untold.join(", ")
    );
    if untold.is_empty() { None } else { wrong(Weight::Note, "not told", sentence) }
}

fn user(facts: &Facts, _: Durability) -> Option<Wrong> {
    let user = facts.user.as_deref()?;
    if user == "default" {
        let sentence = "leadgate comes as the user default, who may do everything, FLUSHALL too; give it a user of its own, as in deploy/redis.acl, and turn the user default off";
        return wrong(Weight::Warn, user, sentence);
    }
    let sentence = "the Redis user may administer the server; give it only the commands that leadgate sends, as in deploy/redis.acl";
    if facts.admin { wrong(Weight::Warn, "administrator", sentence) } else { None }
}

/// The releases that closed CVE-2025-49844, by their series. The series 7.0 has none.
const CLOSED: [(u32, u32, u32); 4] = [(7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)];

fn version(facts: &Facts, _: Durability) -> Option<Wrong> {
    let mut parts = facts.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let (major, minor, patch) = (next(), next(), next());
    let closed = match CLOSED.iter().find(|(a, b, _)| (*a, *b) == (major, minor)) {
        Some((_, _, first)) => patch >= *first,
        None => (major, minor) > (8, 2),
    };
    if closed || facts.fork || facts.version.is_empty() {
        return None;
    }
    let found = &facts.version;
    let sentence = format!(
        "Redis {found} was published with a hole in its Lua (CVE-2025-49844); update it, unless its packager has mended it. The user of deploy/redis.acl cannot reach the hole"
    );
    wrong(Weight::Note, found, sentence)
}

#[cfg(test)]
mod tests;
