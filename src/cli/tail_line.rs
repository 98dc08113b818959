//! How does an event read in one line? Time, type, lead, channel, owner, stage, what changed. Who the customer is
//! stays out, unless it is asked for.

use super::output::{BAD, GOOD, QUIET, WEAK, moment, text};
use anstyle::Style;
use serde_json::Value;

/// The parts of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: String,
    pub(crate) kind: String,
    /// The end of the lead's id: ids of one moment begin alike. `leadgate why` takes it too.
    pub(crate) subject: String,
    pub(crate) channel: String,
    pub(crate) owner: String,
    pub(crate) stage: String,
    pub(crate) change: String,
}

/// Characters of an id that tell leads apart.
pub(crate) const SHORT: usize = 8;

pub(crate) fn short(id: &str) -> &str {
    id.len().checked_sub(SHORT).and_then(|from| id.get(from..)).unwrap_or(id)
}

/// Reads a CloudEvent.
pub(crate) fn line(event: &Value, full: bool) -> Line {
    let (lead, kind) = (&event["data"]["lead"], text(&event["type"]));
    let mut change = changed(&kind, lead, &event["data"]["change"]);
    if !lead["synthetic"].is_null() {
        change.push(format!("[test: {}]", text(&lead["synthetic"])));
    }
    if full {
        change.extend(person(&event["data"]));
    }
    let channel = match &lead["channel"] {
        Value::Null => text(&event["source"]).rsplit('/').next().unwrap_or_default().to_owned(),
        channel => text(channel),
    };
    Line {
        at: moment(&event["time"]),
        kind,
        subject: short(&text(&event["subject"])).to_owned(),
        channel,
        owner: or_dash(&lead["owner"]),
        stage: or_dash(&lead["stage"]),
        change: change.join(", "),
    }
}

impl Line {
    /// In columns; `paint` colours a part.
    pub(crate) fn show(&self, paint: impl Fn(Style, &str) -> String) -> String {
        let Self { at, kind, subject, channel, owner, stage, change } = self;
        let (at, kind) = (paint(QUIET, at), paint(style(kind), &format!("{kind:<18}")));
        format!("{at}  {kind}  {subject:<8}  {channel:<14}  {owner:<10}  {stage:<10}  {change}").trim_end().to_owned()
    }
}

fn style(kind: &str) -> Style {
    match kind {
        "lead.created" | "lead.contacted" => GOOD,
        "lead.sla_breached" => BAD,
        "lead.sla_warning" | "lead.queued" | "channel.state_changed" => WEAK,
        _ => Style::new(),
    }
}

fn or_dash(value: &Value) -> String {
    if value.is_null() { "-".to_owned() } else { text(value) }
}

/// What people wrote themselves (reasons, texts) is left out: it may name the customer.
fn changed(kind: &str, lead: &Value, change: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let mut say = |before: &str, value: &Value| {
        if !value.is_null() {
            said.push(format!("{before}{}", words(value)));
        }
    };
    match kind {
        "lead.created" => {
            say("", &lead["kind"]);
            say("repeat no. ", &lead["repeat"]["prior_leads"]);
            say("rule ", &assigned(&change["why"])["rule"]);
        }
        "lead.touched" => {
            say("", &change["duplicate"]);
            say("call ", &change["call"]["phase"]);
            say("took in ", &change["merged"]);
            if change["after_close"] == true {
                say("", &Value::from("after it was closed"));
            }
        }
        "lead.assigned" | "lead.queued" => {
            say("from ", &change["from"]);
            say("rule ", &change["rule"]);
        }
        "lead.attempted" | "lead.contacted" => {
            say("via ", &change["via"]);
            say("by ", &change["by"]);
        }
        "lead.sla_warning" | "lead.sla_breached" => {
            say("of the time gone, in %: ", &change["percent"]);
            say("due ", &Value::from(moment(&change["due_at"])));
        }
        "lead.stage_changed" => {
            say("was ", &change["from"]);
            say("by ", &change["by"]);
        }
        "lead.closed" => {
            say("", &change["outcome"]);
            say("by ", &change["by"]);
            say("merged into ", &change["merged_into"]);
        }
        _ => {
            let names: Vec<&str> = change.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            said.extend(names.iter().map(|name| words(&Value::from(*name))));
        }
    }
    said
}

/// The step of the trail that gave the lead its owner.
fn assigned(trail: &Value) -> Value {
    let steps = trail.as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().rev().find_map(|step| step["what"].get("assigned").cloned()).unwrap_or_default()
}

fn words(value: &Value) -> String {
    let text = text(value);
    if lead::ids::LeadId::parse(&text).is_some() { short(&text).to_owned() } else { text.replace('_', " ") }
}

fn person(data: &Value) -> Vec<String> {
    let contact = if data["lead"].is_null() { &data["contact"] } else { &data["lead"]["contact"] };
    let keys = ["phones", "emails"].into_iter().flat_map(|kind| contact[kind].as_array().into_iter().flatten());
    let handles = contact["handles"].as_array().into_iter().flatten();
    let handles = handles.map(|handle| format!("{}:{}", text(&handle["kind"]), text(&handle["id"])));
    let name = text(&contact["name"]);
    let said = data["lead"]["text"].as_str().map(|words| format!("\"{}\"", text(&Value::from(words))));
    let name = (!name.is_empty()).then_some(name);
    name.into_iter().chain(keys.map(text)).chain(handles).chain(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lead() -> Value {
        json!({
            "id": "06c8d0u1v2g3h4i5j6a7b8c9d0", "channel": "demo-form", "kind": "form", "owner": "ivan", "stage": "new",
            "text": "call +79035551234", "synthetic": null, "repeat": {"prior_leads": 2},
            "contact": {"name": "Vera\u{1b}[2J", "phones": ["+79035551234"], "emails": ["vera@example.com"],
                "handles": [{"kind": "telegram", "id": "777"}]},
        })
    }

    fn event(kind: &str, change: &Value) -> Value {
        json!({
            "type": kind, "subject": "06c8d0u1v2g3h4i5j6a7b8c9d0", "time": "2026-11-21T20:15:00.123Z",
            "source": "/leadgate/demo/demo-form", "data": {"schema": 1, "lead": lead(), "change": change},
        })
    }

    fn shown(event: &Value, full: bool) -> String {
        line(event, full).show(|_, text| text.to_owned())
    }

    /// One event of each type, with what a customer or a clerk may have typed into it.
    fn events() -> Vec<Value> {
        let why = json!([{"at": "…", "rules": "r", "what": {"assigned": {"to": "ivan", "rule": "least_load"}}}]);
        let due = "2026-11-21T20:30:00.000Z";
        vec![
            event("lead.created", &json!({"why": why})),
            event(
                "lead.touched",
                &json!({"duplicate": "cross_channel", "after_close": true,
                "touch": {"text": "+79035551234"}}),
            ),
            event("lead.touched", &json!({"call": {"id": "CA1", "phase": "answered"}})),
            event("lead.assigned", &json!({"from": "anna", "owner": "ivan", "rule": "manual"})),
            event("lead.queued", &json!({"from": null, "owner": null, "rule": "queue"})),
            event("lead.attempted", &json!({"by": "ivan"})),
            event("lead.contacted", &json!({"by": "ivan", "via": "inbound_call"})),
            event("lead.sla_warning", &json!({"percent": 50, "due_at": due})),
            event("lead.sla_breached", &json!({"due_at": due, "owner": "ivan"})),
            event("lead.stage_changed", &json!({"from": "new", "to": "qualified", "reason": "+79035551234"})),
            event("lead.closed", &json!({"outcome": "rejected", "reason": "+79035551234", "by": "crm"})),
            event("lead.closed", &json!({"merged_into": "06c8d0u1v2g3h4i5j6a7b8c9e0"})),
            event("lead.corrected", &json!({"contacted_at": {"was": due, "is": due}})),
        ]
    }

    #[test]
    fn an_event_reads_in_one_line_without_the_customer() {
        let lines: Vec<String> = events().iter().map(|event| shown(event, false)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        2026-11-21 20:15:00Z  lead.created        a7b8c9d0  demo-form       ivan        new         form, repeat no. 2, rule least load
        2026-11-21 20:15:00Z  lead.touched        a7b8c9d0  demo-form       ivan        new         cross channel, after it was closed
        2026-11-21 20:15:00Z  lead.touched        a7b8c9d0  demo-form       ivan        new         call answered
        2026-11-21 20:15:00Z  lead.assigned       a7b8c9d0  demo-form       ivan        new         from anna, rule manual
        2026-11-21 20:15:00Z  lead.queued         a7b8c9d0  demo-form       ivan        new         rule queue
        2026-11-21 20:15:00Z  lead.attempted      a7b8c9d0  demo-form       ivan        new         by ivan
        2026-11-21 20:15:00Z  lead.contacted      a7b8c9d0  demo-form       ivan        new         via inbound call, by ivan
        2026-11-21 20:15:00Z  lead.sla_warning    a7b8c9d0  demo-form       ivan        new         of the time gone, in %: 50, due 2026-11-21 20:30:00Z
        2026-11-21 20:15:00Z  lead.sla_breached   a7b8c9d0  demo-form       ivan        new         due 2026-11-21 20:30:00Z
        2026-11-21 20:15:00Z  lead.stage_changed  a7b8c9d0  demo-form       ivan        new         was new
        2026-11-21 20:15:00Z  lead.closed         a7b8c9d0  demo-form       ivan        new         rejected, by crm
        2026-11-21 20:15:00Z  lead.closed         a7b8c9d0  demo-form       ivan        new         merged into a7b8c9e0
        2026-11-21 20:15:00Z  lead.corrected      a7b8c9d0  demo-form       ivan        new         contacted at
        ");
        for line in &lines {
            assert!(!line.contains("79035551234") && !line.contains("Vera"), "{line}");
        }
    }

    #[test]
    fn the_customer_is_shown_when_asked_for_and_cannot_move_the_cursor() {
        insta::assert_snapshot!(shown(&event("lead.attempted", &json!({})), true), @r#"2026-11-21 20:15:00Z  lead.attempted      a7b8c9d0  demo-form       ivan        new         Vera [2J, +79035551234, vera@example.com, telegram:777, "call +79035551234""#);
    }

    #[test]
    fn events_of_contacts_channels_and_tests_have_lines_too() {
        let mut test = event("lead.created", &json!({}));
        test["data"]["lead"]["synthetic"] = json!("technical");
        test["data"]["lead"]["owner"] = json!(null);
        let linked = json!({"type": "contact.linked", "subject": "06c8d0u1v2g3h4i5j6a7b8c9d0",
            "source": "/leadgate/demo/demo-line", "time": "2026-11-21T20:15:00.123Z",
            "data": {"contact": {"phones": ["+79035551234"]}, "change": {"linked": ["+79035551234"]}}});
        let lines = [&test, &linked, &json!({})].map(|event| shown(event, false));
        insta::assert_snapshot!(lines.join("\n"), @"
        2026-11-21 20:15:00Z  lead.created        a7b8c9d0  demo-form       -           new         form, repeat no. 2, [test: technical]
        2026-11-21 20:15:00Z  contact.linked      a7b8c9d0  demo-line       -           -           linked
                                                        -           -
        ");
    }
}
