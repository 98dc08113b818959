//! What came into a Bitrix24 portal? Its leads, or its deals where it works without leads, newer than a moment.
//!
//! Read in Bitrix24's REST documentation (`bitrix-tools/b24-rest-docs`): `crm.settings.mode.get` says 1 for a CRM with
//! leads and 2 for one without; lists give 50 rows, and `next` while there are more.

use super::bitrix24_form::{self, Entity};
use super::shared::reconcile::{Asked, Item, Page, Poll, Question};
use super::shared::said::Said;
use super::shared::submission::elements;
use super::shared::{json, urlencoded};
use super::{FORM_TYPE, Needed, Refusal};
use lead::time::At;

pub(crate) const POLL: Poll = Poll { begin };

fn begin(asked: &Asked<'_>) -> Vec<Question> {
    question(asked, "crm.settings.mode.get.json", "", read_mode).into_iter().collect()
}

/// None for a channel that does not say where its portal is.
fn question(
    asked: &Asked<'_>,
    path: &str,
    about: &str,
    read: fn(&Asked<'_>, &Question, &[u8]) -> Result<Page, Refusal>,
) -> Option<Question> {
    let url = format!("{}/{path}", bitrix24_form::rest(asked.channel)?);
    Some(Question { needed: Needed { url, shown: None, lasting: false }, about: about.to_owned(), read })
}

/// A portal with leads makes deals of some of them; those have come in already.
fn read_mode(asked: &Asked<'_>, _: &Question, answer: &[u8]) -> Result<Page, Refusal> {
    let told = Said(json::read(answer)?);
    let entity = match told.get("result") {
        Some("1") => Entity::Lead,
        Some("2") => Entity::Deal,
        _ => return Err(Refusal::Unreadable("the portal does not say whether it works with leads")),
    };
    Ok(Page { items: Vec::new(), next: list(asked, entity, "0").into_iter().collect() })
}

fn list(asked: &Asked<'_>, entity: Entity, start: &str) -> Option<Question> {
    let since = asked.since.to_string();
    let fields = [
        ("select[]", "ID"),
        ("select[]", "DATE_CREATE"),
        ("select[]", "SOURCE_ID"),
        ("select[]", "WEBFORM_ID"),
        ("select[]", "ORIGINATOR_ID"),
        ("filter[>=DATE_CREATE]", &since),
        ("order[ID]", "ASC"),
        ("start", start),
    ];
    let path = format!("crm.{}.list.json?{}", entity.word(), urlencoded::write(&fields));
    question(asked, &path, entity.word(), read_list)
}

fn read_list(asked: &Asked<'_>, question: &Question, answer: &[u8]) -> Result<Page, Refusal> {
    let entity = if question.about == Entity::Deal.word() { Entity::Deal } else { Entity::Lead };
    let told = json::read(answer)?;
    if told.iter().any(|(path, _)| path == "error") {
        return Err(Refusal::Unreadable("the portal answers with an error"));
    }
    let rows = elements(&told, "result").into_iter().map(|row| {
        Said(row.into_iter().map(|(name, value)| (name.to_owned().into(), value.to_owned().into())).collect())
    });
    let items = rows.filter(|row| bitrix24_form::concerns_us(row, asked.channel)).filter_map(|row| item(&row, entity));
    let items = items.collect();
    let told = Said(told);
    let next = told.get("next").filter(|start| bitrix24_form::is_number(start));
    Ok(Page { items, next: next.and_then(|start| list(asked, entity, start)).into_iter().collect() })
}

fn item(row: &Said<'_>, entity: Entity) -> Option<Item> {
    let id = row.get("ID").filter(|id| bitrix24_form::is_number(id))?;
    Some(Item {
        id: (id.to_owned(), entity.word().to_owned()),
        at: row.get("DATE_CREATE").and_then(At::parse),
        media_type: FORM_TYPE,
        notice: urlencoded::write(&[("event", entity.event()), ("data[FIELDS][ID]", id)]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;

    fn channel() -> Channel {
        let rest = ("rest_url", vec!["https://b24.example/rest/1/code/".to_owned().into()]);
        Channel { settings: [rest].into(), ..Channel::new("crm".into(), "shop".into(), "bitrix24_form") }
    }

    const LIST: &str = "select%5B%5D=ID&select%5B%5D=DATE_CREATE&select%5B%5D=SOURCE_ID&select%5B%5D=WEBFORM_ID\
                        &select%5B%5D=ORIGINATOR_ID&filter%5B%3E%3DDATE_CREATE%5D=2026-11-19T00%3A00%3A00.000Z\
                        &order%5BID%5D=ASC";

    #[test]
    fn a_portal_with_leads_is_asked_for_leads_and_one_without_for_deals() {
        let channel = channel();
        let asked = Asked { channel: &channel, since: At::parse("2026-11-19T00:00:00Z").unwrap() };
        let first = begin(&asked).remove(0);
        assert_eq!(first.needed.url, "https://b24.example/rest/1/code/crm.settings.mode.get.json");
        for (mode, word) in [("1", "lead"), ("\"2\"", "deal")] {
            let page = (first.read)(&asked, &first, format!("{{\"result\":{mode},\"time\":{{}}}}").as_bytes()).unwrap();
            let urls: Vec<_> = page.next.iter().map(|next| next.needed.url.as_str()).collect();
            assert_eq!(urls, [format!("https://b24.example/rest/1/code/crm.{word}.list.json?{LIST}&start=0")]);
        }
        for odd in ["", "{}", "{\"result\":3}", "{\"error\":\"ACCESS_DENIED\"}"] {
            assert!((first.read)(&asked, &first, odd.as_bytes()).is_err(), "{odd}");
        }
        let nowhere = Channel { settings: Default::default(), ..channel.clone() };
        assert!(begin(&Asked { channel: &nowhere, ..asked }).is_empty());
    }

    #[test]
    fn of_a_list_only_what_forms_made_is_taken_and_never_what_we_wrote() {
        let channel = channel();
        let asked = Asked { channel: &channel, since: At::from_secs(0) };
        let question = list(&asked, Entity::Lead, "0").unwrap();
        let page = (question.read)(
            &asked,
            &question,
            br#"{"result": [
                {"ID": "5", "DATE_CREATE": "2026-11-21T13:00:00+03:00", "SOURCE_ID": "WEBFORM"},
                {"ID": 6, "SOURCE_ID": "OTHER", "WEBFORM_ID": "7"},
                {"ID": "7", "SOURCE_ID": "CALL"},
                {"ID": "8", "SOURCE_ID": "WEBFORM", "ORIGINATOR_ID": "leadgate"},
                {"ID": "x", "SOURCE_ID": "WEBFORM"}], "next": 50, "total": 60}"#,
        );
        let page = page.unwrap();
        let ids: Vec<_> = page.items.iter().map(|item| (item.id.0.as_str(), item.id.1.as_str(), item.at)).collect();
        assert_eq!(ids, [("5", "lead", At::parse("2026-11-21T10:00:00Z")), ("6", "lead", None)]);
        assert_eq!(page.items[0].notice, "event=ONCRMLEADADD&data%5BFIELDS%5D%5BID%5D=5");
        assert!(page.next[0].needed.url.ends_with("&start=50"));
        assert!((question.read)(&asked, &question, br#"{"error": "QUERY_LIMIT_EXCEEDED"}"#).is_err());
        let last = (question.read)(&asked, &question, br#"{"result": [], "total": 0}"#).unwrap();
        assert!(last.items.is_empty() && last.next.is_empty());
    }
}
