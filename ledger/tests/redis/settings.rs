//! What does a real Redis hear of its settings, and what of those who may not use it?

use crate::server::Server;
use ledger::redis::settings::{Finding, Watch, Weight};
use ledger::redis::{Address, Durability, Redis};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PEPPER: &[u8] = b"a pepper of some length";

fn redis(address: Address) -> Redis {
    Redis::new(Arc::new(address), PEPPER)
}

async fn found(server: &Server, durability: Durability) -> Vec<Finding> {
    redis(server.address()).look_at_settings(durability).await.unwrap()
}

fn settings(findings: &[Finding]) -> Vec<(&str, Weight)> {
    findings.iter().map(|finding| (finding.setting, finding.weight)).collect()
}

async fn refusal(address: Address) -> String {
    redis(address).inspect(Durability::Aof).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_server_as_it_comes_hears_what_would_lose_leads() {
    let server = Server::start(&[]);
    let expected = [
        ("appendonly", Weight::Warn),
        ("maxmemory", Weight::Warn),
        ("tcp-keepalive", Weight::Note),
        ("user", Weight::Warn),
    ];
    let told = found(&server, Durability::Aof).await;
    assert_eq!(without_version(&told), expected);
    let appendonly = &told.iter().find(|finding| finding.setting == "appendonly").unwrap().sentence;
    assert!(appendonly.ends_with("set appendonly yes"), "{appendonly}");
}

/// Which hole a release has is known by its number only; the other tests run on whichever is installed.
fn without_version(findings: &[Finding]) -> Vec<(&str, Weight)> {
    settings(findings).into_iter().filter(|(setting, _)| *setting != "version").collect()
}

#[tokio::test]
async fn the_deployment_hears_nothing_but_the_age_of_its_release() {
    let server = Server::deployed(&[]);
    assert_eq!(without_version(&found(&server, Durability::Aof).await), []);
}

#[tokio::test]
async fn a_policy_that_throws_leads_away_is_for_the_night() {
    let server = Server::start(&["--appendonly", "yes", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let told = found(&server, Durability::Aof).await;
    assert!(settings(&told).contains(&("maxmemory-policy", Weight::Page)), "{told:?}");
}

#[tokio::test]
async fn a_replica_is_not_the_store_and_a_master_with_one_should_watch_it() {
    let master = Server::start(&["--port", "0", "--appendonly", "yes"]);
    let port = free_port();
    assert_eq!(master.order(&["CONFIG", "SET", "port", &port.to_string()]), "OK");
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {port}")]);
    for _ in 0..500 {
        if replica.order(&["INFO", "replication"]).contains("master_link_status:up") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = found(&replica, Durability::Aof).await;
    assert_eq!((told[0].setting, told[0].weight), ("role", Weight::Page));
    assert_eq!(told[0].found, "replica, link to its master up");
    let told = found(&master, Durability::Replicated).await;
    for setting in ["min-replicas-to-write", "min-replicas-max-lag"] {
        assert!(settings(&told).contains(&(setting, Weight::Warn)), "{told:?}");
    }
    assert!(!settings(&told).iter().any(|(setting, _)| *setting == "connected_slaves"));
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn what_the_deployment_forbids_is_refused_to_its_user() {
    let server = Server::deployed(&[]);
    let told = redis(server.address()).inspect(Durability::Aof).await.unwrap();
    assert_eq!((told.begun, told.workspaces, without_version(&told.findings)), (false, 0, vec![]));
    let forbidden: [&[&str]; 10] = [
        &["FLUSHALL"],
        &["FLUSHDB"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["CONFIG", "SET", "appendonly", "no"],
        &["DEBUG", "SLEEP", "0"],
        &["EVAL", "return 1", "0"],
        &["ACL", "LIST"],
        &["SHUTDOWN"],
        &["GET", "another"],
    ];
    for words in forbidden {
        let mut named = vec!["--no-auth-warning", "--user", "leadgate", "--pass", crate::server::PASSWORD];
        named.extend(words);
        // DEBUG is not there for anybody, whatever his rights.
        let refused = |code: &str, told: &str| {
            told.starts_with(code) || words[0] == "DEBUG" && told.starts_with("ERR DEBUG command not allowed")
        };
        assert!(refused("NOPERM", &server.order(&named)), "{words:?}");
        assert!(refused("NOAUTH", &server.order(words)), "{words:?} of nobody");
    }
}

#[tokio::test]
async fn whoever_may_not_use_the_store_hears_why() {
    let server = Server::deployed(&[]);
    let wrong = "Redis refuses the user or password of store.url";
    assert_eq!(refusal(server.address_of(None)).await, wrong);
    assert_eq!(refusal(server.address_of(Some(("leadgate", "guessed")))).await, wrong);
    let tight = "the Redis user may not do what leadgate needs: see deploy/redis.acl";
    assert_eq!(refusal(server.address_of(Some(("health", "any")))).await, tight);
    let gone = server.address();
    drop(server);
    assert!(refusal(gone).await.starts_with("Redis is away: "));
}

#[tokio::test]
async fn a_user_with_too_few_rights_hears_which_are_missing() {
    let server = Server::start(&[]);
    let rights = ["+@all", "-xadd", "-config|get", "-hset"];
    let keys = ["ACL", "SETUSER", "tight", "on", ">secret-enough", "~lg:*"];
    assert_eq!(server.order(&[keys.as_slice(), &rights].concat()), "OK");
    let told = refusal(server.address_of(Some(("tight", "secret-enough")))).await;
    insta::assert_snapshot!(told, @"the Redis user may not do what leadgate needs on keys under lg:, namely CONFIG GET, HSET, XADD: see deploy/redis.acl");
    let foreign = ["ACL", "SETUSER", "foreign", "on", ">secret-enough", "~other:*", "+@all"];
    assert_eq!(server.order(&foreign), "OK");
    let told = refusal(server.address_of(Some(("foreign", "secret-enough")))).await;
    assert!(told.starts_with("the Redis user may not do what leadgate needs"), "{told}");
    assert_eq!(server.order(&["DBSIZE"]), "0", "nothing was written to find that out");
}

#[tokio::test]
async fn a_user_who_may_not_read_the_settings_is_told_so_while_everything_runs() {
    let server = Server::start(&["--appendonly", "yes"]);
    let user = ["ACL", "SETUSER", "blind", "on", ">secret-enough", "~*", "+@all", "-config|get", "-acl|whoami"];
    assert_eq!(server.order(&user), "OK");
    let redis = redis(server.address_of(Some(("blind", "secret-enough"))));
    let told = redis.look_at_settings(Durability::Aof).await.unwrap();
    assert!(settings(&told).contains(&("config-get", Weight::Warn)), "{told:?}");
    assert!(!settings(&told).iter().any(|(setting, _)| *setting == "user"));
}

#[tokio::test]
async fn a_store_of_another_is_refused_and_nothing_is_written_to_find_that_out() {
    let server = Server::start(&[]);
    let told = redis(server.address()).inspect(Durability::Aof).await.unwrap();
    assert!(!told.begun && settings(&told.findings).contains(&("user", Weight::Warn)));
    assert_eq!(server.order(&["DBSIZE"]), "0");
    redis(server.address()).greet().await.unwrap();
    assert!(redis(server.address()).inspect(Durability::Aof).await.unwrap().begun);
    let other = Redis::new(Arc::new(server.address()), b"another pepper of some length");
    let told = other.inspect(Durability::Aof).await.unwrap_err().to_string();
    assert!(told.starts_with("store.pepper is not the one"), "{told}");
    server.order(&["SADD", "lg:workspaces", "demo"]);
    server.order(&["SET", "lg:{demo}:inbox", "mine"]);
    let told = refusal(server.address()).await;
    assert!(told.starts_with("the key lg:{demo}:inbox in Redis is a string and should be a stream"), "{told}");
    server.order(&["SET", "lg:rules", "mine"]);
    let told = refusal(server.address()).await;
    assert!(told.starts_with("the key lg:rules in Redis is a string and should be a hash"), "{told}");
}

/// An authority, and what it signed for this machine; both in PEM.
struct Authority {
    certificate: String,
    signed: String,
    key: String,
}

fn authority() -> Authority {
    let mut of = CertificateParams::new(Vec::new()).unwrap();
    of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(of, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Authority { certificate: issuer.pem(), signed: signed.pem(), key: key.serialize_pem() }
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_is_not_named_is_refused_in_plain_words() {
    let (ours, other) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let port = free_port();
    let (cert, key, ca) = (file("cert", &ours.signed), file("key", &ours.key), file("ca", &ours.certificate));
    let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", &cert, "--tls-key-file", &key];
    let _server = Server::start(&[tls.as_slice(), &["--tls-ca-cert-file", &ca, "--tls-auth-clients", "no"]].concat());
    let url = format!("rediss://localhost:{port}");
    let trusted = Address::parse(&url, Some(ours.certificate.into_bytes())).unwrap();
    redis(trusted).inspect(Durability::Aof).await.unwrap();
    let told = "the certificate of Redis is not signed by an authority we trust, or is not for the host of store.url: name its authority in store.ca";
    assert_eq!(refusal(Address::parse(&url, Some(other.certificate.into_bytes())).unwrap()).await, told);
    assert_eq!(refusal(Address::parse(&url, None).unwrap()).await, told);
}

#[tokio::test]
async fn a_watch_tells_what_changed_and_looks_again_when_the_server_comes_back() {
    let server = Server::start(&["--appendonly", "yes", "--maxmemory", "64mb"]);
    let (findings, mut known) = watch::channel(Vec::new());
    let stop = CancellationToken::new();
    let watch = Watch { redis: Arc::new(redis(server.address())), durability: Durability::Aof, findings };
    let watching = tokio::spawn(watch.run(stop.clone()));
    let soon = Duration::from_secs(5);
    tokio::time::timeout(soon, known.changed()).await.unwrap().unwrap();
    assert!(!settings(&known.borrow_and_update()).iter().any(|(setting, _)| *setting == "maxmemory-policy"));
    assert_eq!(server.order(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]), "OK");
    // All connections end, as in a restart, long before it would ask again by itself.
    server.order(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    tokio::time::timeout(soon, known.changed()).await.unwrap().unwrap();
    assert!(settings(&known.borrow_and_update()).contains(&("maxmemory-policy", Weight::Page)));
    stop.cancel();
    tokio::time::timeout(soon, watching).await.unwrap().unwrap();
}
