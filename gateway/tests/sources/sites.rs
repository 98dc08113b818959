//! Are Tilda, Bitrix24, VK and Jivo believed and nobody else, and is what a person wrote told from what a bot wrote?

use crate::support::{SECRET, calls, channel, read, read_asking, recorded, request, the, touch, verify};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Reading, Refusal, Request};
use http::{HeaderValue, Method};
use lead::entry::{Kind, Signal};
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn post(source: &str, media_type: &str, body: impl Into<String>) -> Request {
    let url = format!("https://leads.example.com/in/{source}?key=12345");
    request(Method::POST, &url, &[("content-type", media_type)], body.into())
}

fn with_secrets(source: &'static str, secrets: &[&str]) -> Channel {
    let secrets = secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
    Channel { secrets, ..channel(source) }
}

fn answer(source: &'static str, request: &Request) -> Answer {
    (the(source).answer)(request, &channel(source), None)
}

fn many_keys() -> String {
    format!("{{{}}}", (0..100_000).map(|key| format!("\"k{key}\":1")).collect::<Vec<_>>().join(","))
}

#[test]
fn while_a_secret_is_rotated_both_are_valid_and_none_is_our_fault() {
    for (source, name) in
        [("tilda", "form"), ("tilda", "key_in_the_body"), ("bitrix24_form", "lead"), ("vk", "message")]
    {
        let check = |secrets: &[&str]| (the(source).verify)(&recorded(source, name), &with_secrets(source, secrets));
        assert_eq!(check(&["new", SECRET]), Ok(()), "{source}/{name}");
        for other in ["new", "1234", "123456"] {
            assert_eq!(check(&[other]), Err(Denied::Wrong), "{source}/{name}");
        }
        assert_eq!(check(&[]), Err(Denied::Misconfigured), "{source}/{name}");
    }
}

#[test]
fn tildas_key_may_be_a_header_or_a_field_but_only_under_its_name() {
    let keyed = |headers: &[(&str, &str)], body: &str| {
        let headers = [&[("content-type", FORM)], headers].concat();
        verify("tilda", &request(Method::POST, "https://leads.example.com/in/x", &headers, body.to_owned()))
    };
    assert_eq!(keyed(&[("x-api-key", SECRET)], "Phone=1"), Ok(()));
    assert_eq!(keyed(&[("authorization", "Bearer 12345")], "Phone=1"), Ok(()));
    assert_eq!(keyed(&[], "Phone=1&X-Api-Key=12345"), Ok(()));
    for (headers, body) in [
        (&[][..], "Phone=1"),
        (&[], ""),
        (&[], "Phone=1&api_key=12345"),
        (&[], "Phone=1&X-Api-Key=12345&X-Api-Key=12345"),
        (&[("x-api-key", "")], "Phone=1&X-Api-Key=12345"),
        (&[("x-api-key", "wrong")], "Phone=1&X-Api-Key=12345"),
        (&[("authorization", "Basic MTIzNDU=")], "Phone=1"),
    ] {
        assert_eq!(keyed(headers, body), Err(Denied::Wrong), "{headers:?} {body}");
    }
    let by_address = Channel { url_key: Some("unguessable".to_owned().into()), ..with_secrets("tilda", &[]) };
    assert_eq!((the("tilda").verify)(&post("tilda", FORM, "Phone=1"), &by_address), Ok(()));
}

#[test]
fn tildas_trial_of_the_address_needs_no_key_and_leaves_nothing() {
    let trial = post("tilda", FORM, "test=test");
    assert_eq!(verify("tilda", &trial), Ok(()));
    let reading = read("tilda", &trial).unwrap();
    assert_eq!((reading.signals.len(), reading.ignored), (0, vec!["tilda.test"]));
    assert_eq!(verify("tilda", &post("tilda", FORM, "test=test&Phone=1")), Err(Denied::Wrong));
    assert_eq!(answer("tilda", &trial), Answer::Text("ok"));
}

#[test]
fn tildas_key_and_the_visitors_other_cookies_are_not_kept() {
    for name in ["key_in_the_body", "cookies"] {
        let reading = read("tilda", &recorded("tilda", name)).unwrap();
        let said = format!("{:?}", reading.signals);
        assert!(!said.contains(SECRET) && !said.contains("PHPSESSID") && !said.contains("previousUrl"), "{said}");
    }
    let odd = "Phone=1&COOKIES=%3B%3B%3D%3B_ga%3B_ga%3D%3BTILDAUTM%3D%7C%7C%7C%25zz%3B_fbp%3Dfb.1.2.3";
    let reading = read("tilda", &post("tilda", FORM, odd)).unwrap();
    assert_eq!(touch(&reading).campaign.keys().collect::<Vec<_>>(), ["fbp"]);
}

#[test]
fn a_channel_may_map_tildas_odd_names() {
    let mut channel = channel("tilda");
    channel.fields = [("phone".to_owned(), "Mobile_2".to_owned())].into();
    let request = post("tilda", FORM, "Mobile_2=%2B79161234567&tranid=1");
    let reading = (the("tilda").read)(&request, &channel).unwrap();
    assert_eq!(touch(&reading).phones, ["+79161234567"]);
}

#[test]
fn a_broken_post_of_a_known_site_is_kept_for_people() {
    for (source, media_type, body) in [
        ("tilda", JSON, "["),
        ("tilda", JSON, "[]"),
        ("tilda", JSON, r#"{"Phone": "1", "Phone": "2"}"#),
        ("tilda", JSON, &many_keys()),
        ("tilda", FORM, &"a=1&".repeat(1001)),
        ("bitrix24_form", FORM, ""),
        ("bitrix24_form", FORM, "event=ONCRMLEADADD"),
        ("bitrix24_form", FORM, "event=ONCRMLEADADD&data[FIELDS][ID]=-1"),
        ("bitrix24_form", FORM, "event=ONCRMLEADADD&data[FIELDS][ID]=99999999999999999999"),
        ("bitrix24_form", FORM, &"a=1&".repeat(1001)),
        ("vk", JSON, ""),
        ("vk", JSON, "[]"),
        ("vk", JSON, r#"{"type": "message_new", "type": "x"}"#),
        ("vk", JSON, r#"{"type": "message_new"}"#),
        ("vk", JSON, r#"{"type": "message_new", "object": {"message": {"from_id": "x"}}}"#),
        ("vk", JSON, r#"{"type": "lead_forms_new", "object": []}"#),
        ("vk", JSON, "{\"type\": \"message_new\", \"object\": {\"text\": \"\\ud800\"}}"),
        ("jivo", JSON, "{"),
        ("jivo", JSON, "[]"),
        ("jivo", JSON, r#"{"event_name": "chat_accepted", "event_name": "x"}"#),
        ("jivo", JSON, r#"{"event_name": "chat_accepted"}"#),
        ("jivo", JSON, &many_keys()),
    ] {
        let refusal = read(source, &post(source, media_type, body)).err();
        assert!(matches!(refusal, Some(Refusal::Unreadable(_))), "{source} {body:.50}: {refusal:?}");
    }
    for source in ["tilda", "bitrix24_form", "jivo"] {
        assert_eq!(read(source, &post(source, "text/csv", "a")).err(), Some(Refusal::MediaType), "{source}");
    }
}

#[test]
fn hundred_thousand_unknown_keys_cost_vk_nothing() {
    let message = json!({"type": "message_new", "event_id": "e", "group_id": 123, "secret": SECRET,
        "object": {"message": {"from_id": 1, "peer_id": 1, "text": "Почём дом? 🏡"}}});
    let mut text = message.to_string();
    text.truncate(text.len() - 1);
    let request = post("vk", JSON, format!("{text},{}", &many_keys()[1..]));
    assert_eq!(verify("vk", &request), Ok(()));
    assert_eq!(touch(&read("vk", &request).unwrap()).text.as_deref(), Some("Почём дом? 🏡"));
}

#[test]
fn bitrix24s_token_must_be_there_once() {
    let token = "auth%5Bapplication_token%5D=12345";
    let genuine = post("bitrix24_form", FORM, format!("event=X&{token}"));
    assert_eq!(verify("bitrix24_form", &genuine), Ok(()));
    for body in [
        "event=X".to_owned(),
        format!("{token}&{token}"),
        format!("{token}&auth%5Bapplication_token%5D=x"),
        "auth%5Bapplication_token%5D=".to_owned(),
        "application_token=12345".to_owned(),
        "auth%5Bapplication_token%5D%5Bx%5D=12345".to_owned(),
    ] {
        assert_eq!(verify("bitrix24_form", &post("bitrix24_form", FORM, body.clone())), Err(Denied::Wrong), "{body}");
    }
}

#[test]
fn only_the_configured_portal_is_asked_and_only_for_a_number() {
    let needed = |name: &str| match read("bitrix24_form", &recorded("bitrix24_form", name)) {
        Err(Refusal::Needs(needed)) => needed.into_iter().map(|one| one.url).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(needed("lead"), ["https://company.bitrix24.example/rest/1/code/crm.lead.get.json?id=77"]);
    let deal = needed("deal");
    assert!(deal[0].starts_with("https://company.bitrix24.example/rest/1/code/batch.json?cmd%5Bdeal%5D=crm.deal.get"));
    let without = Channel { settings: Default::default(), ..channel("bitrix24_form") };
    let refusal = (the("bitrix24_form").read)(&recorded("bitrix24_form", "lead"), &without).err();
    assert_eq!(refusal, Some(Refusal::Bad("the channel has no rest_url")));
}

#[test]
fn the_workspace_may_name_other_sources_of_its_portal() {
    let mut channel = channel("bitrix24_form");
    channel.settings.insert("sources", vec!["CALL".to_owned().into()]);
    let asked =
        |name: &str| read_asking(the("bitrix24_form"), &channel, recorded("bitrix24_form", name), name).unwrap();
    assert_eq!(asked("lead_by_hand").signals.len(), 1);
    assert_eq!(asked("lead").signals.len(), 1, "WEBFORM_ID tells of a form whatever its source");
    assert_eq!(asked("deal").ignored, ["bitrix24_form.not_a_form"]);
}

#[test]
fn a_portal_that_answers_with_something_else_is_kept_for_people() {
    for name in ["portal_knows_no_such_lead", "portal_answers_with_a_page"] {
        let request = recorded("bitrix24_form", name);
        let refusal = read_asking(the("bitrix24_form"), &channel("bitrix24_form"), request, name).err();
        assert!(matches!(refusal, Some(Refusal::Unreadable(_))), "{name}: {refusal:?}");
    }
}

fn vk(change: impl Fn(&mut Value)) -> Request {
    let mut event: Value = serde_json::from_slice(&recorded("vk", "message").body).unwrap();
    change(&mut event);
    post("vk", JSON, event.to_string())
}

#[test]
fn only_the_secret_and_the_community_prove_vk() {
    assert_eq!(verify("vk", &vk(|_| ())), Ok(()));
    assert_eq!(verify("vk", &vk(|event| event["group_id"] = "123".into())), Ok(()));
    for (what, change) in [
        ("secret", json!("wrong")),
        ("secret", json!(null)),
        ("secret", json!("")),
        ("secret", json!(12345)),
        ("group_id", json!(124)),
        ("group_id", json!(null)),
    ] {
        assert_eq!(verify("vk", &vk(|event| event[what] = change.clone())), Err(Denied::Wrong), "{what} {change}");
    }
    let doubled = "{\"type\": \"x\", \"secret\": \"12345\", \"secret\": \"12345\", \"group_id\": 123}";
    for body in ["", "{}", "[]", "{\"secret\": \"12345\", \"group_id\": 123}", doubled] {
        assert_eq!(verify("vk", &post("vk", JSON, body)), Err(Denied::Wrong), "{body}");
    }
    let mut any = channel("vk");
    any.settings.remove("group_id");
    assert_eq!((the("vk").verify)(&vk(|event| event["group_id"] = 9.into()), &any), Ok(()));
}

#[test]
fn vk_hears_its_string_once_and_ok_ever_after() {
    let string = Answer::Body("abcd1234".to_owned(), "text/plain; charset=utf-8");
    assert_eq!(answer("vk", &recorded("vk", "confirmation")), string);
    for name in ["message", "lead_form", "joined", "no_object"] {
        assert_eq!(answer("vk", &recorded("vk", name)), Answer::Text("ok"), "{name}");
    }
}

#[test]
fn an_administrators_answer_is_a_persons_and_a_bots_is_not_unless_the_channel_says_so() {
    let replies = |name: &str, setting: &str| {
        let mut channel = channel("vk");
        channel.settings.insert("replies", vec![setting.to_owned().into()]);
        let reading = (the("vk").read)(&recorded("vk", name), &channel).unwrap();
        reading.signals.iter().filter(|read| matches!(read.signal, Signal::Reply(_))).count()
    };
    assert_eq!(replies("reply_of_an_administrator", "administrators"), 1);
    assert_eq!(replies("reply_of_a_bot", "administrators"), 0);
    assert_eq!(replies("reply_of_a_bot", "all"), 1);
}

#[test]
fn a_vk_event_is_known_by_its_id_and_without_one_by_what_it_is_about() {
    let id = |change: &dyn Fn(&mut Value)| read("vk", &vk(change)).unwrap().signals.remove(0).id;
    assert_eq!(id(&|_| ()), id(&|event| event["object"]["message"]["text"] = "x".into()));
    assert_ne!(id(&|_| ()), id(&|event| event["event_id"] = "e2".into()));
    let bare = |number: i64| {
        id(&move |event: &mut Value| {
            event["event_id"] = Value::Null;
            event["object"]["message"]["conversation_message_id"] = number.into();
        })
    };
    assert_eq!(bare(3), bare(3));
    assert_ne!(bare(3), bare(4));
}

fn replies(reading: &Reading) -> Vec<(Option<String>, Option<String>)> {
    let reply = |signal: &Signal| match signal {
        Signal::Reply(reply) => Some((reply.by.clone(), reply.occurred_at.map(|at| at.to_string()))),
        _ => None,
    };
    reading.signals.iter().filter_map(|read| reply(&read.signal)).collect()
}

#[test]
fn an_agent_who_takes_a_chat_answers_unless_the_channel_waits_for_his_words() {
    let by = Some("ivan@company.example".to_owned());
    let accepted = recorded("jivo", "chat_accepted");
    assert_eq!(replies(&read("jivo", &accepted).unwrap()), [(by.clone(), None)]);
    let mut patient = channel("jivo");
    patient.settings.insert("first_contact", vec!["message".to_owned().into()]);
    assert_eq!(replies(&(the("jivo").read)(&accepted, &patient).unwrap()), []);
    let finished = (the("jivo").read)(&recorded("jivo", "chat_finished"), &patient).unwrap();
    assert_eq!(replies(&finished), [(by, Some("2026-11-21T10:00:00.000Z".to_owned()))]);
    let unanswered = read("jivo", &recorded("jivo", "chat_finished_without_answer")).unwrap();
    assert_eq!((replies(&unanswered).len(), unanswered.signals.len()), (0, 1));
}

#[test]
fn a_long_chat_is_read_whole() {
    let messages: Vec<Value> =
        (0..2_000).map(|at| json!({"message": "Да", "timestamp": 1_795_255_200 + at, "type": "visitor"})).collect();
    let event =
        json!({"event_name": "chat_finished", "chat_id": 1, "visitor": {"phone": "1"}, "chat": {"messages": messages}});
    let reading = read("jivo", &post("jivo", JSON, event.to_string())).unwrap();
    assert_eq!(touch(&reading).text.as_ref().unwrap().lines().count(), 2_000);
}

#[test]
fn new_contacts_of_a_chat_are_an_event_of_their_own_and_the_same_ones_are_not() {
    let id = |phone: &str| {
        let event = json!({"event_name": "chat_updated", "chat_id": 7, "visitor": {"phone": phone, "number": 1}});
        read("jivo", &post("jivo", JSON, event.to_string())).unwrap().signals.remove(0).id
    };
    assert_eq!(id("+79161234567"), id("+79161234567"));
    assert_ne!(id("+79161234567"), id("+79161234568"));
    let mut curious = channel("jivo");
    curious.settings.insert("client_updated", vec!["lead".to_owned().into()]);
    let reading = (the("jivo").read)(&recorded("jivo", "client_updated"), &curious).unwrap();
    assert_eq!(touch(&reading).phones, ["+79161234567"]);
}

#[test]
fn a_call_through_the_widget_is_a_call_and_a_message_a_chat() {
    for name in ["callback_start", "callback_client_connected", "callback_end", "incoming_agent_connected"] {
        let reading = read("jivo", &recorded("jivo", name)).unwrap();
        assert!(calls(&reading).iter().all(|call| call.from.as_deref() == Some("+79161234567")), "{name}");
    }
    assert_eq!(touch(&read("jivo", &recorded("jivo", "offline_message")).unwrap()).kind, Kind::Chat);
}

#[test]
fn the_agents_data_is_not_the_customers() {
    for name in ["chat_updated", "offline_message", "chat_finished_without_answer"] {
        let reading = read("jivo", &recorded("jivo", name)).unwrap();
        let said = format!("{:?}", touch(&reading));
        for foreign in ["ivan@company.example", "+74951112233", "192.0.2.1", "Mozilla"] {
            assert!(!said.contains(foreign), "{name}: {foreign}");
        }
    }
}

#[test]
fn jivo_is_told_ok_in_json() {
    let ok = Answer::Body("{\"result\":\"ok\"}".to_owned(), JSON);
    assert_eq!(answer("jivo", &recorded("jivo", "chat_accepted")), ok);
    let mut odd = recorded("jivo", "chat_accepted");
    odd.headers.insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(answer("jivo", &odd), ok);
}
