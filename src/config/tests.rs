//! Every shipped file is right, and every mistake has its exact message.

use super::machine::{Scope, Store};
use super::*;
use std::fs;
use std::time::Duration;

const BAD: &str = "config/bad";

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// The files of a folder that end in `ending`, without the ending.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut stems: Vec<String> = names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect();
    stems.sort();
    stems
}

fn checked(file: &str) -> Checkup {
    if file.starts_with(&format!("{BAD}/machine-")) {
        check(&Place::file(PathBuf::from(file)), &Env::new(), &[])
    } else {
        check(&Place::built_in(), &Env::new(), &[PathBuf::from(file)])
    }
}

#[test]
fn every_mistake_has_its_message() {
    let mut wrong = Vec::new();
    for stem in files(BAD, ".toml") {
        let found = lines(&checked(&format!("{BAD}/{stem}.toml")).problems);
        let expectation = format!("{BAD}/{stem}.expected");
        if std::env::var_os("LEADGATE_BLESS").is_some() {
            fs::write(&expectation, &found).unwrap();
        }
        let expected = fs::read_to_string(&expectation).unwrap_or_default();
        if found.is_empty() || found != expected {
            wrong.push(format!("{stem}\n  found    {found}  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_bad_file_has_an_expectation_and_every_expectation_a_file() {
    let bad = files(BAD, ".toml");
    assert_eq!(bad, files(BAD, ".expected"));
    assert!(bad.len() > 80, "{} bad files", bad.len());
}

#[test]
fn no_message_repeats_a_secret() {
    for stem in files(BAD, ".expected") {
        let text = fs::read_to_string(format!("{BAD}/{stem}.expected")).unwrap();
        for secret in ["hidden", "hunter2", "1234\"", "one of the two", "the old one", "one two three"] {
            assert!(!text.contains(secret), "{stem} tells {secret}");
        }
    }
}

#[test]
fn every_shipped_file_is_right() {
    for place in [Place::built_in(), Place::file("config/leadgate.toml".into())] {
        let checkup = check(&place, &Env::new(), &[]);
        assert_eq!(lines(&checkup.problems), "", "{place:?}");
        assert_eq!((checkup.workspaces, checkup.channels), (1, 4));
    }
    let fine = check(&Place::built_in(), &Env::new(), &[PathBuf::from("config/bad/workspaces/fine.toml")]);
    assert_eq!(lines(&fine.problems), "");
}

#[test]
fn the_manual_tells_the_defaults() {
    let (config, _) = machine(&Place::built_in(), &Env::new());
    assert!(matches!(config.store, Store::Embedded));
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.gateway.public_url, "http://127.0.0.1:8080");
    assert_eq!(config.limits.bodies.0, 128 << 20);
    assert_eq!(config.keep.seen, Duration::from_hours(14 * 24));
    assert_eq!(config.data, Path::new("data"));
    assert_eq!(
        (config.gateway.mail.listeners.len(), config.gateway.mail.config),
        (0, gateway::smtp::Config::default())
    );
}

#[test]
fn mail_servers_are_greeted_by_the_public_name_and_lmtp_may_be_a_file() {
    let env: Env = [
        ("LEADGATE__GATEWAY__PUBLIC_URL", "https://leads.example.com"),
        ("LEADGATE__GATEWAY__SMTP__LISTEN", "0.0.0.0:25"),
        ("LEADGATE__GATEWAY__LMTP__LISTEN", "unix:run/lmtp.sock"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let (config, problems) = machine(&Place::file("config/leadgate.toml".into()), &env);
    assert_eq!(lines(&problems), "");
    let listeners = format!("{:?}", config.gateway.mail.listeners);
    assert_eq!(listeners, r#"[(Smtp, Tcp(0.0.0.0:25)), (Lmtp, Unix("config/run/lmtp.sock"))]"#);
    assert_eq!(config.gateway.mail.config.host, "leads.example.com");
}

#[test]
fn the_environment_overrides_the_file() {
    let env: Env = [
        ("LEADGATE__GATEWAY__LISTEN", "0.0.0.0:9000"),
        ("LEADGATE__LIMITS__CONNECTIONS", "170"),
        ("LEADGATE__GATEWAY__HOSTS", r#"["leads.example.com"]"#),
        (
            "LEADGATE__DESK__TOKENS",
            r#"[{ name = "crm", token = "env:CRM_TOKEN", scopes = ["read"], workspaces = ["demo"] }]"#,
        ),
        ("CRM_TOKEN", "0123456789abcdef"),
        ("LEADGATE_CONFIG", "not asked for here"),
        ("PATH", "/bin"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let (config, problems) = machine(&Place::built_in(), &env);
    assert_eq!(lines(&problems), "");
    assert_eq!((config.gateway.listen.port(), config.limits.connections), (9000, 170));
    assert_eq!(config.gateway.hosts, ["leads.example.com"]);
    assert_eq!((config.desk.tokens[0].scopes.as_slice(), config.desk.tokens.len()), (&[Scope::Read][..], 1));
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
}

#[test]
fn a_wrong_variable_is_named_by_its_name() {
    for (name, text, expected) in [
        (
            "LEADGATE__GATEWAY__LISTEN",
            "everywhere",
            "LEADGATE__GATEWAY__LISTEN: gateway.listen = \"everywhere\": expected an address like \"127.0.0.1:8080\" or \
             \"[::1]:8080\"\n",
        ),
        (
            "LEADGATE__GATEWAY__LISSTEN",
            "a value",
            "LEADGATE__GATEWAY__LISSTEN: gateway.lissten: expected `listen`; there is no key `lissten`\n",
        ),
        ("LEADGATE__GATEWAY", "x", "LEADGATE__GATEWAY: gateway: expected a section [gateway]\n"),
    ] {
        let (_, problems) = machine(&Place::built_in(), &Env::from([(name.to_owned(), text.to_owned())]));
        assert_eq!(lines(&problems), expected);
    }
}

#[test]
fn a_file_that_is_asked_for_must_be_there() {
    let checkup = check(&Place::file("config/nowhere/leadgate.toml".into()), &Env::new(), &[]);
    assert_eq!(
        lines(&checkup.problems),
        "config/nowhere/leadgate.toml: expected a readable text file: no such file\n\
         config/nowhere/workspaces: expected a folder with a file <id>.toml for each workspace: there is no such folder\n"
    );
}

#[test]
fn a_channel_id_belongs_to_one_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let fine = fs::read_to_string("config/bad/workspaces/fine.toml").unwrap();
    let paths = ["a.toml", "b.toml"].map(|name| folder.path().join(name));
    for path in &paths {
        fs::write(path, &fine).unwrap();
    }
    let checkup = check(&Place::built_in(), &Env::new(), &paths);
    let expected = format!(
        "{}:9: channel[form].id = \"form\": expected an id no other channel has: workspace a has the same\n",
        paths[1].display()
    );
    assert_eq!(lines(&checkup.problems), expected);
}

#[test]
fn the_file_is_what_was_asked_for_else_what_the_variable_names() {
    let env = Env::from([("LEADGATE_CONFIG".to_owned(), "b.toml".to_owned())]);
    assert_eq!(Place::find(Some(Path::new("a.toml")), &env), Place::file("a.toml".into()));
    assert_eq!(Place::find(None, &env), Place::file("b.toml".into()));
}

/// The keys a section knows, as the problem of an unknown one lists them.
fn known_keys(problems: &[Problem], section: &str) -> Vec<String> {
    let key = if section.is_empty() { "elephant".to_owned() } else { format!("{section}.elephant") };
    let found = problems.iter().find(|problem| problem.key == key).unwrap_or_else(|| panic!("{key} is not refused"));
    let (list, _) = found.expected.split_once(';').unwrap();
    list.trim_start_matches("one of ").split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_section_refuses_unknown_keys_and_every_key_is_in_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leadgate.toml");
    let sections = [
        "store",
        "gateway",
        "gateway.tls",
        "gateway.smtp",
        "gateway.smtp.tls",
        "gateway.lmtp",
        "limits",
        "keep",
        "desk",
        "workers",
        "log",
        "shutdown",
    ];
    let mut text = "elephant = 1\n".to_owned();
    for section in sections {
        text.push_str(&format!("[{section}]\nelephant = 1\n"));
    }
    text.push_str("[[desk.tokens]]\nname = \"crm\"\nelephant = 1\n");
    fs::write(&path, text).unwrap();
    let (_, problems) = machine(&Place::file(path), &Env::new());
    for section in [""].iter().chain(&sections).chain(&["desk.tokens[crm]"]) {
        for key in known_keys(&problems, section) {
            let written = [format!("{key} ="), format!("[{key}]"), format!("[{section}.{key}]")];
            assert!(written.iter().any(|one| MANUAL.contains(one)), "{section}.{key}");
        }
    }
}

#[test]
fn every_key_of_a_workspace_is_in_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    let mut text = "elephant = 1\n".to_owned();
    let lists = ["channel", "person", "exclude", "consumer"];
    for section in ["[hours]", "[sla]"].map(str::to_owned).into_iter().chain(lists.map(|name| format!("[[{name}]]"))) {
        text.push_str(&format!("{section}\nelephant = 1\n"));
    }
    fs::write(&path, text).unwrap();
    let problems = check(&Place::built_in(), &Env::new(), &[path]).problems;
    for section in ["", "hours", "sla", "channel[1]", "person[1]", "exclude[1]", "consumer[1]"] {
        for key in known_keys(&problems, section) {
            assert!(DEMO.contains(&key), "{section}.{key}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    /// Whatever somebody types into a file, there is an answer.
    #[test]
    fn no_text_breaks_the_check(at in 0_usize..1000, cut in 0_usize..40, typed in "[\\PC\n]{0,12}") {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("workspaces")).unwrap();
        for (name, text) in [("leadgate.toml", MANUAL), ("workspaces/demo.toml", DEMO)] {
            let chars: Vec<char> = text.chars().collect();
            let from = chars.len() * at / 1000;
            let after = (from + cut).min(chars.len());
            let (before, after) = (chars[..from].iter().copied(), chars[after..].iter().copied());
            let changed: String = before.chain(typed.chars()).chain(after).collect();
            fs::write(folder.path().join(name), changed).unwrap();
        }
        let checkup = check(&Place::file(folder.path().join("leadgate.toml")), &Env::new(), &[]);
        for problem in &checkup.problems {
            proptest::prop_assert!(!problem.to_string().contains("demo-line-secret"));
        }
    }
}
