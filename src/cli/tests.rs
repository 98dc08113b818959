//! Every command against a desk of canned answers, as typed: what is printed, what was asked, how it ends.

use super::stage::{Stage, json, other, problem, stream};
use super::*;
use clap::CommandFactory as _;

const SPACES: &str = r#"{"workspaces":[{"id":"demo"}]}"#;
const TWO_SPACES: &str = r#"{"workspaces":[{"id":"demo"},{"id":"other"}]}"#;
const LEAD: &str = "06c8d0u1v2g3h4i5j6a7b8c9d0";

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
        let lists = command.get_subcommands().next().is_some();
        let name = command.get_name();
        let example = command.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
        assert!(example || lists || ["list", "show"].contains(&name), "`{name}` has no example");
        assert!(command.get_about().is_some(), "`{name}` does not say what it does");
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
    assert_eq!(stage.lines().pop().unwrap(), "POST /v1/workspaces/demo/people/i%2Fv/presence");
}

#[test]
fn what_was_set_aside_is_listed_shown_and_brought_back() {
    let entry = r#"{"uid":"u1","channel":"demo-form","source":"form","received_at":"2026-11-21T20:15:00.000Z","set_aside_at":"2026-11-21T20:15:01.000Z","reason":"it stops the engine","attempts":4,"content_type":null,"bytes":2,"entry":null,"raw_base64":"aGkbCg=="}"#;
    let page = |next: &str| json(&format!(r#"{{"entries":[{entry}],"next":{next}}}"#));
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/dead", page("\"c1\"")),
        ("GET /v1/workspaces/demo/dead", page("null")),
        ("GET /v1/workspaces/demo/dead/u1", json(entry)),
        ("POST /v1/workspaces/demo/dead/u1/retry", other(202, "application/json", r#"{"id":"u2","ids":["u2"]}"#)),
    ]);
    insta::assert_snapshot!(fine(&stage, "dead list"), @"
    uid  channel    received              attempts  reason
    u1   demo-form  2026-11-21 20:15:00Z  4         it stops the engine
    older ones: add --before c1
    ");
    insta::assert_snapshot!(fine(&stage, "dead show u1"), @"
    uid           u1
    channel       demo-form
    source        form
    received_at   2026-11-21T20:15:00.000Z
    set_aside_at  2026-11-21T20:15:01.000Z
    reason        it stops the engine
    attempts      4

    hi
    ");
    assert_eq!(fine(&stage, "dead retry u1"), "u1 is decided anew\n");
    assert_eq!(fine(&stage, "dead retry --all"), "u1 is decided anew\n");
    let none = "the workspace demo has no dead letter u9; `leadgate dead list` shows them";
    assert_eq!(refused(&stage, "dead show u9"), none);
    assert_eq!(refused(&stage, "dead retry u9"), format!("u9: {none}"));
    fine(&stage, "dead list --before c7 --limit 5");
    assert_eq!(stage.lines().pop().unwrap(), "GET /v1/workspaces/demo/dead?limit=5&before=c7");
}

#[test]
fn all_of_a_quarantine_are_released_page_by_page_and_what_fails_is_told() {
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/quarantine", json(r#"{"entries":[{"uid":"u1"}],"next":"c1"}"#)),
        ("GET /v1/workspaces/demo/quarantine", json(r#"{"entries":[{"uid":"u2"}],"next":null}"#)),
        ("POST /v1/workspaces/demo/quarantine/u1/release", problem(422, "no", "it still cannot be read: not JSON")),
        ("POST /v1/workspaces/demo/quarantine/u2/release", json(r#"{"id":"u3"}"#)),
    ]);
    let Ended(code, out, sentence) = typed(&stage, "quarantine release --all");
    assert_eq!((code, out.as_str()), (1, "u2 is read anew\n"));
    assert_eq!(sentence, "u1: the desk refused: no: it still cannot be read: not JSON");
    assert!(stage.lines().contains(&"GET /v1/workspaces/demo/quarantine?limit=1000&before=c1".to_owned()));
}

#[test]
fn exclusions_are_added_removed_and_listed() {
    let path = "/v1/workspaces/demo/exclusions";
    let list = r#"{"exclusions":[{"match":"domain:a.b","reason":"supplier","origin":"file","by":null,"at":null,"expires_at":null},
        {"match":"phone:+74950000000","reason":"robot","origin":"desk","by":"ops","at":"2026-11-21T20:15:00.000Z","expires_at":"2028-01-01T00:00:00.000Z"}],"next":"c1"}"#;
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        (&format!("POST {path}"), json(r#"{"id":"u"}"#)),
        (&format!("DELETE {path}"), json(r#"{"id":"u"}"#)),
        (&format!("GET {path}"), json(list)),
    ]);
    let added =
        typed_with(&stage, &["exclude", "add", "phone:8 495 0000000", "--reason", "robot", "--expires", "2027-12-31"]);
    assert_eq!(added.1, "phone:8 495 0000000 is excluded; its messages are kept and counted, but make no lead\n");
    let body = r#"{"expires_at":"2028-01-01T00:00:00.000Z","match":"phone:8 495 0000000","reason":"robot"}"#;
    assert_eq!(stage.heard()[1].body, body);
    assert_eq!(fine(&stage, "exclude remove domain:a.b"), "domain:a.b is no longer excluded\n");
    assert_eq!(stage.lines().pop().unwrap(), format!("DELETE {path}?match=domain%3Aa.b"));
    insta::assert_snapshot!(fine(&stage, "exclude list"), @"
    match               reason    from  by   expires
    domain:a.b          supplier  file
    phone:+74950000000  robot     desk  ops  2028-01-01 00:00:00Z
    more: add --after c1
    ");
}

/// A file in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn an_import_is_one_request() {
    let path = "POST /v1/workspaces/demo/exclusions/import";
    let stage = Stage::play(&[("GET /v1/workspaces", json(SPACES)), (path, json(r#"{"accepted":2}"#))]);
    let (_folder, list) = file("match,reason,expires\ndomain:a.b,supplier,\nprefix:+7800,robots,2027-12-31\n");
    assert_eq!(fine(&stage, &format!("exclude import {list}")), "2 exclusions imported\n");
    let body = r#"{"entries":[{"expires_at":null,"match":"domain:a.b","reason":"supplier"},{"expires_at":"2028-01-01T00:00:00.000Z","match":"prefix:+7800","reason":"robots"}]}"#;
    assert_eq!((stage.heard().len(), stage.heard()[1].body.as_str()), (2, body));
}

#[test]
fn one_wrong_line_and_nothing_is_imported() {
    let stage = Stage::play(&[("GET /v1/workspaces", json(SPACES))]);
    let (_folder, list) = file("match,reason\ndomain:a.b,supplier\nnonsense,reason\ndomain:c.d,\n");
    insta::assert_snapshot!(refused(&stage, &format!("exclude import {list}")), @"
    line 3: expected `phone:`, `email:`, `domain:`, `prefix:` or `handle:` and a value
    line 4: the reason is missing; whoever wonders later needs it
    2 wrong lines of 3; nothing was imported: mend the file and import again
    ");
    assert_eq!(stage.lines(), Vec::<String>::new(), "the desk is not asked");
    let (_folder, empty) = file("match,reason\n");
    assert_eq!(
        refused(&stage, &format!("exclude import {empty}")),
        "the file has no lines, so there is nothing to import"
    );
    assert_eq!(refused(&stage, "exclude import no.csv"), "failed to read no.csv: entity not found");
}

#[test]
fn lines_that_the_desk_refuses_are_told_as_the_file_counts_them() {
    let refusal = r#"{"title":"the request does not make sense","status":422,"detail":"1 of 2 lines are wrong; nothing was imported","errors":[{"line":2,"error":"this is not a phone number"}]}"#;
    let path = "POST /v1/workspaces/demo/exclusions/import";
    let stage =
        Stage::play(&[("GET /v1/workspaces", json(SPACES)), (path, other(422, "application/problem+json", refusal))]);
    let (_folder, list) = file("match,reason\n\ndomain:a.b,x\n\nphone:123,y\n");
    insta::assert_snapshot!(refused(&stage, &format!("exclude import {list}")), @"
    line 5: this is not a phone number
    the desk refused: the request does not make sense: 1 of 2 lines are wrong; nothing was imported
    ");
}

#[test]
fn why_looks_in_every_workspace() {
    let said = format!(
        r#"{{"lead":{{"id":"{LEAD}","channel":"demo-form","kind":"form","stage":"new","touches":1}},"trail":[]}}"#
    );
    let path = format!("GET /v1/workspaces/other/leads/{LEAD}/why");
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(TWO_SPACES)),
        (&path, json(&said)),
        ("GET /v1/workspaces/demo/leads", json(r#"{"leads":[],"next":null}"#)),
        ("GET /v1/workspaces/other/leads", json(&format!(r#"{{"leads":[{{"id":"{LEAD}"}}],"next":null}}"#))),
    ]);
    let words = fine(&stage, &format!("why {LEAD}"));
    assert!(words.starts_with(&format!("lead {LEAD}\n  form through demo-form")), "{words}");
    assert_eq!(fine(&stage, "why A7B8C9D0"), words, "the end of the id is enough");
    assert_eq!(fine(&stage, &format!("why {LEAD} --json")), format!("{said}\n"));
    assert_eq!(refused(&stage, "why 0000000000"), "there is no lead 0000000000 in demo, other");
    assert_eq!(typed(&stage, "why d0").0, 2);
    assert_eq!(typed(&stage, "why ../../../x").0, 2);
}

fn published(id: &str, cursor: &str) -> String {
    let event = format!(
        r#"{{"type":"lead.created","subject":"{id}","time":"2026-11-21T20:15:00.123Z","source":"/leadgate/demo/demo-form","data":{{"lead":{{"id":"{id}","channel":"demo-form","kind":"form","owner":"ivan","stage":"new","synthetic":null}},"change":{{}}}}}}"#
    );
    format!("id: {cursor}\nevent: lead.created\ndata: {event}\n\n")
}

#[test]
fn a_tail_comes_back_where_it_was_cut() {
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/events", json(r#"{"events":[],"next":"c0"}"#)),
        (
            "GET /v1/workspaces/demo/events",
            stream(&format!("retry: 2000\n: open\n\n{}id: c9\ndata: {{\"cut", published(LEAD, "c1"))),
        ),
        ("GET /v1/workspaces/demo/events", stream(&published(LEAD, "c2"))),
    ]);
    insta::assert_snapshot!(fine(&stage, "tail --count 2"), @"
    2026-11-21 20:15:00Z  lead.created        a7b8c9d0  demo-form       ivan        new         form
    2026-11-21 20:15:00Z  lead.created        a7b8c9d0  demo-form       ivan        new         form
    ");
    let resumed: Vec<_> = stage.heard().iter().skip(2).map(|heard| heard.headers["last-event-id"].clone()).collect();
    assert_eq!(resumed, ["c0", "c1"], "half an event was not seen");
}

#[test]
fn a_tail_for_machines_is_an_event_a_line() {
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/events", json(r#"{"events":[{"type":"a"},{"type":"b"}],"next":"c2"}"#)),
        ("GET /v1/workspaces/demo/events", json(r#"{"events":[],"next":"c2"}"#)),
        ("GET /v1/workspaces/demo/events", stream("id: c3\ndata: {\ndata: \"type\":\"c\"}\n\n")),
    ]);
    let lines = "{\"type\":\"a\"}\n{\"type\":\"b\"}\n{\"type\":\"c\"}\n";
    assert_eq!(fine(&stage, "tail --json --all --count 3"), lines);
    assert_eq!(stage.heard()[3].headers["last-event-id"], "c2");
}

#[test]
fn a_tail_that_is_refused_ends() {
    let path = "GET /v1/workspaces/demo/events";
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        (path, json(r#"{"events":[],"next":"c0"}"#)),
        (path, stream("id: c1\ndata: {\"type\":\"a\"}\n\n")),
        (path, problem(422, "the request does not make sense", "this cursor is not one of this list's")),
    ]);
    let Ended(code, out, sentence) = typed(&stage, "tail --json");
    assert_eq!((code, out.as_str()), (1, "{\"type\":\"a\"}\n"));
    assert_eq!(sentence, "the desk refused: the request does not make sense: this cursor is not one of this list's");
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

/// A desk whose sample knocks at the stage itself.
fn entrance(answer: super::stage::Canned, events: &[&str]) -> Stage {
    let sample = r#"{"method":"POST","url":"{base}/in/demo-form","headers":[["content-type","application/json"],["leadgate-synthetic","mark"]],"body_base64":"e30=","expect":200}"#;
    let path = "GET /v1/workspaces/demo/events";
    let mut script = vec![
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/channels", json(r#"{"channels":[{"id":"demo-line"},{"id":"demo-form"}]}"#)),
        (path, json(r#"{"events":[],"next":"c0"}"#)),
        ("POST /v1/workspaces/demo/channels/demo-form/sample", json(sample)),
        ("POST /in/demo-form", answer),
    ];
    script.extend(events.iter().map(|events| (path, json(&format!(r#"{{"events":[{events}],"next":"c1"}}"#)))));
    Stage::play(&script)
}

fn accepted() -> (super::stage::Canned, String) {
    let uid = lead::ids::Uid::from_bytes([7; 16]);
    let answer = json(&format!(r#"{{"id":"{uid}","status":"accepted"}}"#));
    let lead = uid.lead();
    let event = format!(
        r#"{{"type":"lead.created","time":"2026-11-21T20:15:00.123Z","data":{{"lead":{{"id":"{lead}","owner":null,"channel":"demo-form","synthetic":"technical"}},"change":{{}}}}}}"#
    );
    (answer, event)
}

#[test]
fn a_test_lead_is_followed_to_the_stream_hop_by_hop() {
    let (answer, event) = accepted();
    let stage = entrance(answer, &["{\"type\":\"lead.created\",\"data\":{}}", &event]);
    let words = typed_with(&stage, &["send", "demo-form", "--name", "Vera K"]);
    let steady: String = words.1.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!((words.0, words.2.as_str()), (0, ""));
    let hops: Vec<&str> = steady.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(hops, ["accepted", "decided", "readable", "demo-form"], "{}", words.1);
    let heard = stage.heard();
    let knock = heard.iter().find(|heard| heard.line == "POST /in/demo-form").unwrap();
    assert_eq!((knock.headers["leadgate-synthetic"].to_str().unwrap(), knock.body.as_str()), ("mark", "{}"));
    let asked: serde_json::Value = serde_json::from_str(&heard[3].body).unwrap();
    assert_eq!((&asked["name"], &asked["synthetic"]), (&"Vera K".into(), &"technical".into()));
    assert!(heard[5].line.contains("after=c0"), "the stream is read from the place before the knock");
}

#[test]
fn a_test_lead_for_machines_is_one_object() {
    let (answer, event) = accepted();
    let stage = entrance(answer, &[&event]);
    let said: serde_json::Value = serde_json::from_str(&fine(&stage, "send demo-form --json")).unwrap();
    let hops: Vec<_> = said["hops"].as_array().unwrap().iter().map(|hop| hop["hop"].as_str().unwrap()).collect();
    assert_eq!((hops, &said["channel"]), (vec!["accepted", "decided", "readable"], &"demo-form".into()));
}

#[test]
fn an_entrance_that_refuses_or_loses_the_test_is_told_in_one_sentence() {
    let stage = entrance(problem(401, "not believed", "the proof is wrong"), &[]);
    let sentence = "the entrance answered 401 instead of 200: not believed: the proof is wrong";
    assert_eq!(refused(&stage, "send demo-form"), sentence);
    let stage = entrance(accepted().0, &["{\"type\":\"lead.created\",\"data\":{}}"]);
    insta::assert_snapshot!(impatient(&stage), @"the entrance accepted it, entry 0s3ge1o70s3ge1o70s3ge1o70s, but no lead of demo-form was readable within 0 s; `leadgate books` shows what became of it, the log of the workers why");
    let sentence = "there is no channel demo-from; there are: demo-line, demo-form";
    assert_eq!(refused(&stage, "send demo-from"), sentence);
}

/// `send demo-form` by somebody who waits less long than the product does.
fn impatient(stage: &Stage) -> String {
    let Cli { command, .. } = Cli::try_parse_from(["leadgate", "send", "demo-form"]).unwrap();
    let Some(Command::Send(send)) = command else { panic!("`send` is a command") };
    let desk = desk_client::Desk::new(&stage.base, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut to = Vec::new();
    let done = runtime.block_on(send.impatient(&desk, &mut Output::plain(false, &mut to)));
    ended(stage, done, to).2
}
