//! Has anything come through a channel? The entrance's counters, the books and the clean stream are looked at until the
//! first request has been decided, whatever was decided.
//!
//! A touch of a lead that is there already tells the stream of that lead, whose channel may be another one: then the
//! touch says where it came in. What makes no lead stands in the books alone.

use super::desk_client::Desk;
use super::failure::{Failure, Result};
use super::output::{BAD, GOOD, Output, WEAK, text};
use lead::units::Span;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two looks at what came.
const PAUSE: Duration = Duration::from_millis(500);

/// Counters by what they count.
pub(super) type Counts = BTreeMap<String, u64>;

/// A channel being watched.
pub(super) struct Watch<'a> {
    pub(super) desk: &'a Desk,
    pub(super) workspace: &'a str,
    pub(super) channel: &'a str,
    pub(super) begun: Instant,
}

/// Where it all stood when the watch began.
pub(super) struct Before {
    pub(super) cursor: String,
    pub(super) booked: Counts,
    pub(super) counted: Counts,
}

impl Watch<'_> {
    pub(super) async fn until(&self, patience: Duration, before: Before, out: &mut Output<'_>) -> Result<()> {
        let Before { mut cursor, mut booked, mut counted } = before;
        out.line(&format!("Waiting for the first request to {} …", self.channel))?;
        while self.begun.elapsed() < patience {
            tokio::time::sleep(PAUSE).await;
            let path = ["v1", "workspaces", self.workspace, "channels", self.channel, "wiring"];
            let now = counts(&self.desk.get(&path, &[]).await?.json);
            for (what, more) in grown(&counted, &now) {
                self.say(out, style(&what), &sentence(&what, more))?;
            }
            counted = now;
            // The books first: what they hold of a lead the stream tells, too.
            let now = self.booked().await?;
            let news = grown(&booked, &now);
            booked = now;
            if let Some(decided) = self.event(&mut cursor).await? {
                return self.works(&decided, out);
            }
            for (verdict, _) in news {
                match verdict_of(&verdict) {
                    Heard::Works(decided) => return self.works(decided, out),
                    Heard::Aside(told) => self.say(out, BAD, told)?,
                    Heard::Goes(told) => self.say(out, WEAK, told)?,
                }
            }
        }
        Err(Failure::no(format!("no lead of {} came within {}", self.channel, Span(patience))))
    }

    fn say(&self, out: &mut Output<'_>, style: anstyle::Style, told: &str) -> Result<()> {
        let told = out.paint(style, told);
        Ok(out.line(&format!("{:>6.1} s  {told}", self.begun.elapsed().as_secs_f64()))?)
    }

    fn works(&self, decided: &str, out: &mut Output<'_>) -> Result<()> {
        self.say(out, GOOD, &format!("decided: {decided}"))?;
        let works = out.paint(GOOD, &format!("{} works", self.channel));
        Ok(out.line(&works)?)
    }

    /// The channel's verdicts so far.
    pub(super) async fn booked(&self) -> Result<Counts> {
        let said = self.desk.get(&["v1", "workspaces", self.workspace, "books"], &[]).await?.json;
        let mut lines = said["channels"].as_array().into_iter().flatten();
        let verdicts = lines.find(|line| line["channel"] == self.channel).and_then(|line| line["verdicts"].as_object());
        let count = |(verdict, count): (&String, &Value)| (verdict.clone(), count.as_u64().unwrap_or(0));
        Ok(verdicts.into_iter().flatten().map(count).collect())
    }

    /// What the first event of this channel behind the cursor says.
    async fn event(&self, cursor: &mut String) -> Result<Option<String>> {
        let path = ["v1", "workspaces", self.workspace, "events"];
        let page = self.desk.get(&path, &[("after", cursor.as_str()), ("limit", "100")]).await?.json;
        if let Some(next) = page["next"].as_str() {
            next.clone_into(cursor);
        }
        Ok(page["events"].as_array().into_iter().flatten().find_map(|event| told(event, self.channel)))
    }
}

/// What an event says of a request to this channel; none where it is about another, or about time that has passed.
fn told(event: &Value, channel: &str) -> Option<String> {
    let (lead, touch) = (&event["data"]["lead"], &event["data"]["change"]["touch"]);
    let id = text(&lead["id"]);
    let owner = if lead["owner"].is_null() { "nobody yet".to_owned() } else { text(&lead["owner"]) };
    match event["type"].as_str()? {
        "lead.created" if lead["channel"] == channel => Some(format!("lead.created {id}, owner {owner}")),
        "lead.touched" if touch["channel"] == channel => {
            let came = text(&lead["channel"]);
            Some(format!("lead.touched {id}, owner {owner}: a duplicate, this lead came through {came} before"))
        }
        _ => None,
    }
}

/// What a verdict says of the channel.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Works(&'static str),
    /// It came, and somebody has to look at it.
    Aside(&'static str),
    /// It came, and it was no request of a customer.
    Goes(&'static str),
}

fn verdict_of(verdict: &str) -> Heard {
    match verdict {
        "lead" => Heard::Works("a lead"),
        "synthetic" => Heard::Works("a test of our own"),
        "duplicate" => Heard::Works("a duplicate, one more touch of a lead that was there before"),
        "excluded" => Heard::Works("excluded, so it makes no lead; `leadgate exclude list` shows who is kept out"),
        "junk" => Heard::Works("junk, so it makes no lead; it is kept and counted"),
        "redelivered" => Heard::Works("the same request as one before, so it makes no second lead"),
        "quarantined" => Heard::Aside("it could not be read: look at it with `leadgate quarantine list`"),
        "dead" => Heard::Aside("it could not be decided: look at it with `leadgate dead list`"),
        "update" => Heard::Goes("it tells more of a lead that is there; waiting on for a new request"),
        _ => Heard::Goes("it belongs to no lead yet and is remembered; waiting on for a new request"),
    }
}

pub(super) fn counts(said: &Value) -> Counts {
    let seen = &said["seen"];
    let mut counts = Counts::new();
    for (name, word) in [("accepted", "accepted"), ("ignored", "ignored")] {
        counts.insert(word.to_owned(), seen[name].as_u64().unwrap_or(0));
    }
    for (reason, count) in seen["refused"].as_object().into_iter().flatten() {
        counts.insert(format!("refused {reason}"), count.as_u64().unwrap_or(0));
    }
    counts
}

/// What was counted since.
fn grown(before: &Counts, now: &Counts) -> Vec<(String, u64)> {
    let more = |(what, count): (&String, &u64)| {
        // A gateway that was restarted counts from nothing.
        let old = before.get(what).copied().filter(|old| old <= count).unwrap_or(0);
        (*count > old).then(|| (what.clone(), count - old))
    };
    now.iter().filter_map(more).collect()
}

fn style(what: &str) -> anstyle::Style {
    match what {
        "accepted" => GOOD,
        "ignored" => WEAK,
        _ => BAD,
    }
}

fn sentence(what: &str, more: u64) -> String {
    let times = if more == 1 { String::new() } else { format!(", {more} times") };
    let said = match what.strip_prefix("refused ").unwrap_or(what) {
        "accepted" => "arrived, believed and stored".to_owned(),
        "ignored" => "arrived and answered: a handshake, or an event that makes no lead".to_owned(),
        "unauthorized" => "refused: it is not proven genuine; compare the secret on both sides".to_owned(),
        "misconfigured" => "refused: the channel has no secret to check with".to_owned(),
        "method" => "refused: this method is not taken here; the provider should POST".to_owned(),
        "media_type" => "refused: its content type is not read here".to_owned(),
        "not_found" => "refused: the key in the address is wrong".to_owned(),
        "upstream" => "put off: the provider could not be asked for the rest; see the log".to_owned(),
        reason => format!("refused: {reason}"),
    };
    format!("{said}{times}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_new_is_told_and_a_restart_is_no_news() {
        let seen = |accepted: u64, refused: u64| {
            counts(&json!({"seen": {"accepted": accepted, "ignored": 0, "refused": {"unauthorized": refused}}}))
        };
        assert_eq!(grown(&seen(2, 1), &seen(2, 1)), []);
        assert_eq!(
            grown(&seen(2, 1), &seen(3, 3)),
            [("accepted".to_owned(), 1), ("refused unauthorized".to_owned(), 2)]
        );
        assert_eq!(grown(&seen(5, 0), &seen(1, 0)), [("accepted".to_owned(), 1)]);
    }

    #[test]
    fn the_first_request_is_told_apart_from_what_happens_to_older_leads() {
        let event = |kind: &str, lead: &str, touch: Value| json!({"type": kind, "data": {"lead": {"id": "l1", "channel": lead, "owner": null}, "change": {"touch": touch}}});
        let touch = |channel: &str| json!({"id": "u1", "channel": channel});
        for (event, expected) in [
            (event("lead.created", "line", json!(null)), Some("lead.created l1, owner nobody yet")),
            (event("lead.created", "form", json!(null)), None),
            (
                event("lead.touched", "form", touch("line")),
                Some("lead.touched l1, owner nobody yet: a duplicate, this lead came through form before"),
            ),
            (event("lead.touched", "line", touch("form")), None),
            (event("lead.touched", "line", json!(null)), None),
            (event("lead.sla_breached", "line", json!(null)), None),
        ] {
            assert_eq!(told(&event, "line").as_deref(), expected, "{event}");
        }
    }

    #[test]
    fn whatever_was_decided_the_channel_works_and_what_was_set_aside_is_waited_over() {
        for verdict in lead::books::Verdict::ALL.map(lead::books::Verdict::word) {
            let works = matches!(verdict_of(verdict), Heard::Works(_));
            let ends = ["lead", "duplicate", "excluded", "junk", "synthetic", "redelivered"].contains(&verdict);
            assert_eq!(works, ends, "{verdict}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        assert!(sentence("refused unauthorized", 1).contains("compare the secret"));
        assert_eq!(sentence("refused slow", 2), "refused: slow, 2 times");
    }
}
