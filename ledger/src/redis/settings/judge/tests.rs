//! Is every rule of the settings heard, and silent when it should be?

use super::*;
use Durability::{Aof, Replicated};
use Weight::{Note, Page, Warn};

/// A server as deploy/redis.conf sets it.
fn fine() -> Facts {
    let settings = [
        ("appendfsync", "always"),
        ("no-appendfsync-on-rewrite", "no"),
        ("min-replicas-to-write", "0"),
        ("min-replicas-max-lag", "10"),
        ("timeout", "0"),
        ("tcp-keepalive", "60"),
    ];
    Facts {
        version: "8.2.2".to_owned(),
        aof: true,
        aof_write: "ok".to_owned(),
        aof_rewrite: "ok".to_owned(),
        snapshot: "ok".to_owned(),
        maxmemory: 1 << 30,
        policy: "noeviction".to_owned(),
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        user: Some("leadgate".to_owned()),
        ..Facts::default()
    }
}

fn set(name: &'static str, value: &'static str) -> impl Fn(&mut Facts) {
    move |facts| {
        facts.settings.insert(name.to_owned(), value.to_owned());
    }
}

fn found(change: impl Fn(&mut Facts), durability: Durability) -> Vec<(&'static str, Weight, String)> {
    let mut facts = fine();
    change(&mut facts);
    judge(&facts, durability).into_iter().map(|found| (found.setting, found.weight, found.found)).collect()
}

#[test]
fn a_server_that_is_set_right_hears_nothing() {
    assert_eq!(found(|_| {}, Aof), []);
    let guarded = |facts: &mut Facts| {
        facts.replicas = 1;
        set("min-replicas-to-write", "1")(facts);
        set("min-replicas-max-lag", "5")(facts);
    };
    assert_eq!(found(guarded, Aof), []);
    assert_eq!(found(guarded, Replicated), []);
}

type Case = (&'static str, Weight, &'static str, Box<dyn Fn(&mut Facts)>);

fn cases() -> Vec<Case> {
    let replica = |facts: &mut Facts| facts.replica = Some("down".to_owned());
    let with_replica = |name: &'static str, value: &'static str| {
        move |facts: &mut Facts| {
            facts.replicas = 1;
            set("min-replicas-to-write", "1")(facts);
            set("min-replicas-max-lag", "5")(facts);
            set(name, value)(facts);
        }
    };
    let policy = |name: &'static str| move |facts: &mut Facts| facts.policy = name.to_owned();
    vec![
        ("role", Page, "replica, link to its master down", Box::new(replica)),
        ("appendonly", Warn, "no", Box::new(|facts| facts.aof = false)),
        ("appendfsync", Note, "everysec", Box::new(set("appendfsync", "everysec"))),
        ("appendfsync", Warn, "no", Box::new(set("appendfsync", "no"))),
        ("no-appendfsync-on-rewrite", Warn, "yes", Box::new(set("no-appendfsync-on-rewrite", "yes"))),
        ("aof_last_write_status", Page, "err", Box::new(|facts| facts.aof_write = "err".to_owned())),
        ("aof_last_bgrewrite_status", Page, "err", Box::new(|facts| facts.aof_rewrite = "err".to_owned())),
        ("rdb_last_bgsave_status", Page, "err", Box::new(|facts| facts.snapshot = "err".to_owned())),
        ("maxmemory", Warn, "0", Box::new(|facts| facts.maxmemory = 0)),
        ("maxmemory-policy", Page, "allkeys-lru", Box::new(policy("allkeys-lru"))),
        ("maxmemory-policy", Page, "allkeys-random", Box::new(policy("allkeys-random"))),
        ("maxmemory-policy", Warn, "volatile-ttl", Box::new(policy("volatile-ttl"))),
        ("evicted_keys", Page, "7", Box::new(|facts| facts.evicted = 7)),
        ("min-replicas-to-write", Warn, "0", Box::new(with_replica("min-replicas-to-write", "0"))),
        ("min-replicas-max-lag", Warn, "6", Box::new(with_replica("min-replicas-max-lag", "6"))),
        ("min-replicas-max-lag", Warn, "0", Box::new(with_replica("min-replicas-max-lag", "0"))),
        ("timeout", Warn, "300", Box::new(set("timeout", "300"))),
        ("tcp-keepalive", Note, "300", Box::new(set("tcp-keepalive", "300"))),
        ("tcp-keepalive", Note, "0", Box::new(set("tcp-keepalive", "0"))),
        (
            "config-get",
            Warn,
            "refused",
            Box::new(|facts| {
                facts.denied = true;
                facts.settings.clear();
            }),
        ),
        ("config-get", Note, "not told", Box::new(|facts| drop(facts.settings.remove("timeout")))),
        ("user", Warn, "default", Box::new(|facts| facts.user = Some("default".to_owned()))),
        ("user", Warn, "administrator", Box::new(|facts| facts.admin = true)),
        ("version", Note, "7.0.15", Box::new(|facts| facts.version = "7.0.15".to_owned())),
        ("version", Note, "7.2.10", Box::new(|facts| facts.version = "7.2.10".to_owned())),
    ]
}

#[test]
fn each_setting_that_is_wrong_is_found_alone() {
    for (setting, weight, value, change) in cases() {
        assert_eq!(found(change, Aof), [(setting, weight, value.to_owned())]);
    }
}

#[test]
fn every_rule_has_a_case() {
    let mut heard: Vec<&str> = cases().into_iter().map(|(setting, ..)| setting).collect();
    // Of replicas only, below.
    heard.push("connected_slaves");
    assert_eq!(names().filter(|name| !heard.contains(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn where_replicas_are_the_proof_they_are_what_matters() {
    let alone = [
        ("connected_slaves", Page, "0".to_owned()),
        ("min-replicas-to-write", Warn, "0".to_owned()),
        ("min-replicas-max-lag", Warn, "10".to_owned()),
    ];
    assert_eq!(found(|_| {}, Replicated), alone);
    let guarded = |facts: &mut Facts| {
        facts.replicas = 1;
        facts.aof = false;
        set("min-replicas-to-write", "1")(facts);
        set("min-replicas-max-lag", "1")(facts);
        set("appendfsync", "no")(facts);
    };
    assert_eq!(found(guarded, Replicated), [("appendonly", Note, "no".to_owned())]);
}

#[test]
fn releases_that_closed_the_hole_are_not_noted() {
    for version in ["7.2.11", "7.4.6", "8.0.4", "8.2.2", "8.4.0", "10.0.0", ""] {
        assert_eq!(found(|facts| facts.version = version.to_owned(), Aof), [], "{version}");
    }
    let fork = |facts: &mut Facts| {
        facts.version = "7.2.4".to_owned();
        facts.fork = true;
    };
    assert_eq!(found(fork, Aof), []);
}

#[test]
fn a_sentence_says_what_is_wrong_and_what_to_set() {
    let mut facts = fine();
    facts.aof = false;
    facts.policy = "allkeys-lru".to_owned();
    let told: Vec<String> = judge(&facts, Aof).into_iter().map(|found| found.sentence).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    appendonly is no, so a crash of Redis loses what it had taken and no row counts as safe; set appendonly yes
    maxmemory-policy is allkeys-lru, so Redis throws leads away when it is full; set maxmemory-policy noeviction
    ");
}
