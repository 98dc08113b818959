//! How does a decision read in words? One sentence a step, and below it whoever was passed over, and why.

use super::output::{count, moment, text};
use super::tail_line::short;
use lead::state::{AssignRule, Known, Skip, Step, Via, Why};
use lead::time::At;
use serde_json::Value;
use std::fmt::Write as _;

/// The whole answer: the lead, its trail, the rules that decided.
pub(crate) fn explain(said: &Value) -> String {
    let mut words = head(&said["lead"]);
    let steps = said["trail"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rules = String::new();
    for step in steps {
        let version = text(&step["rules"]);
        if version != rules {
            let _ = writeln!(words, "\nunder the rules {version}:");
            rules = version;
        }
        words.push_str(&told(step));
    }
    if steps.is_empty() {
        words.push_str("\nnothing was decided about it yet\n");
    }
    words
}

/// The lead as it is now.
fn head(lead: &Value) -> String {
    let [id, channel, kind, stage] = ["id", "channel", "kind", "stage"].map(|key| text(&lead[key]));
    let owner = if lead["owner"].is_null() { "nobody yet".to_owned() } else { text(&lead["owner"]) };
    let mut words = format!("lead {id}\n  {kind} through {channel}, received {}\n", moment(&lead["received_at"]));
    let _ = writeln!(words, "  stage {stage}, owner {owner}, came {}", count(seen(lead), "time"));
    let _ = match (lead["contacted_at"].as_str(), lead["sla"]["due_at"].as_str()) {
        (Some(_), _) => writeln!(words, "  first contact {}", moment(&lead["contacted_at"])),
        (None, Some(_)) => writeln!(words, "  no contact yet, due {}", moment(&lead["sla"]["due_at"])),
        (None, None) => writeln!(words, "  no contact yet, no clock runs"),
    };
    if !lead["sla"]["breached_at"].is_null() {
        let _ = writeln!(words, "  the deadline was missed {}", moment(&lead["sla"]["breached_at"]));
    }
    if !lead["repeat"].is_null() {
        let _ = writeln!(
            words,
            "  a client again: lead no. {} of this contact, {} days after {}",
            lead["repeat"]["prior_leads"].as_u64().unwrap_or(0) + 1,
            text(&lead["repeat"]["days_since_last"]),
            text(&lead["repeat"]["of"])
        );
    }
    if !lead["synthetic"].is_null() {
        let _ = writeln!(words, "  a test of our own ({}), outside all statistics", text(&lead["synthetic"]));
    }
    words
}

fn seen(lead: &Value) -> usize {
    lead["touches"].as_u64().and_then(|touches| usize::try_from(touches).ok()).unwrap_or(0)
}

/// A step that a newer desk knows and we do not is shown as it came.
fn told(step: &Value) -> String {
    let at = moment(&step["at"]);
    match serde_json::from_value::<Step>(step.clone()) {
        Ok(step) => format!("  {at}  {}\n{}", sentence(&step.what), below(&step.what)),
        Err(_) => format!("  {at}  {}\n", step["what"]),
    }
}

fn sentence(why: &Why) -> String {
    match why {
        Why::Born { channel, contact, prior_leads } => {
            format!("came in through {channel}, {}", known(*contact, *prior_leads))
        }
        Why::Clock { start, due_at } => {
            format!("the clock counts from {}; contact is due by {}", minute(*start), minute(*due_at))
        }
        Why::Assigned { to: Some(to), from, rule, .. } => {
            let from = from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
            format!("went{from} to {to}, {}", by_rule(*rule))
        }
        Why::Assigned { to: None, from, .. } => {
            let from = from.as_ref().map(|from| format!(", taken from {from}")).unwrap_or_default();
            format!("waits in the queue{from}: nobody could take it")
        }
        Why::Touched { channel, kind, across, after_close, .. } => {
            let where_ = if *across { "another channel" } else { "the same channel" };
            let late = if *after_close { ", although it was just closed" } else { "" };
            format!(
                "the customer came again through {channel} ({}, {where_}); a duplicate, attached{late}",
                kind.word()
            )
        }
        Why::Attempted { by } => format!("{} tried to reach the customer", somebody(by.as_deref())),
        Why::Contacted { by, via, at } => {
            format!(
                "first contact at {} by {}, {}; the clock stopped",
                minute(*at),
                somebody(by.as_deref()),
                through(*via)
            )
        }
        Why::Corrected { what } => format!("corrected: {}", plain(what)),
        Why::Warned { percent } => format!("warning: {percent} % of the time to first contact is gone"),
        Why::Breached => "the deadline passed without a contact".to_owned(),
        Why::Stage { to, by, reason } => format!("stage {}{}", word(to), signed(by.as_deref(), reason.as_deref())),
        Why::Closed { outcome, by, reason } => {
            let outcome = outcome.as_ref().map(|outcome| format!(" as {}", word(outcome))).unwrap_or_default();
            format!("closed{outcome}{}", signed(by.as_deref(), reason.as_deref()))
        }
        Why::MergedInto { lead } => format!("closed: one person with lead {lead}, which goes on"),
        Why::Merged { lead } => format!("took in lead {lead}: both are one person"),
        Why::Linked { contact, by } => {
            format!("its contact was linked with {} by a shared {}", short(&contact.to_string()), plain(by))
        }
        Why::TooManyKeys => {
            "its contact has too many phones and addresses to be one person; nothing more is linked".to_owned()
        }
    }
}

/// Whoever was asked before and did not get it.
fn below(why: &Why) -> String {
    let Why::Assigned { skipped, more, .. } = why else { return String::new() };
    let mut words = String::new();
    for (person, skip) in skipped {
        let _ = writeln!(words, "{:24}not {person}: {}", "", passed_over(*skip));
    }
    if *more > 0 {
        let _ = writeln!(words, "{:24}and {more} more", "");
    }
    words
}

fn known(contact: Known, prior_leads: u32) -> String {
    match contact {
        Known::New => "from somebody new".to_owned(),
        Known::Returning => format!("from a client with {}", count(prior_leads as usize, "earlier lead")),
        Known::Anonymous => "from somebody who left no phone and no address".to_owned(),
    }
}

const fn by_rule(rule: AssignRule) -> &'static str {
    match rule {
        AssignRule::WhoSpoke => "who had already talked to the customer",
        AssignRule::Sticky => "who had this client before",
        AssignRule::Geography => "by the customer's region",
        AssignRule::Skill => "by the skill and language needed",
        AssignRule::LeastLoad => "who had the least to do for the weight given",
        AssignRule::Manual => "by order of a person",
        AssignRule::Queue => "out of the queue",
    }
}

const fn passed_over(skip: Skip) -> &'static str {
    match skip {
        Skip::Absent => "absent",
        Skip::Full => "has as many leads as the capacity allows",
        Skip::OtherRegion => "serves another region",
        Skip::OtherSpecialist => "somebody who serves this region was there",
        Skip::LacksSkill => "lacks the skill",
        Skip::LacksLanguage => "lacks the language",
        Skip::MoreLoaded => "has more to do",
        Skip::NotAsked => "not asked, an earlier rule had answered",
    }
}

const fn through(via: Via) -> &'static str {
    match via {
        Via::InboundCall => "in a call of the customer",
        Via::OutboundCall => "in a call to the customer",
        Via::Reply => "by a written reply",
        Via::Feedback => "as the CRM says",
    }
}

fn somebody(by: Option<&str>) -> String {
    by.map_or_else(|| "somebody".to_owned(), plain)
}

fn signed(by: Option<&str>, reason: Option<&str>) -> String {
    let by = by.map(|by| format!(" by {}", plain(by))).unwrap_or_default();
    let reason = reason.map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
    by + &reason
}

fn plain(words: &str) -> String {
    text(&Value::from(words))
}

/// As JSON spells it.
fn word(word: &impl serde::Serialize) -> String {
    serde_json::to_value(word).map(|value| text(&value)).unwrap_or_default().replace('_', " ")
}

fn minute(at: At) -> String {
    moment(&Value::from(at.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::entry::{CloseAs, Kind, Stage};
    use lead::ids::Uid;
    use serde_json::json;

    fn at(seconds: i64) -> At {
        At::parse("2026-11-21T20:15:00Z").unwrap().plus(std::time::Duration::from_secs(seconds.unsigned_abs()))
    }

    fn lead() -> Value {
        json!({
            "id": "06c8d0u1v2g3h4i5j6a7b8c9d0", "channel": "demo-form", "kind": "form", "stage": "contacted",
            "owner": "ivan", "received_at": at(0), "touches": 2, "contacted_at": at(600), "synthetic": null,
            "sla": {"due_at": at(900), "breached_at": null},
            "repeat": {"of": "06c00000000000000000000000", "prior_leads": 1, "days_since_last": 40},
        })
    }

    fn trail(steps: Vec<(i64, Why)>) -> Value {
        let step = |(seconds, what)| Step { at: at(seconds), rules: "3f2a9c01".into(), what };
        json!(steps.into_iter().map(step).collect::<Vec<_>>())
    }

    fn ids() -> (Uid, lead::ids::LeadId, lead::ids::ContactId) {
        let uid = Uid::from_bytes([7; 16]);
        (uid, lead::ids::LeadId::from_bytes([7; 16]), lead::ids::ContactId::from_bytes([7; 16]))
    }

    #[test]
    fn a_trail_reads_like_a_story() {
        let given = Why::Assigned {
            to: Some("ivan".into()),
            from: None,
            rule: AssignRule::Geography,
            skipped: vec![("anna".into(), Skip::OtherRegion), ("oleg".into(), Skip::Absent)],
            more: 3,
        };
        let (uid, ..) = ids();
        let again =
            Why::Touched { channel: "demo-line".into(), kind: Kind::Call, across: true, after_close: false, uid };
        let talked = Why::Contacted { by: Some("ivan".into()), via: Via::InboundCall, at: at(600) };
        let said = json!({"lead": lead(), "trail": trail(vec![
            (0, Why::Born { channel: "demo-form".into(), contact: Known::Returning, prior_leads: 1 }),
            (0, Why::Clock { start: at(0), due_at: at(900) }),
            (0, given),
            (300, again),
            (450, Why::Warned { percent: 50 }),
            (610, talked),
        ])});
        insta::assert_snapshot!(explain(&said), @"
        lead 06c8d0u1v2g3h4i5j6a7b8c9d0
          form through demo-form, received 2026-11-21 20:15:00Z
          stage contacted, owner ivan, came 2 times
          first contact 2026-11-21 20:25:00Z
          a client again: lead no. 2 of this contact, 40 days after 06c00000000000000000000000

        under the rules 3f2a9c01:
          2026-11-21 20:15:00Z  came in through demo-form, from a client with 1 earlier lead
          2026-11-21 20:15:00Z  the clock counts from 2026-11-21 20:15:00Z; contact is due by 2026-11-21 20:30:00Z
          2026-11-21 20:15:00Z  went to ivan, by the customer's region
                                not anna: serves another region
                                not oleg: absent
                                and 3 more
          2026-11-21 20:20:00Z  the customer came again through demo-line (call, another channel); a duplicate, attached
          2026-11-21 20:22:30Z  warning: 50 % of the time to first contact is gone
          2026-11-21 20:25:10Z  first contact at 2026-11-21 20:25:00Z by ivan, in a call of the customer; the clock stopped
        ");
    }

    #[test]
    fn every_other_step_has_its_sentence() {
        let (_, lead, contact) = ids();
        let by = || Some("crm".to_owned());
        let steps = vec![
            Why::Assigned { to: None, from: Some("ivan".into()), rule: AssignRule::Queue, skipped: vec![], more: 0 },
            Why::Assigned {
                to: Some("anna".into()),
                from: Some("ivan".into()),
                rule: AssignRule::Manual,
                skipped: vec![],
                more: 0,
            },
            Why::Attempted { by: None },
            Why::Corrected { what: "sla.breached_at".into() },
            Why::Breached,
            Why::Stage { to: Stage::NoAnswer, by: by(), reason: Some("voice\u{1b}[2Jmail".into()) },
            Why::Closed { outcome: Some(CloseAs::Rejected), by: by(), reason: None },
            Why::Closed { outcome: None, by: None, reason: None },
            Why::MergedInto { lead },
            Why::Merged { lead },
            Why::Linked { contact, by: "phone".into() },
            Why::TooManyKeys,
        ];
        let sentences: Vec<String> = steps.iter().map(sentence).collect();
        insta::assert_snapshot!(sentences.join("\n"), @"
        waits in the queue, taken from ivan: nobody could take it
        went from ivan to anna, by order of a person
        somebody tried to reach the customer
        corrected: sla.breached_at
        the deadline passed without a contact
        stage no answer by crm: voice [2Jmail
        closed as rejected by crm
        closed
        closed: one person with lead 0s3ge1o70s3ge1o70s3ge1o70s, which goes on
        took in lead 0s3ge1o70s3ge1o70s3ge1o70s: both are one person
        its contact was linked with 3ge1o70s by a shared phone
        its contact has too many phones and addresses to be one person; nothing more is linked
        ");
    }

    #[test]
    fn a_step_of_a_newer_desk_is_shown_as_it_came() {
        let step = json!({"at": at(0), "rules": "r", "what": {"levitated": {"by": "magic"}}});
        assert_eq!(told(&step), "  2026-11-21 20:15:00Z  {\"levitated\":{\"by\":\"magic\"}}\n");
    }

    #[test]
    fn the_head_says_what_is_open_missed_or_a_test() {
        let mut lead = lead();
        lead["contacted_at"] = json!(null);
        lead["owner"] = json!(null);
        lead["repeat"] = json!(null);
        lead["synthetic"] = json!("technical");
        lead["sla"]["breached_at"] = json!(at(900));
        insta::assert_snapshot!(explain(&json!({"lead": lead, "trail": []})), @"
        lead 06c8d0u1v2g3h4i5j6a7b8c9d0
          form through demo-form, received 2026-11-21 20:15:00Z
          stage contacted, owner nobody yet, came 2 times
          no contact yet, due 2026-11-21 20:30:00Z
          the deadline was missed 2026-11-21 20:30:00Z
          a test of our own (technical), outside all statistics

        nothing was decided about it yet
        ");
    }
}
