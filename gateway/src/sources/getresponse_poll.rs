//! Who has subscribed at GetResponse? Every contact that was created since a moment, except those that somebody brought
//! there in bulk.
//!
//! Read in the vendor's API documentation (apidocs.getresponse.com, "Contacts"): `createdOn[from]` takes a day, a list
//! does not hold the account's own fields, and a page that is not full is the last.

use super::getresponse::{self, API_KEY};
use super::shared::reconcile::{Asked, Item, Page, Poll, Question, moment};
use super::shared::{json, urlencoded};
use super::{JSON_TYPE, Needed, Refusal, Shown};
use crate::channel::Channel;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;

pub(crate) const POLL: Poll = Poll { begin };

const PER_PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact<'a> {
    #[serde(borrow)]
    contact_id: Cow<'a, str>,
    #[serde(borrow)]
    created_on: Option<Cow<'a, str>>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
}

fn begin(asked: &Asked<'_>) -> Vec<Question> {
    vec![page(asked, 1)]
}

fn page(asked: &Asked<'_>, number: usize) -> Question {
    let since = asked.since.to_string();
    let (number, size) = (number.to_string(), PER_PAGE.to_string());
    let fields = [
        ("query[createdOn][from]", since.get(..10).unwrap_or_default()),
        ("fields", "createdOn,origin"),
        ("sort[createdOn]", "asc"),
        ("page", &number),
        ("perPage", &size),
    ];
    Question { needed: needed(asked.channel, &format!("contacts?{}", urlencoded::write(&fields))), about: number, read }
}

/// An address of the API, asked for with the account's key.
pub(super) fn needed(channel: &Channel, path: &str) -> Needed {
    let shown = Shown { header: "x-auth-token", before: "api-key ", setting: API_KEY.name };
    Needed { url: format!("{}/{path}", getresponse::api(channel)), shown: Some(shown), lasting: false }
}

fn read(asked: &Asked<'_>, question: &Question, answer: &[u8]) -> Result<Page, Refusal> {
    let contacts: Vec<Contact<'_>> = json::typed(answer)?;
    let next = question.about.parse::<usize>().ok().filter(|_| contacts.len() >= PER_PAGE);
    let next = next.map(|number| page(asked, number + 1));
    let ours = |contact: &&Contact<'_>| {
        is_id(&contact.contact_id) && !matches!(contact.origin.as_deref(), Some("import" | "copy"))
    };
    Ok(Page { items: contacts.iter().filter(ours).map(item).collect(), next: next.into_iter().collect() })
}

/// The rest is asked for where it is not known yet.
fn item(contact: &Contact<'_>) -> Item {
    let at = contact.created_on.as_deref().and_then(moment);
    let notice = json!({
        "type": "contact_subscribed",
        "contact": {"contactId": contact.contact_id},
        "event": {"occurredAt": at.map(|at| at.to_string())},
    });
    Item {
        id: (contact.contact_id.clone().into_owned(), getresponse::PHASE.to_owned()),
        at,
        media_type: JSON_TYPE,
        notice: notice.to_string(),
    }
}

/// Letters and digits only, so that it cannot lead anywhere else.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::time::At;

    #[test]
    fn contacts_are_asked_for_from_a_day_on_and_page_by_page() {
        let channel = Channel::new("list".into(), "shop".into(), "getresponse");
        let asked = Asked { channel: &channel, since: At::parse("2026-11-20T23:00:00Z").unwrap() };
        let first = begin(&asked).remove(0);
        let list = "https://api.getresponse.com/v3/contacts?query%5BcreatedOn%5D%5Bfrom%5D=2026-11-20&fields=createdOn%2C\
                    origin&sort%5BcreatedOn%5D=asc&page=1&perPage=1000";
        assert_eq!(first.needed.url, list);
        let rows = r#"{"contactId": "c1", "createdOn": "2026-11-21T10:00:00+0000", "origin": "www"},
            {"contactId": "c2", "origin": "import"}, {"contactId": "../x"}"#;
        let last = read(&asked, &first, format!("[{rows}]").as_bytes()).unwrap();
        assert_eq!((last.items.len(), last.next.len()), (1, 0));
        let item = &last.items[0];
        assert_eq!((item.id.0.as_str(), item.at), ("c1", At::parse("2026-11-21T10:00:00Z")));
        let full = format!("[{}]", [r#"{"contactId": "c1"}"#; PER_PAGE].join(","));
        let more = read(&asked, &first, full.as_bytes()).unwrap();
        assert!(more.next[0].needed.url.contains("&page=2&"));
        assert!(read(&asked, &first, b"{\"httpStatus\": 401}").is_err());
    }
}
