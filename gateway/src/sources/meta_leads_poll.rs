//! Which leads does Meta have? Those of every active form of the page, or of the listed forms, newer than a moment.
//!
//! Read in Meta's documentation, "Retrieving leads" (bulk read) and "Cursor-based pagination": `filtering` takes
//! `time_created`, and a page without `paging.next` is the last.

use super::meta_leads::{self, PAGE_TOKEN};
use super::shared::reconcile::{Asked, Item, Page, Poll, Question, moment};
use super::shared::{json, urlencoded};
use super::{JSON_TYPE, Needed, Refusal, Setting, Shown, Value};
use crate::channel::Channel;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

pub(crate) const POLL: Poll = Poll { begin };

pub(super) const PAGE: Setting =
    Setting::optional("page_id", Value::Text, "the id of the page, if page_token is not the page's own token");

pub(super) const FORMS: Setting = Setting::optional(
    "forms",
    Value::Texts,
    "ids of lead forms that are asked for what the webhook lost, all active ones of the page if not set",
);

/// What Graph gives at most in one answer, by its own word.
const PER_PAGE: &str = "100";

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<Row<'a>>,
    #[serde(borrow)]
    paging: Option<Paging<'a>>,
}

/// A form or a lead.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_time: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Paging<'a> {
    #[serde(borrow)]
    cursors: Option<Cursors<'a>>,
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Cursors<'a> {
    #[serde(borrow)]
    after: Option<Cow<'a, str>>,
}

impl List<'_> {
    /// Where the next page begins. Its address is ours to make: the one that is offered names a host.
    fn after(&self) -> Option<&str> {
        let paging = self.paging.as_ref().filter(|paging| paging.next.is_some())?;
        paging.cursors.as_ref()?.after.as_deref()
    }
}

fn begin(asked: &Asked<'_>) -> Vec<Question> {
    let listed: Vec<&str> = asked.channel.each_setting(FORMS.name).filter(|id| is_id(id)).collect();
    if listed.is_empty() {
        return vec![forms(asked, None)];
    }
    listed.into_iter().map(|form| leads(asked, form, None)).collect()
}

/// A page's own token makes it `me`.
fn forms(asked: &Asked<'_>, after: Option<&str>) -> Question {
    let page = asked.channel.setting(PAGE.name).filter(|id| is_id(id)).unwrap_or("me");
    let fields = [("fields", "id,status"), ("limit", PER_PAGE)];
    Question {
        needed: question(asked.channel, &format!("{page}/leadgen_forms"), &fields, after),
        about: page.to_owned(),
        read: read_forms,
    }
}

fn leads(asked: &Asked<'_>, form: &str, after: Option<&str>) -> Question {
    let since = asked.since.millis() / 1000;
    let newer = json!([{"field": "time_created", "operator": "GREATER_THAN", "value": since}]).to_string();
    let fields = [("fields", "id,created_time"), ("filtering", &newer), ("limit", PER_PAGE)];
    Question {
        needed: question(asked.channel, &format!("{form}/leads"), &fields, after),
        about: form.to_owned(),
        read: read_leads,
    }
}

fn question(channel: &Channel, edge: &str, fields: &[(&str, &str)], after: Option<&str>) -> Needed {
    let fields: Vec<_> = fields.iter().copied().chain(after.map(|after| ("after", after))).collect();
    let url = format!("{}/{edge}?{}", meta_leads::graph(channel), urlencoded::write(&fields));
    Needed { url, shown: Some(Shown::bearer(PAGE_TOKEN)), lasting: false }
}

fn read_forms(asked: &Asked<'_>, _: &Question, answer: &[u8]) -> Result<Page, Refusal> {
    let list: List<'_> = json::typed(answer)?;
    let open = |form: &&Row<'_>| is_id(&form.id) && form.status.as_deref().is_none_or(|status| status == "ACTIVE");
    let next = list.data.iter().filter(open).map(|form| leads(asked, &form.id, None));
    Ok(Page { items: Vec::new(), next: next.chain(list.after().map(|after| forms(asked, Some(after)))).collect() })
}

fn read_leads(asked: &Asked<'_>, question: &Question, answer: &[u8]) -> Result<Page, Refusal> {
    let list: List<'_> = json::typed(answer)?;
    let items = list.data.iter().filter(|lead| is_id(&lead.id)).map(|lead| item(asked.channel, &question.about, lead));
    let next = list.after().map(|after| leads(asked, &question.about, Some(after)));
    Ok(Page { items: items.collect(), next: next.into_iter().collect() })
}

fn item(channel: &Channel, form: &str, lead: &Row<'_>) -> Item {
    let at = lead.created_time.as_deref().and_then(moment);
    let value = json!({"leadgen_id": lead.id, "form_id": form, "page_id": channel.setting(PAGE.name),
        "created_time": at.map(|at| at.millis() / 1000)});
    let entry = json!({"changes": [{"field": "leadgen", "value": value}]});
    Item {
        id: (lead.id.clone().into_owned(), meta_leads::SOURCE.name.to_owned()),
        at,
        media_type: JSON_TYPE,
        notice: json!({"object": "page", "entry": [entry]}).to_string(),
    }
}

/// Digits only, so that it cannot lead anywhere else.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::time::At;

    fn channel(settings: &[(&'static str, &str)]) -> Channel {
        let settings = settings.iter().map(|(name, value)| (*name, vec![(*value).to_owned().into()]));
        Channel { settings: settings.collect(), ..Channel::new("page".into(), "shop".into(), "meta_leads") }
    }

    fn urls(questions: &[Question]) -> Vec<&str> {
        questions.iter().map(|question| question.needed.url.as_str()).collect()
    }

    #[test]
    fn every_active_form_of_the_page_is_asked_for_page_by_page() {
        let channel = channel(&[("graph_url", "https://graph.example"), ("graph_version", "v1.0")]);
        let asked = Asked { channel: &channel, since: At::from_secs(1_795_000_000) };
        let first = begin(&asked);
        assert_eq!(urls(&first), ["https://graph.example/v1.0/me/leadgen_forms?fields=id%2Cstatus&limit=100"]);
        let page = (first[0].read)(
            &asked,
            &first[0],
            br#"{"data": [{"id": "1", "status": "ACTIVE"}, {"id": "2", "status": "ARCHIVED"}, {"id": "../3"}],
                "paging": {"cursors": {"after": "QVFI="}, "next": "https://elsewhere.example/"}}"#,
        );
        let leads = "https://graph.example/v1.0/1/leads?fields=id%2Ccreated_time&filtering=%5B%7B%22field%22%3A%22\
                     time_created%22%2C%22operator%22%3A%22GREATER_THAN%22%2C%22value%22%3A1795000000%7D%5D&limit=100";
        let forms = "https://graph.example/v1.0/me/leadgen_forms?fields=id%2Cstatus&limit=100&after=QVFI%3D";
        let next = page.unwrap().next;
        assert_eq!(urls(&next), [leads, forms]);
        let last = br#"{"data": [{"id": "9"}], "paging": {"cursors": {"after": "Z"}}}"#;
        let page = (next[0].read)(&asked, &next[0], last).unwrap();
        assert_eq!((page.items.len(), page.next.len()), (1, 0));
        let more = br#"{"data": [], "paging": {"cursors": {"after": "Z"}, "next": "x"}}"#;
        assert_eq!(urls(&(next[0].read)(&asked, &next[0], more).unwrap().next), [format!("{leads}&after=Z")]);
    }

    #[test]
    fn listed_forms_are_asked_for_without_looking_for_others() {
        let channel = channel(&[("forms", "222"), ("page_id", "111")]);
        let asked = Asked { channel: &channel, since: At::from_secs(0) };
        assert!(urls(&begin(&asked))[0].starts_with("https://graph.facebook.com/v24.0/222/leads?"));
        let named = self::channel(&[("page_id", "111")]);
        let asked = Asked { channel: &named, since: At::from_secs(0) };
        assert!(urls(&begin(&asked))[0].starts_with("https://graph.facebook.com/v24.0/111/leadgen_forms?"));
    }

    #[test]
    fn a_lead_of_the_list_is_what_the_webhook_would_have_said() {
        let channel = channel(&[]);
        let lead = Row { id: "444".into(), status: None, created_time: Some("2026-11-21T10:00:00+0000".into()) };
        let item = item(&channel, "222", &lead);
        assert_eq!((item.id.0.as_str(), item.at), ("444", At::parse("2026-11-21T10:00:00Z")));
        assert_eq!(
            item.notice,
            r#"{"entry":[{"changes":[{"field":"leadgen","value":{"created_time":1795255200,"form_id":"222","leadgen_id":"444","page_id":null}}]}],"object":"page"}"#
        );
    }

    #[test]
    fn what_is_no_list_is_said_so() {
        let channel = channel(&[]);
        let asked = Asked { channel: &channel, since: At::from_secs(0) };
        let question = forms(&asked, None);
        for answer in ["", "[]", "{}", r#"{"data": 1}"#, r#"{"data": [{"id": 5}]}"#] {
            assert!((question.read)(&asked, &question, answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
