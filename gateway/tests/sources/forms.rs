//! Are the forms of known providers believed only with their proof, read whatever shape they have, and answered as
//! their provider expects?

use crate::support::{channel, now, post, read, recorded, request, the, touch, verify};
use gateway::channel::Channel;
use gateway::sources::{Answer, Denied, Needed, Refusal, Request, Sample};
use http::{HeaderName, HeaderValue, Method};
use lead::entry::{Signal, Touch};
use lead::time::At;
use std::time::Duration;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Source, recorded request and the header that proves it.
const SIGNED: [(&str, &str, &str); 6] = [
    ("meta_leads", "lead", "x-hub-signature-256"),
    ("typeform", "response", "typeform-signature"),
    ("webflow", "form", "x-webflow-signature"),
    ("wordpress", "wpforms", "authorization"),
    ("hubspot_form", "workflow", "x-hubspot-signature"),
    ("hubspot_form", "escaped_address", "x-hubspot-signature-v3"),
];

fn name(header: &str) -> HeaderName {
    header.parse().unwrap()
}

fn with(mut request: Request, header: &str, value: &str) -> Request {
    request.headers.insert(name(header), HeaderValue::from_str(value).unwrap());
    request
}

#[test]
fn a_form_is_believed_only_with_its_own_proof() {
    for (source, file, header) in SIGNED {
        let genuine = recorded(source, file);
        assert_eq!(verify(source, &genuine), Ok(()), "{source}");
        let proof = genuine.header(header).unwrap().to_owned();
        let mut without = recorded(source, file);
        without.headers.remove(header);
        assert_eq!(verify(source, &without), Err(Denied::Missing), "{source}");
        let mut twice = recorded(source, file);
        twice.headers.append(name(header), HeaderValue::from_static("x"));
        assert!(verify(source, &twice).is_err(), "{source}");
        let cut = &proof[..proof.len() - 1];
        for wrong in ["x", "sha256=", "Bearer ", cut, &proof.to_uppercase(), &format!("{proof}0")] {
            let verified = verify(source, &with(recorded(source, file), header, wrong));
            assert!(matches!(verified, Err(Denied::Wrong | Denied::Missing)), "{source} {wrong}: {verified:?}");
        }
        if source != "wordpress" {
            let mut tampered = recorded(source, file);
            let at = tampered.body.len() / 2;
            let mut body = tampered.body.to_vec();
            body[at] ^= 1;
            tampered.body = body.into();
            assert_eq!(verify(source, &tampered), Err(Denied::Wrong), "{source}");
        }
    }
}

#[test]
fn both_secrets_are_valid_while_one_is_rotated_and_none_is_our_fault() {
    for (source, file) in SIGNED.iter().map(|(source, file, _)| (*source, *file)).chain([("google_ads", "lead")]) {
        let request = recorded(source, file);
        let secret = channel(source).secrets.remove(0);
        let verified = |secrets: Vec<secrecy::SecretString>| {
            (the(source).verify)(&request, &Channel { secrets, ..channel(source) })
        };
        let other = || "another-secret".to_owned().into();
        assert_eq!(verified(vec![other(), secret.clone()]), Ok(()), "{source}");
        assert_eq!(verified(vec![secret, other()]), Ok(()), "{source}");
        assert_eq!(verified(vec![other()]), Err(Denied::Wrong), "{source}");
        assert_eq!(verified(Vec::new()), Err(Denied::Misconfigured), "{source}");
    }
}

#[test]
fn a_form_that_its_provider_cannot_sign_needs_a_key_in_its_address() {
    for (source, file) in [("webflow", "form_v1"), ("wordpress", "contact_form_7")] {
        let url_key = Some("a-key-in-the-path".to_owned().into());
        let keyed = Channel { secrets: Vec::new(), url_key, ..channel(source) };
        assert_eq!((the(source).verify)(&recorded(source, file), &keyed), Ok(()), "{source}");
    }
}

#[test]
fn a_request_of_another_time_is_stale_in_both_directions() {
    for (source, file, stamp) in
        [("webflow", "form", "x-webflow-timestamp"), ("hubspot_form", "escaped_address", "x-hubspot-request-timestamp")]
    {
        let mut request = recorded(source, file);
        let sent_at = At::from_millis(request.header(stamp).unwrap().parse().unwrap());
        for (away, expected) in [(300, Ok(())), (301, Err(Denied::Stale))] {
            for received_at in [sent_at.plus(Duration::from_secs(away)), sent_at.minus(Duration::from_secs(away))] {
                request.received_at = received_at;
                assert_eq!(verify(source, &request), expected, "{source}");
            }
        }
        for wrong in ["NaN", "", "17952552590001795255", "1795255259000.0"] {
            let request = with(recorded(source, file), stamp, wrong);
            assert_eq!(verify(source, &request), Err(Denied::Wrong), "{source} {wrong}");
        }
    }
}

/// Made with webflow-api 3.3.4 (npm), whose `verifySignature` calls it genuine, and with hubspot-api-client 12.0.0
/// (PyPI), `hubspot.utils.signature`.
#[test]
fn what_the_providers_own_libraries_call_genuine_is_believed() {
    let body = "{\"triggerType\":\"form_submission\",\"payload\":{\"id\":\"s1\",\"data\":{\"Имя\":\"Анна 🏡\"}}}";
    let proof = "d2ac0675a614be1bba29ccdf77bb905ebd6bc395d7045c18fc8bef74a4777dde";
    let webflow = with(with(post(JSON, body), "x-webflow-timestamp", "1795255259000"), "x-webflow-signature", proof);
    assert_eq!(verify("webflow", &webflow), Ok(()));

    let body = "{\"vid\": 101, \"properties\": {\"firstname\": {\"value\": \"Анна 🏡\"}}}";
    let url = "https://leads.example.com/in/hub?a=b";
    let hubspot = |headers: &[(&str, &str)]| verify("hubspot_form", &request(Method::POST, url, headers, body));
    let (version, older) = ("x-hubspot-signature-version", "x-hubspot-signature");
    let v1 = "c798946deaa83d3fb95a4fe336098b0042fc124e1c6b1f57154d5c0595e8e1a6";
    let v2 = "3a997fc911a3e419adbfbf936c8c116c72326990512493897458110b73d3feeb";
    assert_eq!(hubspot(&[(version, "v1"), (older, v1)]), Ok(()));
    assert_eq!(hubspot(&[(version, "v2"), (older, v2)]), Ok(()));
    assert_eq!(hubspot(&[(version, "v2"), (older, v1)]), Err(Denied::Wrong));
    let stamp = ("x-hubspot-request-timestamp", "1795255258000");
    let v3 = ("x-hubspot-signature-v3", "w+OzYTqogv7agLFsd7ZEbx2OYz2EBKL2F145mpMKoDk=");
    assert_eq!(hubspot(&[stamp, v3]), Ok(()));
    assert_eq!(hubspot(&[stamp, ("x-hubspot-signature-v3", "x"), (version, "v1"), (older, v1)]), Err(Denied::Wrong));
}

#[test]
fn a_key_of_hubspots_own_is_shown_as_a_bearer_token() {
    let headers = [("content-type", JSON), ("authorization", "Bearer hubspot-client-secret")];
    let shown = request(Method::POST, "https://leads.example.com/in/hub", &headers, "{}");
    assert_eq!(verify("hubspot_form", &shown), Ok(()));
}

#[test]
fn googles_key_proves_it_and_is_kept_nowhere() {
    let lead = |key: &str| post(JSON, format!("{{\"lead_id\": \"A\", \"is_test\": false{key}}}"));
    assert_eq!(verify("google_ads", &lead(", \"google_key\": \"k-demo-12345\"")), Ok(()));
    for wrong in ["", ", \"google_key\": \"\"", ", \"google_key\": \"k-demo-1234\"", ", \"google_key\": 5", ", x"] {
        assert_eq!(verify("google_ads", &lead(wrong)), Err(Denied::Wrong), "{wrong}");
    }
    let twice = lead(", \"google_key\": \"k-demo-12345\", \"google_key\": \"x\"");
    assert_eq!(verify("google_ads", &twice), Err(Denied::Wrong));
    let reading = read("google_ads", &recorded("google_ads", "lead")).unwrap();
    assert!(!format!("{:?}", reading.signals).contains("k-demo-12345"));
}

fn keys(count: usize) -> String {
    let keys: Vec<String> = (0..count).map(|key| format!("\"k{key}\": \"1\"")).collect();
    format!("{{{}}}", keys.join(","))
}

#[test]
fn what_is_genuine_and_cannot_be_read_is_unreadable() {
    let response = |inside: &str| {
        format!("{{\"event_type\": \"form_response\", \"form_response\": {{\"token\": \"t\", {inside}}}}}")
    };
    let many = keys(100_000);
    for (source, bodies) in [
        ("google_ads", vec!["{}".to_owned(), "{\"lead_id\": null}".to_owned(), many.clone()]),
        (
            "meta_leads",
            vec!["{}".to_owned(), "{\"entry\": 1}".to_owned(), "{\"entry\": [{\"changes\": [1]}]}".to_owned()],
        ),
        (
            "typeform",
            vec![
                "{}".to_owned(),
                "{\"event_type\": \"form_response\"}".to_owned(),
                response("\"token\": \"u\""),
                response("\"answers\": {}"),
                response("\"answers\": [{\"type\": \"text\", \"text\": \"a\", \"text\": \"b\"}]"),
                response("\"hidden\": {\"phone\": \"1\", \"phone\": \"2\"}"),
                response(&format!("\"hidden\": {many}")),
            ],
        ),
        ("webflow", vec!["{}".to_owned(), many.clone()]),
        ("wordpress", vec!["{\"phone\": \"1\", \"phone\": \"2\"}".to_owned(), many.clone()]),
        ("web_to_lead", vec!["{\"phone\": \"1\", \"phone\": \"2\"}".to_owned(), many.clone()]),
        (
            "hubspot_form",
            vec!["{\"properties\": {\"phone\": 1, \"phone\": 2}}".to_owned(), many.clone(), "[1]".to_owned()],
        ),
    ] {
        let common = ["{", "{\"a\": 1e400}", "{\"a\": \"\\ud800\"}", "{} {}", "nonsense", "\"text\""];
        for body in bodies.into_iter().chain(common.map(str::to_owned)) {
            let refusal = read(source, &post(JSON, body.clone())).unwrap_err();
            assert!(matches!(refusal, Refusal::Unreadable(_)), "{source} {:.60}: {refusal:?}", body);
        }
    }
}

#[test]
fn ids_count_whether_they_are_numbers_or_text() {
    let id = |source: &'static str, body: &str| {
        read(source, &post(JSON, body.to_owned())).unwrap().signals.remove(0).id.unwrap().0
    };
    for (source, written) in [
        (
            "google_ads",
            "{\"lead_id\": ID, \"user_column_data\": [{\"column_id\": \"EMAIL\", \"string_value\": \"a@b.example\"}]}",
        ),
        ("webflow", "{\"_id\": ID, \"data\": {\"Email\": \"a@b.example\"}}"),
        ("wordpress", "{\"entry_id\": ID, \"email\": \"a@b.example\"}"),
        ("hubspot_form", "{\"vid\": ID, \"email\": \"a@b.example\", \"recent_conversion_date\": \"1795255200000\"}"),
    ] {
        let (number, text) =
            (written.replace("ID", "9223372036854775807"), written.replace("ID", "\"9223372036854775807\""));
        assert_eq!(id(source, &number), id(source, &text), "{source}");
        assert!(id(source, &number).contains("9223372036854775807"), "{source}");
    }
}

// --- Meta: the lead behind an id

fn update(leads: &[&str]) -> Request {
    let change =
        |id: &&str| format!("{{\"field\":\"leadgen\",\"value\":{{\"leadgen_id\":{id},\"created_time\":1795255200}}}}");
    let changes: Vec<String> = leads.iter().map(change).collect();
    post(JSON, format!("{{\"object\":\"page\",\"entry\":[{{\"id\":\"1\",\"changes\":[{}]}}]}}", changes.join(",")))
}

fn needs(source: &'static str, request: &Request, channel: &Channel) -> Vec<Needed> {
    match (the(source).read)(request, channel) {
        Err(Refusal::Needs(needed)) => needed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn meta_is_asked_for_each_lead_with_the_pages_token() {
    let needed = needs("meta_leads", &update(&["\"11\"", "12"]), &channel("meta_leads"));
    let path = |one: &Needed| one.url.split_once('?').unwrap().0.to_owned();
    let paths: Vec<String> = needed.iter().map(path).collect();
    assert_eq!(paths, ["https://graph.facebook.com/v24.0/11", "https://graph.facebook.com/v24.0/12"]);
    assert!(needed.iter().all(|one| one.shown.unwrap().setting == "page_token" && !one.lasting));
    assert!(needed[0].url.contains("field_data") && !needed[0].url.contains("page-token"));

    let mut elsewhere = channel("meta_leads");
    elsewhere.settings.insert("graph_url", vec!["http://127.0.0.1:9/".to_owned().into()]);
    elsewhere.settings.insert("graph_version", vec!["v30.0".to_owned().into()]);
    let needed = needs("meta_leads", &update(&["11"]), &elsewhere);
    assert_eq!(path(&needed[0]), "http://127.0.0.1:9/v30.0/11");
}

#[test]
fn a_lead_id_that_is_no_number_is_never_asked_for() {
    for id in ["\"../me\"", "\"1?access_token=x\"", "\"\"", "null", "-1", "1.5", "{\"a\": 1}", "\"１\""] {
        let reading = read("meta_leads", &update(&[id])).unwrap();
        assert!(matches!(reading.signals[0].signal, Signal::Unreadable(_)), "{id}");
    }
    let reading = read("meta_leads", &update(&["\"a\"", "\"b\""])).unwrap();
    assert_ne!(reading.signals[0].id, reading.signals[1].id, "two broken leads are two");
}

#[test]
fn leads_of_one_request_do_not_wait_for_each_other() {
    let mut request = update(&["11", "12", "13"]);
    let needed = needs("meta_leads", &request, &channel("meta_leads"));
    let document = |name: &str| format!("{{\"field_data\": [{{\"name\": \"full_name\", \"values\": [\"{name}\"]}}]}}");
    request.documents.insert(needed[0].url.clone(), document("Анна").into());
    request.documents.insert(needed[2].url.clone(), "[".into());
    let reading = read("meta_leads", &request).unwrap();
    let ids: Vec<&str> = reading.signals.iter().map(|read| read.id.as_ref().unwrap().0.as_str()).collect();
    assert_eq!(ids, ["11", "13"]);
    assert!(matches!(&reading.signals[0].signal, Signal::Touch(touch) if touch.name.as_deref() == Some("Анна")));
    assert!(matches!(reading.signals[1].signal, Signal::Unreadable(_)));
}

#[test]
fn a_thousand_leads_in_one_request_are_a_thousand_questions() {
    let ids: Vec<String> = (1..=1000).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(needs("meta_leads", &update(&ids), &channel("meta_leads")).len(), 1000);
}

#[test]
fn metas_challenge_is_echoed_only_to_who_knows_the_verify_token() {
    let asked = |query: &str| {
        let url = format!("https://leads.example.com/in/page?{query}");
        request(Method::GET, &url, &[], "")
    };
    let right = asked("hub.mode=subscribe&hub.challenge=11%2B58&hub.verify_token=verify-me");
    assert_eq!(verify("meta_leads", &right), Ok(()));
    let answer = |request: &Request| (the("meta_leads").answer)(request, &channel("meta_leads"), None);
    assert_eq!(answer(&right), Answer::Body("11+58".to_owned(), "text/plain; charset=utf-8"));
    assert_eq!(
        verify("meta_leads", &asked("hub.mode=subscribe&hub.challenge=1&hub.verify_token=verify-m")),
        Err(Denied::Wrong)
    );
    assert_eq!(
        verify("meta_leads", &asked("hub.mode=subscribe&hub.challenge=1&hub_verify_token=verify-me")),
        Err(Denied::Missing)
    );
    let mut unset = channel("meta_leads");
    unset.settings.clear();
    assert_eq!((the("meta_leads").verify)(&right, &unset), Err(Denied::Misconfigured));
    assert_eq!(answer(&recorded("meta_leads", "lead")), Answer::Accepted);
}

// --- HubSpot

#[test]
fn hubspot_is_asked_for_a_contact_once_with_the_fields_the_channel_maps() {
    let needed = needs("hubspot_form", &recorded("hubspot_form", "form_of_a_contact"), &channel("hubspot_form"));
    let [one] = &needed[..] else { panic!("{needed:?}") };
    assert!(one.url.starts_with("https://api.hubapi.com/crm/v3/objects/contacts/101?properties=firstname,"));
    assert!(one.url.ends_with(",project_budget") && one.shown.unwrap().setting == "access_token");
}

#[test]
fn a_contact_with_a_hundred_thousand_properties_is_still_read() {
    let body = format!("{{\"properties\": {}}}", keys(100_000));
    let reading = read("hubspot_form", &post(JSON, body)).unwrap();
    assert_eq!(touch(&reading).attributes.len(), 1000);
}

// --- Typeform

#[test]
fn a_form_with_thousands_of_questions_is_still_read() {
    let question = |id: usize| {
        format!(
            "{{\"id\": \"q{id}\", \"ref\": \"r{id}\", \"title\": \"Question {id}\", \"choices\": [{{\"id\": \"c\"}}]}}"
        )
    };
    let questions: Vec<String> = (0..3000).map(question).collect();
    let body = format!(
        "{{\"event_type\": \"form_response\", \"form_response\": {{\"token\": \"t\", \"definition\": {{\"fields\": [{}]}}, \
         \"answers\": [{{\"type\": \"text\", \"text\": \"red\", \"field\": {{\"id\": \"q2999\", \"ref\": \"r2999\"}}}}]}}}}",
        questions.join(",")
    );
    let reading = read("typeform", &post(JSON, body)).unwrap();
    assert_eq!(touch(&reading).attributes["Question 2999"], "red");
}

// --- WordPress

fn entry(fields: &str) -> Touch {
    let body = format!("{{\"id\": \"1\", \"form_id\": \"2\", \"date_created\": \"2026-11-21 10:00:00\", {fields}}}");
    touch(&read("wordpress", &post(JSON, body)).unwrap()).clone()
}

#[test]
fn a_numbered_field_is_known_by_its_looks_and_nothing_else_is_guessed() {
    for (value, phones, emails) in [
        ("+7 916 123-45-67", 1, 0),
        ("8 916 123-45-67", 1, 0),
        ("anna@example.com", 0, 1),
        ("7700000000", 0, 0),
        ("2026-11-21", 0, 0),
        ("write to anna@example.com", 0, 0),
        ("call +7 916 123-45-67 after six in the evening", 0, 0),
        ("120", 0, 0),
    ] {
        let touch = entry(&format!("\"5\": \"{value}\", \"source_url\": \"https://a.example/\""));
        assert_eq!((touch.phones.len(), touch.emails.len()), (phones, emails), "{value}");
    }
    assert_eq!(entry("\"1.3\": \"Анна\", \"1.6\": \"К\"").name.as_deref(), Some("Анна К"));
    assert_eq!(entry("\"4.1\": \"Street 1\", \"4.3\": \"Tver\", \"4.6\": \"Russia\"").name, None);
}

#[test]
fn entries_of_two_sites_are_two_and_a_repeated_one_is_one() {
    let id = |site: &str, number: u8| {
        let body = format!(
            "{{\"id\": \"{number}\", \"form_id\": 3, \"date_created\": \"2026-11-21 10:00:00\", \"1\": \"x\", \
             \"source_url\": \"https://{site}/p\"}}"
        );
        read("wordpress", &post(JSON, body)).unwrap().signals.remove(0).id
    };
    assert_eq!(id("a.example", 51), id("a.example", 51));
    assert_ne!(id("a.example", 51), id("b.example", 51));
    assert_ne!(id("a.example", 51), id("a.example", 52));
}

// --- Web-to-Lead

fn gone_to(body: &str, redirect: Option<&str>, accept: &str) -> Answer {
    let headers = [("content-type", FORM), ("accept", accept)];
    let request = request(Method::POST, "https://leads.example.com/in/w2l", &headers, body.to_owned());
    let channel = Channel { redirect: redirect.map(str::to_owned), ..channel("web_to_lead") };
    (the("web_to_lead").answer)(&request, &channel, Some("uid"))
}

#[test]
fn a_visitor_is_sent_on_as_salesforce_sends_him_but_only_to_known_hosts() {
    let thanks = || Answer::Found("https://site.example/thanks?a=b".to_owned());
    let asked = "last_name=K&retURL=https%3A%2F%2FSITE.example%2Fthanks%3Fa%3Db";
    for accept in ["text/html", "*/*", "application/json", ""] {
        assert_eq!(gone_to(asked, None, accept), thanks(), "{accept}");
    }
    assert_eq!(gone_to("retURL=https%3A%2F%2Fsite.example%2Fthanks%3Fa%3Db", None, ""), thanks(), "an empty form");
    for elsewhere in
        ["http%3A%2F%2F", "https%3A%2F%2Fevil.example%2F", "%2F%2Fsite.example", "javascript%3Aalert(1)", ""]
    {
        let body = format!("last_name=K&retURL={elsewhere}");
        let own = Answer::Found("https://own.example/".to_owned());
        assert_eq!(gone_to(&body, Some("https://own.example/"), "text/html"), own, "{elsewhere}");
        assert!(matches!(gone_to(&body, None, "text/html"), Answer::Body(..)), "{elsewhere}");
    }
}

#[test]
fn a_post_of_a_drop_in_form_may_bring_its_own_id() {
    let id = |body: &str| read("web_to_lead", &post(FORM, body.to_owned())).unwrap().signals.remove(0).id;
    assert_eq!(id("last_name=K"), None);
    assert_eq!(id("last_name=K&leadgate_id=abc"), Some(("abc".to_owned(), "web_to_lead".to_owned())));
}

// --- samples and answers

#[test]
fn a_sample_of_nobody_is_still_a_lead() {
    for source in ["google_ads", "typeform", "webflow", "wordpress", "web_to_lead", "hubspot_form"] {
        let nobody = Sample { nonce: "n".to_owned(), ..Sample::default() };
        let made = (the(source).sample)(&channel(source), &nobody, now());
        let headers: Vec<(&str, &str)> = made.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let url = format!("{}{}", channel(source).url, made.path);
        let reading = read(source, &request(made.method, &url, &headers, made.body)).unwrap();
        assert_eq!(touch(&reading).name.as_deref(), Some("Test"), "{source}");
    }
}

#[test]
fn each_provider_hears_what_it_wants_to_hear() {
    let answer =
        |source: &'static str, file: &str| (the(source).answer)(&recorded(source, file), &channel(source), None);
    assert_eq!(answer("google_ads", "lead"), Answer::Body("{}".to_owned(), JSON));
    assert_eq!(answer("google_ads", "test"), Answer::Body("{}".to_owned(), JSON));
    for (source, file) in
        [("typeform", "response"), ("webflow", "form"), ("wordpress", "wpforms"), ("hubspot_form", "workflow")]
    {
        assert_eq!(answer(source, file), Answer::Accepted, "{source}");
    }
}
