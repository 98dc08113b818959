//! One lead and the stream: `why`, `tail`, `send`.

use super::super::desk_client::Desk;
use super::super::stage::{Canned, stream};
use super::*;

const LEAD: &str = "06c8d0u1v2g3h4i5j6a7b8c9d0";

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
fn a_tail_for_machines_is_an_event_a_line_as_it_came() {
    let stage = Stage::play(&[
        ("GET /v1/workspaces", json(SPACES)),
        ("GET /v1/workspaces/demo/events", stream("id: c1\ndata: {\"type\":\"b\",\"a\":1}\n\nid: c2\ndata: {}\n\n")),
        ("GET /v1/workspaces/demo/events", stream("id: c3\ndata: {\ndata: \"type\":\"c\"}\n\n")),
    ]);
    let lines = "{\"type\":\"b\",\"a\":1}\n{}\n{ \"type\":\"c\"}\n";
    assert_eq!(fine(&stage, "tail --json --all --count 3"), lines);
    let places: Vec<_> =
        stage.heard().iter().skip(1).map(|heard| heard.headers.get("last-event-id").cloned()).collect();
    assert_eq!(places, [None, Some("c2".parse().unwrap())], "first the oldest, then behind the last");
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
    assert_eq!(sentence, "the desk refused: this cursor is not one of this list's");
}

/// A desk whose sample knocks at the stage itself.
fn entrance(answer: Canned, events: &[&str]) -> Stage {
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

fn accepted() -> (Canned, String) {
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
    let desk = Desk::new(&stage.base, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut to = Vec::new();
    let done = runtime.block_on(send.impatient(&desk, &mut Output::plain(false, &mut to)));
    ended(stage, done, to).2
}
