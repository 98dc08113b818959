//! Is a machine's post put aside and a person's never refused? Cases 50 to 52 of what a form must bear.

use crate::house::{House, body, config, header, limits, status};
use data_encoding::{BASE64, HEXLOWER};
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::config::{Config, Limits};
use gateway::sources::form;
use gateway::synthetic;
use lead::entry::{Signal, Synthetic, Touch};
use lead::units::{Rate, Span};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

type Settings<'a> = &'a [(&'static str, &'a str)];

/// A gateway with one form of each name.
async fn with(limits: Limits, forms: &[(&str, Settings<'_>)]) -> House {
    let house = House::open(Config { limits, ..config() }).await;
    let entrance = |(id, settings): &(&str, Settings<'_>)| {
        let settings = settings.iter().map(|(name, value)| (*name, vec![(*value).to_owned().into()])).collect();
        let channel = Channel { settings, ..Channel::new((*id).into(), "demo".into(), "form") };
        Entrance { channel, source: &form::SOURCE, state: State::Open }
    };
    house.gateway.channels.store(Arc::new(ChannelTable::new(forms.iter().map(entrance), [])));
    house
}

async fn post(house: &House, channel: &str, fields: &[(&str, &str)]) -> String {
    let form = form_urlencoded::Serializer::new("phone=1&".to_owned()).extend_pairs(fields).finish();
    let lines = "content-type: application/x-www-form-urlencoded\r\nx-forwarded-for: 192.0.2.1\r\n";
    let head = format!("POST /in/{channel} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lines}");
    house.say(format!("{head}content-length: {}\r\n\r\n{form}", form.len())).await
}

async fn get(house: &House, path: &str) -> String {
    house
        .say(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\norigin: https://shop.example\r\n\r\n"))
        .await
}

fn touches(house: &House) -> Vec<Touch> {
    let touch = |signal| if let Signal::Touch(touch) = signal { *touch } else { panic!("a form makes a touch") };
    house.rows().into_iter().map(|row| touch(row.entry.signal.clone())).collect()
}

/// What became of the last post: the rule of its junk, or its flags.
fn verdict(house: &House) -> String {
    let touch = touches(house).pop().unwrap();
    touch.junk.unwrap_or_else(|| touch.flags.into_iter().collect::<Vec<_>>().join(" "))
}

/// As ALTCHA's protocol says, from the challenge alone.
fn solve(challenge: &Value) -> String {
    let asked = &challenge["parameters"];
    let bytes = |name: &str| HEXLOWER.decode(asked[name].as_str().unwrap().as_bytes()).unwrap();
    let (salt, nonce, prefix) = (bytes("salt"), bytes("nonce"), bytes("keyPrefix"));
    let derived = |counter: u32| {
        let first = Sha256::digest([&salt[..], &nonce, &counter.to_be_bytes()].concat());
        (1..asked["cost"].as_u64().unwrap()).fold(first, |found, _| Sha256::digest(found))
    };
    let counter = (0..u32::MAX).find(|counter| derived(*counter).starts_with(&prefix)).unwrap();
    let solution = json!({"counter": counter, "derivedKey": HEXLOWER.encode(&derived(counter))});
    BASE64.encode(json!({"challenge": challenge, "solution": solution}).to_string().as_bytes())
}

async fn solved(house: &House, channel: &str) -> String {
    let answer = get(house, &format!("/in/{channel}/challenge")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    solve(&serde_json::from_str(body(&answer)).unwrap())
}

#[tokio::test]
async fn a_form_sent_faster_than_anybody_types_is_junk_and_hears_what_everybody_hears() {
    let house = with(limits(), &[("fast", &[("min_time", "2s")])]).await;
    for (time, expected) in [("0.4", "form.too_fast"), ("2.0", ""), ("60", ""), ("", "")] {
        let answer = post(&house, "fast", &[("time_on_page", time), ("leadgate_id", &format!("id{time}"))]).await;
        let said: Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!((status(&answer), &said["status"]), (200, &json!("accepted")), "{time}");
        assert_eq!(said.as_object().unwrap().len(), 2);
        assert_eq!(verdict(&house), expected, "{time}");
    }
    assert_eq!(touches(&house)[1].attributes["time_on_page"], "2.0", "people see it too");
}

#[tokio::test]
async fn work_that_was_done_for_a_challenge_counts_for_its_channel_and_is_named_by_every_post_that_shows_it() {
    let altcha: Settings<'_> = &[("captcha", "altcha")];
    let house = with(limits(), &[("spring", altcha), ("autumn", altcha)]).await;
    let proof = solved(&house, "spring").await;
    let turned = format!("{}{}", &proof[..proof.len() - 20], "A".repeat(20));
    for (channel, id, proof, expected) in [
        ("spring", "one", Some(&proof), ""),
        ("spring", "one", Some(&proof), ""),
        ("spring", "two", Some(&proof), ""),
        ("autumn", "three", Some(&proof), "form.captcha_wrong"),
        ("spring", "four", Some(&turned), "form.captcha_wrong"),
        ("spring", "five", None, "form.captcha_missing"),
    ] {
        let fields = [("leadgate_id", id), ("altcha", proof.map_or("", String::as_str))];
        assert_eq!(status(&post(&house, channel, &fields).await), 200);
        assert_eq!(verdict(&house), expected, "{id}");
    }
    let touches = touches(&house);
    assert!(touches.iter().all(|touch| touch.attributes.is_empty()), "what was shown is not kept");
    let named: Vec<_> = touches.iter().map(|touch| touch.proof).collect();
    assert!(
        named[0].is_some() && named[..3] == [named[0]; 3] && named[3..] == [None; 3],
        "deciding lets it count once"
    );
}

#[tokio::test]
async fn a_page_that_could_not_load_the_captcha_says_so_and_its_visitor_is_heard() {
    let house = with(
        limits(),
        &[
            ("default", &[("captcha", "altcha")]),
            ("open", &[("captcha", "altcha"), ("captcha_missing", "flag")]),
            ("strict", &[("captcha", "altcha"), ("captcha_missing", "always_junk")]),
        ],
    )
    .await;
    for (channel, told, expected) in [
        ("default", "unavailable", "unverified"),
        ("default", "", "form.captcha_missing"),
        ("open", "", "unverified"),
        ("strict", "unavailable", "form.captcha_missing"),
    ] {
        post(&house, channel, &[("captcha", told)]).await;
        assert_eq!(verdict(&house), expected, "{channel} {told}");
    }
}

#[tokio::test]
async fn a_challenge_is_given_only_where_it_is_asked_for_and_not_without_end() {
    let rate = Rate::parse("1/h burst 3").unwrap();
    let forms: [(&str, Settings<'_>); 2] = [("spring", &[("captcha", "altcha")]), ("plain", &[])];
    let house = with(Limits { per_address: rate, ..limits() }, &forms).await;
    assert_eq!(status(&get(&house, "/in/plain/challenge").await), 405);
    assert_eq!(status(&get(&house, "/in/spring").await), 405);
    assert_eq!(status(&get(&house, "/in/nobody/challenge").await), 404);
    let ask = "GET /in/spring/challenge HTTP/1.1\r\nhost: a\r\nconnection: close\r\norigin: https://shop.example\r\n\
        x-forwarded-for: 192.0.2.1\r\n\r\n";
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = house.say(ask).await;
        assert_eq!((status(&answer), header(&answer, "access-control-allow-origin")), (200, Some("*")), "{answer}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        seen.push(body(&answer).to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "every visitor has a challenge of his own");
    let refused = house.say(ask).await;
    assert_eq!((status(&refused), header(&refused, "retry-after").is_some()), (429, true));
}

#[tokio::test]
async fn one_client_that_sends_the_same_form_over_its_limit_is_one_post_and_then_refused() {
    let rate = Rate::parse("1/h burst 5").unwrap();
    let house = with(Limits { per_address: rate, ..limits() }, &[("spring", &[])]).await;
    let mut codes = Vec::new();
    for _ in 0..20 {
        codes.push(status(&post(&house, "spring", &[("name", "Ann")]).await));
    }
    assert_eq!(codes, [[200; 5].as_slice(), &[429; 15]].concat());
    let mut same: Vec<_> = house.rows().into_iter().map(|row| row.entry.same).collect();
    same.dedup();
    assert_eq!((same.len(), same[0].is_some()), (1, true), "all are one post");
}

/// A captcha's service that says the same to everybody, and counts who asks.
struct Service {
    url: String,
    asked: Arc<AtomicUsize>,
}

async fn service(answer: &'static str) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/verify", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 4096];
            let length = stream.read(&mut heard).await.unwrap();
            let heard = String::from_utf8_lossy(&heard[..length]).into_owned();
            assert!(heard.starts_with("POST /verify ") && heard.ends_with("secret=s3cret&response=T0ken"), "{heard}");
            count.fetch_add(1, Ordering::Relaxed);
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Service { url, asked }
}

const YES: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 16\r\n\r\n{\"success\":true}";
const NO: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 58\r\n\r\n\
    {\"success\":false,\"error-codes\":[\"invalid-input-response\"]}";
const OUR_MISTAKE: &str = "HTTP/1.1 400 Bad\r\nconnection: close\r\ncontent-length: 56\r\n\r\n\
    {\"success\":false,\"error-codes\":[\"invalid-input-secret\"]}";

async fn behind(url: &str) -> House {
    let quick = Limits { fetch_time: Span(Duration::from_millis(300)), ..limits() };
    let settings = [("captcha", "turnstile"), ("captcha_secret", "s3cret"), ("captcha_url", url)];
    with(quick, &[("spring", &settings)]).await
}

#[tokio::test]
async fn a_service_that_cannot_be_asked_keeps_nobody_out() {
    for (answer, expected) in [
        (YES, ""),
        (NO, "form.captcha_wrong"),
        (OUR_MISTAKE, "unverified"),
        ("HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "unverified"),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\n<htm", "unverified"),
        ("nonsense\r\n\r\n", "unverified"),
        ("", "unverified"),
    ] {
        let service = service(answer).await;
        let house = behind(&service.url).await;
        let heard = post(&house, "spring", &[("cf-turnstile-response", "T0ken")]).await;
        assert_eq!((status(&heard), verdict(&house).as_str()), (200, expected), "{answer}");
        assert!(touches(&house)[0].attributes.is_empty());
    }
    let house = behind("http://127.0.0.1:1/verify").await;
    post(&house, "spring", &[("cf-turnstile-response", "T0ken")]).await;
    assert_eq!(verdict(&house), "unverified", "nobody listens there");
}

#[tokio::test]
async fn one_post_waits_for_a_service_that_hangs_and_the_next_do_not() {
    let hanging = service("").await;
    let house = behind(&hanging.url).await;
    for id in ["one", "two", "three"] {
        post(&house, "spring", &[("leadgate_id", id), ("cf-turnstile-response", "T0ken")]).await;
        assert_eq!(verdict(&house), "unverified", "{id}");
    }
    assert_eq!(hanging.asked.load(Ordering::Relaxed), 1);
    let mistaken = service(OUR_MISTAKE).await;
    let house = behind(&mistaken.url).await;
    for id in ["one", "two"] {
        post(&house, "spring", &[("leadgate_id", id), ("cf-turnstile-response", "T0ken")]).await;
    }
    assert_eq!(mistaken.asked.load(Ordering::Relaxed), 2, "what it answers, it is asked for");
}

#[tokio::test]
async fn a_post_that_is_repeated_is_not_asked_about_twice_and_another_may_not_use_its_answer() {
    let service = service(YES).await;
    let house = behind(&service.url).await;
    for (id, expected) in [("one", ""), ("one", ""), ("two", "form.captcha_reused")] {
        post(&house, "spring", &[("leadgate_id", id), ("cf-turnstile-response", "T0ken")]).await;
        assert_eq!(verdict(&house), expected, "{id}");
    }
    assert_eq!(service.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn our_own_probe_proves_itself_by_its_mark() {
    let house = with(limits(), &[("spring", &[("captcha", "altcha"), ("min_time", "2s")])]).await;
    let mark = synthetic::mark(&house.gateway.pepper, Synthetic::Technical, "spring", house.gateway.clock.now());
    let lines = format!("content-type: application/json\r\n{}: {mark}\r\n", synthetic::HEADER);
    let body = r#"{"phone": "1", "time_on_page": "0.1"}"#;
    let head =
        format!("POST /in/spring HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    house.say(format!("{head}{lines}\r\n{body}")).await;
    assert_eq!((verdict(&house).as_str(), house.rows()[0].entry.synthetic), ("", Some(Synthetic::Technical)));
}
