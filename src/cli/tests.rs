//! Every command against a desk of canned answers, as typed: what is printed, what was asked, how it ends.

mod follow;
mod lists;

use super::stage::{Stage, json, other, problem};
use super::*;
use clap::CommandFactory as _;

const SPACES: &str = r#"{"workspaces":[{"id":"demo"}]}"#;
const TWO_SPACES: &str = r#"{"workspaces":[{"id":"demo"},{"id":"other"}]}"#;

/// How a command ended: exit code, output, sentence.
#[derive(Debug, PartialEq, Eq)]
struct Ended(u8, String, String);

/// Types a command, without an environment.
fn typed(stage: &Stage, line: &str) -> Ended {
    typed_with(stage, &line.split(' ').collect::<Vec<_>>())
}

fn typed_with(stage: &Stage, words: &[&str]) -> Ended {
    typed_at(&stage.base, stage, words)
}

fn typed_at(desk: &str, stage: &Stage, words: &[&str]) -> Ended {
    let desk = ["leadgate", "--desk", desk];
    let Cli { common, command } = Cli::try_parse_from(desk.iter().chain(words)).unwrap();
    let (mut to, json) = (Vec::new(), common.json);
    let done = answered(common, command.unwrap(), &Env::new(), &mut Output::plain(json, &mut to));
    ended(stage, done, to)
}

fn ended(stage: &Stage, done: Result<()>, to: Vec<u8>) -> Ended {
    let failure = done.err();
    let lines = failure.iter().flat_map(|failure| &failure.lines).map(|(line, why)| format!("line {line}: {why}\n"));
    let sentence: String = lines.chain(failure.iter().map(|failure| failure.sentence.clone())).collect();
    let code = failure.map_or(0, |failure| failure.code);
    Ended(code, String::from_utf8(to).unwrap(), sentence.replace(&stage.base, "DESK"))
}

fn fine(stage: &Stage, line: &str) -> String {
    let Ended(code, out, sentence) = typed(stage, line);
    assert_eq!((code, sentence.as_str()), (0, ""), "{line}");
    out
}

fn refused(stage: &Stage, line: &str) -> String {
    let Ended(code, _, sentence) = typed(stage, line);
    assert_eq!(code, 1, "{line}: {sentence}");
    sentence
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_an_example() {
    fn examined(command: &clap::Command) {
        let name = command.get_name();
        let example = command.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
        assert!(example, "`{name}` has no example");
        assert!(command.get_about().is_some(), "`{name}` does not say what it does");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "`{name}` does not say what {id} is");
        }
        command.get_subcommands().for_each(examined);
    }
    examined(&Cli::command());
}

#[test]
fn what_is_typed_wrongly_ends_with_2_and_a_token_is_never_shown() {
    for line in ["leadgate nonsense", "leadgate run --role half", "leadgate dead retry", "leadgate presence ivan away"]
    {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    let cli = Cli::try_parse_from(["leadgate", "books", "--token", "very-secret"]).unwrap();
    assert!(!format!("{cli:?}").contains("very-secret"));
}

#[test]
fn the_product_runs_when_no_command_is_typed() {
    assert!(Cli::try_parse_from(["leadgate"]).unwrap().command.is_none());
    let cli = Cli::try_parse_from(["leadgate", "run", "--role", "gateway", "--config", "a.toml"]).unwrap();
    assert!(matches!(cli.command, Some(Command::Run { role: Role::Gateway })));
    assert_eq!(cli.common.config.as_deref(), Some(std::path::Path::new("a.toml")));
}

const BOOKS: &str = r#"{"balanced":false,"channels":[
    {"channel":"demo-form","accepted":12,"verdicts":{"lead":7,"duplicate":3,"junk":0},"in_flight":2,"difference":0},
    {"channel":"demo-line","accepted":5,"verdicts":{"lead":4,"duplicate":0,"junk":0},"in_flight":0,"difference":1}]}"#;

#[test]
fn books_that_differ_are_shown_and_end_with_1() {
    let stage = Stage::play(&[("GET /v1/workspaces", json(SPACES)), ("GET /v1/workspaces/demo/books", json(BOOKS))]);
    let Ended(code, out, sentence) = typed(&stage, "books");
    insta::assert_snapshot!(out, @"
    channel    accepted  lead  duplicate  in flight  difference
    demo-form  12        7     3          2          0
    demo-line  5         4     0          0          +1
    ");
    insta::assert_snapshot!(sentence, @"the books differ: demo-line (+1); ask again in a minute, and if it stays keep the data folder as it is and report it");
    assert_eq!(code, 1);
    let Ended(code, out, _) = typed(&stage, "books --json");
    assert_eq!((code, out), (1, format!("{BOOKS}\n")), "machines get the answer as it came");
}

#[test]
fn books_that_balance_end_with_0() {
    let books = r#"{"balanced":true,"channels":[{"channel":"a","accepted":1,"verdicts":{"lead":1},"in_flight":0,"difference":0}]}"#;
    let stage = Stage::play(&[("GET /v1/workspaces/demo/books", json(books))]);
    assert!(fine(&stage, "books --workspace demo").starts_with("channel"));
    assert_eq!(stage.lines(), ["GET /v1/workspaces/demo/books"], "a workspace that is named is not looked for");
}

#[test]
fn one_workspace_is_meant_without_saying_so_and_of_several_one_must_be_named() {
    let stage = Stage::play(&[("GET /v1/workspaces", json(TWO_SPACES))]);
    let Ended(code, _, sentence) = typed(&stage, "books");
    assert_eq!(
        (code, sentence.as_str()),
        (2, "there are several workspaces; add --workspace with one of: demo, other")
    );
    let stage = Stage::play(&[("GET /v1/workspaces", json(r#"{"workspaces":[]}"#))]);
    assert_eq!(refused(&stage, "books"), "the desk shows no workspace to this token");
}

#[test]
fn a_workspace_that_is_none_is_named_and_a_rejected_file_may_be_why() {
    let healthy = json(r#"{"ready":true,"parts":{"rules":{"up":true,"needed":false}}}"#);
    let stale = json(r#"{"ready":true,"parts":{"rules":{"up":false,"needed":false}}}"#);
    for (ready, more) in [(healthy, ""), (stale, "; the configuration has mistakes: see `leadgate check`")] {
        let channels = ("GET /v1/workspaces/demo/channels", json(r#"{"channels":[{"id":"demo-form"}]}"#));
        let stage = Stage::play(&[("GET /v1/workspaces", json(SPACES)), ("GET /ready", ready), channels]);
        let unknown = format!("there is no workspace zz; there are: demo{more}");
        for line in ["books -w zz", "tail -w zz", "presence ivan absent -w zz", "exclude remove domain:a.b -w zz"] {
            assert_eq!(refused(&stage, line), unknown, "{line}");
        }
        let unknown = format!("there is no channel x; there are: demo-form{more}");
        for line in ["send x", "wire x", "map x Cargo.toml"] {
            assert_eq!(refused(&stage, line), unknown, "{line}");
        }
    }
}

#[test]
fn every_refusal_is_one_sentence_that_says_what_to_do() {
    let token = ["books", "--token", "0123456789abcdef"];
    for (canned, words, sentence) in [
        (
            problem(401, "a valid token is needed", ""),
            &token[..1],
            "the desk at DESK wants a token: add --token, set LEADGATE_TOKEN, or run this beside its leadgate.toml",
        ),
        (
            problem(401, "a valid token is needed", ""),
            &token[..],
            "the desk at DESK does not know this token: check --token, LEADGATE_TOKEN or [[desk.tokens]] of its configuration",
        ),
        (
            problem(403, "the token's scopes do not cover this", "it needs `read`"),
            &token[..],
            "the desk refused: the token's scopes do not cover this: it needs `read`; use a token with the scope \"manage\"",
        ),
        (
            problem(503, "too much is being handled", "come back"),
            &token[..],
            "the desk refused: too much is being handled: come back",
        ),
        (
            other(502, "text/html", "<h1>Bad gateway</h1>"),
            &token[..],
            "what answers at DESK is not a leadgate desk (HTTP 502); check --desk",
        ),
        (
            other(200, "text/html", "<h1>Welcome</h1>"),
            &token[..],
            "what answers at DESK is not a leadgate desk (HTTP 200); check --desk",
        ),
    ] {
        let stage = Stage::play(&[("GET /v1/workspaces", canned)]);
        let Ended(code, _, said) = typed_with(&stage, words);
        assert_eq!((code, said.as_str()), (1, sentence));
    }
}

#[test]
fn a_desk_that_is_not_there_says_how_to_start_it() {
    let stage = Stage::play(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Ended(code, _, sentence) = typed_at(&format!("http://{free}"), &stage, &["books"]);
    let sentence = sentence.replace(&free.to_string(), "ADDRESS");
    let expected = "the desk at http://ADDRESS cannot be reached (connection refused): is leadgate running? \
                    Start it with `leadgate`, or name its desk with --desk";
    assert_eq!((code, sentence.as_str()), (1, expected));
}

#[test]
fn the_token_travels_as_a_bearer() {
    let stage = Stage::play(&[("GET /v1/workspaces", json(r#"{"workspaces":[]}"#))]);
    typed_with(&stage, &["books", "--token", "0123456789abcdef"]);
    assert_eq!(stage.heard()[0].headers["authorization"], "Bearer 0123456789abcdef");
}

#[test]
fn presence_is_told_to_the_desk() {
    let path = "POST /v1/workspaces/demo/people/ivan/presence";
    let stage =
        Stage::play(&[("GET /v1/workspaces", json(SPACES)), (path, other(202, "application/json", r#"{"id":"u"}"#))]);
    assert_eq!(fine(&stage, "presence ivan absent"), "ivan is absent and gets no new leads\n");
    assert_eq!(stage.heard()[1].body, r#"{"present":false}"#);
    assert_eq!(fine(&stage, "presence ivan present --json"), "{\"id\":\"u\"}\n");
    let nobody = "the workspace demo has nobody with the id i/v; ids stand in its file under [[person]]";
    assert_eq!(refused(&stage, "presence i/v absent"), nobody);
    assert!(stage.lines().contains(&"POST /v1/workspaces/demo/people/i%2Fv/presence".to_owned()));
}

#[test]
fn a_backup_is_made_by_the_desk() {
    let stage = Stage::play(&[("POST /v1/backup", json(r#"{"folder":"/b"}"#))]);
    assert_eq!(fine(&stage, "backup /b"), "everything is copied into /b on the machine of the desk\n");
    assert_eq!(stage.heard()[0].body, r#"{"folder":"/b"}"#);
}

#[test]
fn restore_asks_no_desk_and_fills_the_data_folder_in_force() {
    let home = tempfile::tempdir().unwrap();
    let (backup, config) = (home.path().join("b"), home.path().join("leadgate.toml"));
    std::fs::create_dir(&backup).unwrap();
    std::fs::write(backup.join("journal.db"), "j").unwrap();
    std::fs::write(backup.join("ledger.db"), "l").unwrap();
    std::fs::write(&config, "data = \"here\"\n").unwrap();
    let stage = Stage::play(&[]);
    fine(&stage, &format!("restore {} --config {}", backup.display(), config.display()));
    assert_eq!(std::fs::read_to_string(home.path().join("here/ledger.db")).unwrap(), "l");
    assert_eq!(stage.lines(), Vec::<String>::new());
}
