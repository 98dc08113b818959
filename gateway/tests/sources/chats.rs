//! Is a colleague's answer told from a customer, a bot and a machine, and one person from another?

use crate::support::{channel, fixtures, post, read, recorded, the, touch};
use gateway::channel::Channel;
use gateway::sources::{Answer, Refusal, Request};
use http::HeaderValue;
use lead::entry::{Reply, Signal};
use lead::time::At;

/// Every chat that is believed by its body, a recorded request of it, and the header of the proof.
pub(crate) const SIGNED: [(&str, &str, &str); 4] = [
    ("whatsapp", "text", "x-hub-signature-256"),
    ("messenger", "text", "x-hub-signature-256"),
    ("viber", "text", "x-viber-content-signature"),
    ("chatwoot", "incoming", "x-chatwoot-signature"),
];

/// Every chat that shows its secret.
pub(crate) const SHOWN: [(&str, &str); 2] = [("dialogflow", "es"), ("chat", "message")];

pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    SIGNED.into_iter().map(|(source, name, _)| (source, name)).chain(SHOWN)
}

pub(crate) fn holding(source: &str, name: &str, body: impl Into<Vec<u8>>) -> Request {
    let mut request = recorded(source, name);
    request.body = body.into().into();
    request
}

fn reply(source: &'static str, request: &Request) -> Reply {
    match &read(source, request).unwrap().signals[..] {
        [one] => match &one.signal {
            Signal::Reply(reply) => (**reply).clone(),
            other => panic!("expected a reply, got {other:?}"),
        },
        other => panic!("expected one signal, got {other:?}"),
    }
}

#[test]
fn who_answered_from_an_inbox_is_a_setting() {
    let ignored = |name: &str, settings: &[(&'static str, &str)]| {
        let mut channel = channel("messenger");
        for (key, value) in settings {
            channel.settings.insert(key, vec![(*value).to_owned().into()]);
        }
        (the("messenger").read)(&recorded("messenger", name), &channel).unwrap().ignored
    };
    let none: [&str; 0] = [];
    assert_eq!(ignored("echo_from_the_inbox", &[]), none);
    assert_eq!(ignored("echo_from_the_inbox", &[("human_apps", "5")]), ["messenger.bot_echo"]);
    assert_eq!(ignored("echo_without_app", &[("unnamed_echoes", "bot")]), ["messenger.bot_echo"]);
    assert_eq!(ignored("echo_without_app", &[("unnamed_echoes", "human")]), none);
    let mut channel = channel("whatsapp");
    channel.settings.insert("echoes", vec!["ignore".to_owned().into()]);
    let reading = (the("whatsapp").read)(&recorded("whatsapp", "echo"), &channel).unwrap();
    assert_eq!((reading.signals.len(), reading.ignored), (0, vec!["whatsapp.echo"]));
}

#[test]
fn an_answer_goes_to_the_person_who_asked() {
    for (source, question, answer) in [
        ("whatsapp", "text", "echo"),
        ("messenger", "text", "echo_without_app"),
        ("messenger", "instagram_text", "instagram_echo"),
        ("chatwoot", "incoming", "outgoing"),
        ("chatwoot", "incoming", "written_on_the_phone"),
        ("chat", "message", "reply"),
    ] {
        let asked = read(source, &recorded(source, question)).unwrap();
        assert_eq!(touch(&asked).handles, reply(source, &recorded(source, answer)).to_handles, "{source}/{answer}");
    }
    let echo = reply("whatsapp", &recorded("whatsapp", "echo"));
    assert_eq!(echo.to_phones, touch(&read("whatsapp", &recorded("whatsapp", "text")).unwrap()).phones);
    assert_eq!(reply("chatwoot", &recorded("chatwoot", "outgoing")).by.as_deref(), Some("ivan@company.example"));
}

#[test]
fn a_chat_opened_in_viber_is_a_lead_unless_the_channel_waits_for_words() {
    let opened = recorded("viber", "conversation_started");
    assert_eq!(touch(&read("viber", &opened).unwrap()).campaign["start"], "spring-2026");
    let mut channel = channel("viber");
    channel.settings.insert("opened", vec!["ignore".to_owned().into()]);
    assert_eq!((the("viber").read)(&opened, &channel).unwrap().ignored, ["viber.conversation_started"]);
    assert_eq!((the("viber").answer)(&opened, &channel, None), Answer::Text(""));
}

#[test]
fn all_calls_of_one_dialogue_are_one_person_and_another_dialogue_is_another() {
    let session = |session: &str| {
        let body = format!(
            r#"{{"detectIntentResponseId": "1", "sessionInfo": {{"session": "{session}"}}, "fulfillmentInfo": {{"tag": "lead"}}}}"#
        );
        touch(&read("dialogflow", &holding("dialogflow", "cx", body)).unwrap()).handles[0].id.clone()
    };
    let long = format!("projects/{}/locations/l/agents/{}/sessions/", "p".repeat(60), "a".repeat(36));
    assert_eq!(session(&format!("{long}1")), session(&format!("{long}1")));
    assert_ne!(session(&format!("{long}1")), session(&format!("{long}2")));
    assert_ne!(session("projects/p/agent/sessions/1"), session("projects/q/agent/sessions/1"));
    assert_eq!(session("projects/p/agent/environments/e/users/u/sessions/s"), "p/s");
    assert_eq!(session("anything"), "anything");
}

/// Google's own classes of google-cloud-dialogflow 2.54.0 and google-cloud-dialogflow-cx 2.9.0 take these answers as their
/// `WebhookResponse`, and the recorded requests as their `WebhookRequest`; both refuse a field they do not know.
#[test]
fn dialogflow_hears_an_answer_in_its_own_version_once_the_lead_is_safe() {
    let answer = |name: &str, thanks: Option<&str>, uid: Option<&str>| {
        let channel = Channel { thanks: thanks.map(str::to_owned), ..channel("dialogflow") };
        match (the("dialogflow").answer)(&recorded("dialogflow", name), &channel, uid) {
            Answer::Body(body, "application/json") => body,
            other => panic!("{other:?}"),
        }
    };
    let thanks = Some("Спасибо!");
    assert_eq!(answer("es", thanks, Some("uid")), r#"{"fulfillmentText":"Спасибо!"}"#);
    let cx = r#"{"fulfillmentResponse":{"messages":[{"text":{"text":["Спасибо!"]}}]}}"#;
    assert_eq!(answer("cx", thanks, Some("uid")), cx);
    assert_eq!(answer("cx_other_tag", thanks, None), "{}");
    assert_eq!(answer("es", None, Some("uid")), "{}");
}

#[test]
fn a_phone_in_whatsapp_is_the_senders_unless_it_is_on_somebodys_card() {
    let phones = |name: &str| touch(&read("whatsapp", &recorded("whatsapp", name)).unwrap()).phones.clone();
    assert_eq!(phones("shared_card"), ["+79161234567"]);
    assert_eq!(phones("asked_for_number"), ["+79161234567"]);
    assert_eq!(phones("user_name_without_phone"), [""; 0]);
}

#[test]
fn a_redelivery_is_the_same_event_and_an_edit_is_another() {
    let id = |source: &'static str, name: &str| {
        read(source, &recorded(source, name)).unwrap().signals[0].id.clone().unwrap()
    };
    for (source, name) in all() {
        assert_eq!(id(source, name), id(source, name), "{source}");
    }
    assert_ne!(id("messenger", "text"), id("messenger", "edit"));
    assert_ne!(id("whatsapp", "text"), id("whatsapp", "edit"));
    assert_ne!(id("chatwoot", "incoming"), id("chatwoot", "form_filled"));
}

#[test]
fn what_is_signed_but_makes_no_sense_is_unreadable() {
    let keys: String = (0..100_000).map(|key| format!("\"k{key}\":1,")).collect();
    let bodies = [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "{\"object\": \"page\", \"entry\": [], \"entry\": []}".to_owned(),
        "{\"object\": 1, \"event\": {}, \"type\": {}, \"session\": null}".to_owned(),
        format!("{{{keys}\"type\": \"message\", \"event\": \"message\"}}"),
        format!("{{\"type\": \"message\", \"event\": \"message\", \"x\": {}", "[".repeat(100_000)),
        "{\"event\": \"message_created\", \"type\": \"message\", \"text\": \"\\ud800\"}".to_owned(),
        "{\"event\": \"message\", \"type\": \"message\", \"id\": 1e400}".to_owned(),
        "{\"event\": \"message\", \"type\": \"message\"} {}".to_owned(),
    ];
    for (source, name) in all() {
        for body in &bodies {
            let outcome = read(source, &holding(source, name, body.as_bytes()));
            let shown = &body[..body.len().min(80)];
            assert!(matches!(outcome, Err(Refusal::Unreadable(_))), "{source}: {shown}: {outcome:?}");
        }
        let cut = recorded(source, name).body;
        assert!(read(source, &holding(source, name, &cut[..cut.len() / 2])).is_err(), "{source}");
        let mut plain = recorded(source, name);
        plain.headers.insert("content-type", HeaderValue::from_static("text/plain"));
        assert_eq!(read(source, &plain).err(), Some(Refusal::MediaType), "{source}");
    }
}

#[test]
fn an_object_where_a_list_should_be_is_unreadable_for_meta() {
    for body in [
        r#"{"object": "whatsapp_business_account", "entry": {"changes": []}}"#,
        r#"{"object": "whatsapp_business_account", "entry": [{"changes": {}}]}"#,
        r#"{"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": []}]}]}"#,
        r#"{"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": {"messages": [[]]}}]}]}"#,
    ] {
        let outcome = read("whatsapp", &holding("whatsapp", "text", body));
        assert!(matches!(outcome, Err(Refusal::Unreadable(_))), "{body}: {outcome:?}");
    }
}

#[test]
fn an_id_may_be_a_number_or_a_text_and_keeps_every_digit() {
    let id = |token: &str| {
        let body =
            format!(r#"{{"event": "message", "message_token": {token}, "message": {{"type": "text", "text": "🏡"}}}}"#);
        read("viber", &holding("viber", "text", body)).unwrap().signals[0].id.clone().unwrap().0
    };
    assert_eq!(id("18446744073709551615"), "18446744073709551615");
    assert_eq!(id("\"5741311803571721087\""), id("5741311803571721087"));
}

#[test]
fn many_messages_of_one_request_are_read_each_for_itself() {
    let message = |index: u32| {
        format!(r#"{{"id": "w{index}", "from": "7916{index:07}", "type": "text", "text": {{"body": "Привет 🏡"}}}}"#)
    };
    let messages: Vec<String> = (0..1000).map(message).collect();
    let body = format!(
        r#"{{"object": "whatsapp_business_account", "entry": [{{"changes": [{{"field": "messages", "value": {{"metadata": {{"phone_number_id": "106540352242922"}}, "messages": [{}]}}}}]}}]}}"#,
        messages.join(",")
    );
    let reading = read("whatsapp", &holding("whatsapp", "text", body)).unwrap();
    assert_eq!(reading.signals.len(), 1000);
    let ids: std::collections::BTreeSet<_> = reading.signals.iter().map(|read| read.id.clone()).collect();
    assert_eq!(ids.len(), 1000);
}

/// What the contract shows is what works: its question and its answer are about one person.
#[test]
fn the_examples_of_our_own_json_are_read_as_the_page_says() {
    let page = std::fs::read_to_string(fixtures().join("../../docs/chat-json.md")).unwrap();
    let examples: Vec<&str> = page.split("-d '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    let [question, answer] = examples[..] else { panic!("{} examples", examples.len()) };
    let json = |body: &str| post("application/json", body.to_owned());
    let asked = read("chat", &json(question)).unwrap();
    let asked = touch(&asked);
    assert_eq!((asked.name.as_deref(), &asked.phones[..]), (Some("Anna"), &["+79161234567".to_owned()][..]));
    assert_eq!(asked.campaign.keys().collect::<Vec<_>>(), ["page", "utm_source"]);
    assert_eq!(asked.occurred_at, At::parse("2026-11-21T10:00:00Z"));
    let answered = reply("chat", &json(answer));
    assert_eq!((answered.to_handles, answered.by.as_deref()), (asked.handles.clone(), Some("ivan@company.example")));
}

#[test]
fn a_contact_that_is_somebody_else_lends_the_sender_nothing() {
    let body = |user: &str| {
        format!(
            r#"{{"object": "whatsapp_business_account", "entry": [{{"changes": [{{"field": "messages", "value": {{"metadata": {{"phone_number_id": "106540352242922"}}, "contacts": [{{"profile": {{"name": "Anna"}}, "wa_id": "79161234567", "user_id": "RU.1"}}], "messages": [{{"id": "w", "from_user_id": "{user}", "type": "text", "text": {{"body": "hi"}}}}]}}}}]}}]}}"#
        )
    };
    let known = |user: &str| {
        let reading = read("whatsapp", &holding("whatsapp", "text", body(user))).unwrap();
        (touch(&reading).name.clone(), touch(&reading).phones.clone())
    };
    assert_eq!(known("RU.1"), (Some("Anna".to_owned()), vec!["+79161234567".to_owned()]));
    assert_eq!(known("RU.2"), (None, Vec::new()));
}
