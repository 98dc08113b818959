//! Lists: what was set aside, and who is excluded.

use super::*;

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
    assert_eq!(sentence, "u1: the desk refused: it still cannot be read: not JSON");
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
    let body = r#"{"expires":"2027-12-31","match":"phone:8 495 0000000","reason":"robot"}"#;
    assert_eq!(stage.heard()[1].body, body);
    fine(&stage, "exclude add domain:a.b --reason x --expires 2027-12-31T18:00:00+03:00");
    let body = r#"{"expires_at":"2027-12-31T15:00:00.000Z","match":"domain:a.b","reason":"x"}"#;
    assert_eq!(stage.heard()[3].body, body);
    assert_eq!(fine(&stage, "exclude remove domain:a.b"), "domain:a.b is no longer excluded\n");
    assert_eq!(stage.lines().pop().unwrap(), format!("DELETE {path}?match=domain%3Aa.b"));
    insta::assert_snapshot!(fine(&stage, "exclude list"), @"
    match               reason    from  by   expires
    domain:a.b          supplier  file
    phone:+74950000000  robot     desk  ops  2028-01-01 00:00:00Z
    more: add --after c1
    ");
}

#[test]
fn removing_what_was_never_listed_is_a_no() {
    let stage = Stage::play(&[("GET /v1/workspaces", json(SPACES))]);
    let sentence = "domain:a.b is not excluded; `leadgate exclude list` shows who is";
    assert_eq!(refused(&stage, "exclude remove domain:a.b"), sentence);
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
    let body = r#"{"entries":[{"match":"domain:a.b","reason":"supplier"},{"expires":"2027-12-31","match":"prefix:+7800","reason":"robots"}]}"#;
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
    assert_eq!(refused(&stage, "exclude import no.csv"), "failed to read no.csv: no such file");
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
    the desk refused: 1 of 2 lines are wrong; nothing was imported
    ");
}
