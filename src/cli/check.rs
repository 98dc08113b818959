//! Is the configuration right? `leadgate check` reads all of it and lists every problem, one a line; with `--connect` it
//! asks the store, too, once there are none.

use super::check_store::Asked;
use crate::config::{self, Checkup, Env, Place, WasRead};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Configuration wrong.
pub(crate) const WRONG: u8 = 64;
/// The configuration is right, and the store will not do.
const NO: u8 = 1;

/// What was typed.
#[derive(Debug, Default)]
pub(crate) struct Typed<'a> {
    pub(crate) config: Option<&'a Path>,
    /// Workspaces that are not in place yet, to check instead of those that are.
    pub(crate) files: &'a [PathBuf],
    pub(crate) connect: bool,
    pub(crate) json: bool,
}

/// Checks the configuration. The result is the exit code.
pub(crate) fn run(typed: &Typed<'_>, env: &Env, out: &mut dyn Write) -> io::Result<u8> {
    let place = Place::find(typed.config, env);
    let checkup = config::check(&place, env, typed.files);
    let fine = checkup.problems.is_empty();
    let asked = (typed.connect && fine).then(|| Asked::of(&config::machine(&place, env).0));
    if typed.json {
        writeln!(out, "{}", as_json(&checkup, asked.as_ref()))?;
    } else {
        out.write_all(as_text(&checkup).as_bytes())?;
        out.write_all(asked.as_ref().map(Asked::as_text).unwrap_or_default().as_bytes())?;
    }
    Ok(match asked {
        _ if !fine => WRONG,
        Some(asked) if !asked.is_fine() => NO,
        _ => 0,
    })
}

fn as_text(checkup: &Checkup) -> String {
    let unread = checkup.read.unread.as_ref().map(|folder| format!("warn: {}\n", nobody_reads(folder)));
    if checkup.problems.is_empty() {
        let (workspaces, channels) = (count(checkup.workspaces, "workspace"), count(checkup.channels, "channel"));
        let fine = format!("configuration is fine: {workspaces}, {channels}\n");
        return fine + &was_read(&checkup.read) + &unread.unwrap_or_default();
    }
    // Each problem names its file.
    checkup.problems.iter().map(|problem| format!("{problem}\n")).chain(unread).collect()
}

fn was_read(read: &WasRead) -> String {
    let machine = read.machine.as_deref().unwrap_or("no leadgate.toml here, so what is built in");
    let all = std::iter::once(machine).chain(read.workspaces.iter().chain(&read.variables).map(String::as_str));
    format!("read: {}\n", all.collect::<Vec<_>>().join(", "))
}

fn nobody_reads(folder: &str) -> String {
    format!(
        "the files in {folder} are not read: no leadgate.toml lies beside that folder, so the built-in demo is used; an empty leadgate.toml is enough"
    )
}

fn as_json(checkup: &Checkup, asked: Option<&Asked>) -> serde_json::Value {
    let mut told = json!({
        "fine": checkup.problems.is_empty(),
        "workspaces": checkup.workspaces,
        "channels": checkup.channels,
        "problems": checkup.problems,
        "read": {
            "machine": checkup.read.machine,
            "workspaces": checkup.read.workspaces,
            "variables": checkup.read.variables,
        },
        "warnings": checkup.read.unread.iter().map(|folder| nobody_reads(folder)).collect::<Vec<_>>(),
    });
    if let Some(asked) = asked {
        told["store"] = asked.as_json();
    }
    told
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    const CONFIG: &str = "config/leadgate.toml";

    fn checked(config: &str, json: bool) -> (u8, String) {
        told(&Typed { config: Some(Path::new(config)), json, ..Typed::default() }, &Env::new())
    }

    fn told(typed: &Typed<'_>, env: &Env) -> (u8, String) {
        let mut out = Vec::new();
        let code = run(typed, env, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_right_is_counted() {
        let fine = "configuration is fine: 1 workspace, 4 channels\n\
                    read: config/leadgate.toml, config/workspaces/demo.toml\n";
        assert_eq!(checked(CONFIG, false), (0, fine.to_owned()));
        let json: serde_json::Value = serde_json::from_str(&checked(CONFIG, true).1).unwrap();
        assert_eq!((&json["fine"], &json["channels"]), (&json!(true), &json!(4)));
        assert_eq!(json.get("store"), None);
    }

    #[test]
    fn it_says_what_was_read_and_what_nobody_reads() {
        let env =
            Env::from([("LEADGATE__DATA".to_owned(), "elsewhere".to_owned()), ("PATH".to_owned(), "/".to_owned())]);
        let (_, text) = told(&Typed::default(), &env);
        let read = "read: no leadgate.toml here, so what is built in, workspaces/demo.toml (built in), LEADGATE__DATA";
        assert_eq!(text.lines().last(), Some(read));
        let (_, json) = told(&Typed { json: true, ..Typed::default() }, &env);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let read = json!({ "machine": null, "workspaces": ["workspaces/demo.toml (built in)"], "variables": ["LEADGATE__DATA"] });
        assert_eq!((&json["read"], &json["warnings"]), (&read, &json!([])));
        let read = WasRead { machine: None, workspaces: vec![], variables: vec![], unread: Some("workspaces".into()) };
        let checkup = Checkup { problems: vec![], workspaces: 1, channels: 4, read };
        assert!(as_text(&checkup).ends_with("an empty leadgate.toml is enough\n"));
        assert_eq!(as_json(&checkup, None)["warnings"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_is_wrong_is_listed_and_the_exit_code_says_so() {
        let path = "config/bad/machine-listen.toml";
        let (code, text) = checked(path, false);
        assert_eq!((code, text.lines().count()), (WRONG, 1));
        let (code, text) = checked(path, true);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (code, &json["fine"], &json["problems"][0]["key"]),
            (WRONG, &json!(false), &json!("gateway.listen"))
        );
    }

    fn connected(env: &Env, json: bool) -> (u8, String) {
        told(&Typed { config: Some(Path::new(CONFIG)), connect: true, json, ..Typed::default() }, env)
    }

    fn with_redis(url: String) -> Env {
        let pepper = ("LEADGATE__STORE__PEPPER".to_owned(), "a pepper of some length".to_owned());
        [("LEADGATE__STORE__URL".to_owned(), url), pepper].into()
    }

    #[test]
    fn the_embedded_store_has_nothing_to_connect_to() {
        let (code, text) = connected(&Env::new(), false);
        assert_eq!((code, text.lines().last()), (0, Some("store: embedded, nothing to connect to")));
    }

    #[test]
    fn a_store_that_is_away_is_a_no() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let env = with_redis(format!("redis://127.0.0.1:{port}"));
        let (code, text) = connected(&env, false);
        assert_eq!((code, text.lines().last()), (NO, Some("store: Redis is away: connection refused")));
        let json: serde_json::Value = serde_json::from_str(&connected(&env, true).1).unwrap();
        let away = json!({ "fine": false, "kind": "redis", "refused": "Redis is away: connection refused" });
        assert_eq!((&json["fine"], &json["store"]), (&json!(true), &away));
    }

    #[test]
    fn a_redis_is_asked_what_it_is_set_to_and_a_risk_is_a_no() {
        for (policy, expected) in [("noeviction", 0), ("allkeys-lru", NO)] {
            let folder = tempfile::tempdir().unwrap();
            let socket = folder.path().join("socket");
            let mut order = Command::new("redis-server");
            order.args(["--port", "0", "--save", "", "--maxmemory-policy", policy, "--unixsocket"]).arg(&socket);
            let mut server = order.arg("--dir").arg(folder.path()).stdout(Stdio::null()).spawn().unwrap();
            for _ in 0..500 {
                if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let env = with_redis(format!("redis+unix://{}", socket.display()));
            let (text, json) = (connected(&env, false), connected(&env, true));
            server.kill().unwrap();
            server.wait().unwrap();
            assert_eq!((text.0, json.0), (expected, expected), "{policy}");
            assert!(text.1.contains("warn: appendonly is no") && text.1.contains(", empty\n"), "{}", text.1);
            let json: serde_json::Value = serde_json::from_str(&json.1).unwrap();
            let found = json["store"]["findings"].as_array().unwrap();
            let page = found.iter().any(|one| one["setting"] == "maxmemory-policy" && one["weight"] == "page");
            assert_eq!((page, &json["store"]["fine"]), (expected == NO, &json!(expected == 0)));
        }
    }
}
