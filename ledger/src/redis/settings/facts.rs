//! What does the server say of itself? INFO, CONFIG GET and ACL WHOAMI, as one value.

use std::collections::BTreeMap;

/// Settings that INFO does not tell.
pub(super) const ASKED: [&str; 6] = [
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "timeout",
    "tcp-keepalive",
];

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub version: String,
    /// Forks count their versions otherwise.
    pub fork: bool,
    pub aof: bool,
    /// `ok`, or what else it says of its last write to the append-only file, its last rewrite of it and its last
    /// snapshot.
    pub aof_write: String,
    pub aof_rewrite: String,
    pub snapshot: String,
    pub maxmemory: u64,
    pub policy: String,
    pub evicted: u64,
    /// The state of the link to its master, where it is a replica.
    pub replica: Option<String>,
    pub replicas: u64,
    /// Of [`ASKED`], what was told.
    pub settings: BTreeMap<String, String>,
    /// CONFIG GET was refused.
    pub denied: bool,
    /// None: not told.
    pub user: Option<String>,
    /// The user may administer the server. Only asked once, by hand: a refusal is noted in the server's log.
    pub admin: bool,
}

impl Facts {
    pub(super) fn of(info: &str, settings: Option<BTreeMap<String, String>>, user: Option<String>) -> Self {
        let field = |name: &str| {
            let of = |line: &str| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned());
            info.lines().find_map(of)
        };
        let text = |name: &str| field(name).unwrap_or_default();
        let status = |name: &str| field(name).unwrap_or_else(|| "ok".to_owned());
        let number = |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        Self {
            version: text("redis_version"),
            fork: field("valkey_version").is_some(),
            aof: text("aof_enabled") == "1",
            aof_write: status("aof_last_write_status"),
            aof_rewrite: status("aof_last_bgrewrite_status"),
            snapshot: status("rdb_last_bgsave_status"),
            maxmemory: number("maxmemory"),
            policy: text("maxmemory_policy"),
            evicted: number("evicted_keys"),
            replica: (text("role") == "slave").then(|| text("master_link_status")),
            replicas: number("connected_slaves"),
            denied: settings.is_none(),
            settings: settings.unwrap_or_default(),
            user,
            admin: false,
        }
    }

    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.setting(name)?.parse().ok()
    }

    /// What it was asked and has not told.
    pub(super) fn untold(&self) -> Vec<&'static str> {
        ASKED.into_iter().filter(|name| !self.settings.contains_key(*name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory:1048576\r\nmaxmemory_human:1.00M\r\n\
        maxmemory_policy:volatile-lru\r\n# Persistence\r\naof_enabled:1\r\naof_last_write_status:err\r\n\
        aof_last_bgrewrite_status:ok\r\nrdb_last_bgsave_status:ok\r\n# Stats\r\nevicted_keys:3\r\n\
        # Replication\r\nrole:slave\r\nmaster_link_status:down\r\nconnected_slaves:2\r\n";

    #[test]
    fn what_info_says_is_read_by_whole_names() {
        let found = Facts::of(INFO, None, None);
        let told = Facts {
            version: "7.0.15".to_owned(),
            aof: true,
            aof_write: "err".to_owned(),
            aof_rewrite: "ok".to_owned(),
            snapshot: "ok".to_owned(),
            maxmemory: 1_048_576,
            policy: "volatile-lru".to_owned(),
            evicted: 3,
            replica: Some("down".to_owned()),
            replicas: 2,
            denied: true,
            ..Facts::default()
        };
        assert_eq!(found, told);
    }

    #[test]
    fn a_server_that_says_little_is_not_accused_of_what_it_does_not_say() {
        let found = Facts::of("redis_version:8.2.1\r\nvalkey_version:9.0.0\r\n", Some(BTreeMap::new()), None);
        assert_eq!((found.aof_write.as_str(), found.snapshot.as_str(), found.replica.as_deref()), ("ok", "ok", None));
        assert!(found.fork && !found.denied);
        assert_eq!(found.untold(), ASKED);
    }
}
