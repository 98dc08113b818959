//! What do readers of the clean stream see?

use crate::world::{World, call, feedback, form, reply, rules, secs, worlds};
use lead::entry::{CloseAs, Consent, Outcome, Stage};
use serde_json::Value;

/// Every key of the contract; absent is null or empty, never a missing key.
const LEAD: [&str; 33] = [
    "id",
    "version",
    "workspace",
    "channel",
    "kind",
    "source",
    "received_at",
    "occurred_at",
    "touches",
    "contact",
    "text",
    "attributes",
    "campaign",
    "consent",
    "geo",
    "repeat",
    "stage",
    "outcome",
    "owner",
    "team",
    "tags",
    "score",
    "priority",
    "flags",
    "synthetic",
    "sla",
    "attempted_at",
    "contacted_at",
    "contacted_by",
    "call",
    "reason",
    "value",
    "closed_at",
];

fn keys<'v>(value: &'v Value, keys: &[&str]) -> Vec<&'v str> {
    let object = value.as_object().unwrap();
    for key in keys {
        assert!(object.contains_key(*key), "{key} is missing");
    }
    object.keys().map(String::as_str).collect()
}

/// A life with every type of event a lead can have.
fn eventful() -> World {
    let [mut world, _] = worlds(&rules());
    let line = call("c1", Some("+74951112233"));
    world.feed(line.ringing(secs(0)));
    world.feed(form("again", secs(500)).phone("+74951112233"));
    world.feed(line.bridged(secs(1_000), "102"));
    world.feed(line.ended(secs(1_060), Some(60)));
    let lead = line.ringing(secs(0)).lead();
    world.feed(feedback("stage", secs(1_100), lead, Outcome::Stage { stage: Stage::Qualified, reason: None }));
    let close = Outcome::Closed { outcome: CloseAs::Converted, reason: None, value: Some(10.0) };
    world.feed(feedback("close", secs(1_200), lead, close));
    world.feed(feedback(
        "more",
        secs(1_300),
        lead,
        Outcome::Closed { outcome: CloseAs::Rejected, reason: None, value: None },
    ));
    world.rules.people.iter_mut().for_each(|person| person.capacity = Some(0));
    world.feed(form("mail", secs(2_000)).email("a@example.com"));
    world.feed(form("phone", secs(2_001)).phone("+79161112233"));
    world.feed(form("both", secs(2_002)).email("a@example.com").phone("+79161112233"));
    world.feed(feedback("attempt", secs(2_003), form("mail", secs(0)).lead(), Outcome::Attempt));
    world.feed(reply("answer", secs(2_004), "a@example.com", Some("anna")));
    world
}

#[test]
fn every_event_has_every_key_of_the_contract() {
    let world = eventful();
    for said in &world.events {
        let cloud = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"];
        keys(&said.json, &cloud);
        assert_eq!(said.json["specversion"], "1.0");
        assert_eq!(said.json["type"], said.kind);
        assert_eq!(said.json["subject"], said.subject);
        let data = &said.json["data"];
        keys(data, &["schema", "change"]);
        if said.kind.starts_with("contact.") {
            keys(&data["contact"], &["id", "name", "phones", "emails", "handles"]);
            assert_eq!(said.subject, data["contact"]["id"].as_str().unwrap());
            continue;
        }
        keys(&data["lead"], &LEAD);
        keys(&data["lead"]["contact"], &["id", "name", "phones", "emails", "handles"]);
        keys(&data["lead"]["geo"], &["country", "region", "city", "by"]);
        keys(&data["lead"]["sla"], &["due_at", "breached_at"]);
        if data["lead"]["kind"] == "call" {
            keys(&data["lead"]["call"], &["id", "from", "to", "answered_by", "talk_s", "recording_url"]);
        }
        let channel = data["lead"]["channel"].as_str().unwrap();
        assert_eq!(said.json["source"], format!("/leadgate/cottages/{channel}"));
        assert_eq!(said.subject, data["lead"]["id"].as_str().unwrap());
    }
}

#[test]
fn a_lead_can_say_everything_it_has_words_for() {
    let world = eventful();
    for kind in [
        "lead.created",
        "lead.touched",
        "lead.assigned",
        "lead.attempted",
        "lead.contacted",
        "lead.sla_warning",
        "lead.sla_breached",
        "lead.stage_changed",
        "lead.closed",
        "lead.corrected",
        "contact.linked",
    ] {
        assert!(!world.events_of(kind).is_empty(), "{kind}");
    }
}

/// One line a field, of the event and of its data.
fn lines(event: &Value) -> String {
    let fields = |value: &Value| value.as_object().unwrap().clone();
    let cloud = fields(event).into_iter().filter(|(name, _)| name != "data");
    let lead = fields(&event["data"]["lead"]).into_iter();
    let why =
        event["data"]["change"]["why"].as_array().unwrap().iter().map(|step| ("why".to_owned(), step["what"].clone()));
    cloud.chain(lead).chain(why).map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[test]
fn the_first_event_of_a_lead_reads_so() {
    let [mut world, _] = worlds(&rules());
    let knock = form("knock", secs(0)).phone("8 (495) 111-22-33").email("A@Example.com").handle("Telegram", "777");
    world.feed(knock.occurred(secs(-2)).touch(|touch| {
        touch.name = Some("  Анна ".into());
        touch.text = Some("A house by the lake".into());
        touch.attributes.insert("size".into(), "120".into());
        touch.campaign.insert("utm_source".into(), "spring".into());
        touch.consent = Some(Consent { given: true, text: Some("v3".into()), at: Some(secs(-2)) });
    }));
    insta::assert_snapshot!(lines(&world.events[0].json), @r#"
    datacontenttype: "application/json"
    id: "5nv84tmdj839gd14aj113o1rug"
    source: "/leadgate/cottages/site"
    specversion: "1.0"
    subject: "du214k25ofjd6k0d60oakmt6jk"
    time: "2026-11-23T07:00:00.000Z"
    type: "lead.created"
    attempted_at: null
    attributes: {"size":"120"}
    call: null
    campaign: {"utm_source":"spring"}
    channel: "site"
    closed_at: null
    consent: {"at":"2026-11-23T06:59:58.000Z","given":true,"text":"v3"}
    contact: {"emails":["a@example.com"],"handles":[{"id":"777","kind":"telegram"}],"id":"du214k25oegkilgv28onfpuljo","name":"Анна","phones":["+74951112233"]}
    contacted_at: null
    contacted_by: null
    flags: []
    geo: {"by":"phone","city":null,"country":"RU","region":"RU-MOW"}
    id: "du214k25ofjd6k0d60oakmt6jk"
    kind: "form"
    merged_into: null
    occurred_at: "2026-11-23T06:59:58.000Z"
    outcome: null
    owner: "ivan"
    priority: 0
    reason: null
    received_at: "2026-11-23T07:00:00.000Z"
    repeat: null
    score: 0
    sla: {"breached_at":null,"due_at":"2026-11-23T07:14:58.000Z"}
    source: "form"
    stage: "new"
    synthetic: null
    tags: []
    team: null
    text: "A house by the lake"
    touches: 1
    value: null
    version: 1
    workspace: "cottages"
    why: {"born":{"channel":"site","contact":"new","prior_leads":0}}
    why: {"clock":{"due_at":"2026-11-23T07:14:58.000Z","start":"2026-11-23T06:59:58.000Z"}}
    why: {"assigned":{"from":null,"more":0,"rule":"least_load","skipped":[["anna","more_loaded"]],"to":"ivan"}}
    "#);
}
