//! Is this post a person's? What a channel asks of an anonymous form, and what becomes of a post that does not give it:
//! junk under the name of a rule, never a refusal. A person's post that cannot be judged is taken and flagged.
//!
//! The proofs travel in fields of the form. They are taken out of the touch before it is stored, in every channel: they
//! say nothing about the customer, and the same post sent again would not look the same.

mod altcha;
mod evidence;
#[doc(hidden)]
pub mod fuzzing;
mod service;
mod used;

use crate::channel::Channel;
use crate::rows;
use crate::sources::{Read, Reading, Setting, Value};
use crate::state::Gateway;
use evidence::Evidence;
use hmac::Mac;
use http::Method;
use lead::entry::{Signal, Touch};
use lead::identity::Pepper;
use lead::ids::{ChannelId, Digest, Uid, digest};
use lead::time::At;
use lead::units::Span;
use service::{Said, Service};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use used::{Claim, Used};

/// For every anonymous form: `settings: spam::SETTINGS`.
pub const SETTINGS: &[Setting] = &[
    Setting::optional(
        "captcha",
        Value::Word(&["off", "altcha", "turnstile", "smartcaptcha", "hcaptcha"]),
        "how a visitor proves to be a person",
    ),
    Setting::optional("captcha_secret", Value::Secret, "the secret that the captcha's service gave for the server"),
    Setting::optional(
        "captcha_url",
        Value::Url,
        "the address where the captcha's answers are checked, like \"https://captcha.example.com/verify\"",
    ),
    Setting::optional(
        "captcha_missing",
        Value::Word(&["junk", "flag", "always_junk"]),
        "what a post without an answer to the captcha is",
    ),
    Setting::optional("min_time", Value::Span, "the shortest time in which a person fills the form"),
];

/// The flag of a lead whose captcha could not be checked.
const UNVERIFIED: &str = "unverified";
/// Below the channel's address: where a page gets a challenge.
const CHALLENGE: &str = "challenge";
/// A service lets an answer be shown for less than this; nobody can use it after.
const SERVICE_TOKEN: Duration = Duration::from_secs(600);
/// A service that did not answer is not asked for so long: until then nobody waits for it.
const REST: Duration = Duration::from_secs(10);

/// What one gateway remembers of proofs.
#[derive(Debug, Default)]
pub(crate) struct Spam {
    used: Used,
    /// Channels whose captcha gave no verdict the last time, and when it may be asked again.
    failing: Mutex<BTreeMap<ChannelId, At>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Person,
    /// His machine has worked for it. Deciding lets this proof count once, whichever gateways it is shown to.
    Worked(Uid),
    /// Taken and flagged.
    Unverified,
    Junk(&'static str),
}

const MISSING: Verdict = Verdict::Junk("form.captcha_missing");
const WRONG: Verdict = Verdict::Junk("form.captcha_wrong");
const REUSED: Verdict = Verdict::Junk("form.captcha_reused");
const EXPIRED: Verdict = Verdict::Junk("form.captcha_expired");
const TOO_FAST: &str = "form.too_fast";

/// Is a page asking for a challenge of this channel?
pub(crate) fn is_challenge(method: &Method, rest: &str, channel: &Channel) -> bool {
    *method == Method::GET && rest == CHALLENGE && captcha(channel) == "altcha"
}

/// A challenge for one visitor, as JSON.
pub(crate) fn challenge(gateway: &Gateway, channel: &Channel) -> String {
    altcha::challenge(&key(&gateway.pepper, channel), gateway.clock.now(), &rand::random())
}

/// Judges what an anonymous form said, before it becomes rows.
pub(crate) async fn judge(gateway: &Gateway, channel: &Channel, reading: &mut Reading, now: At) {
    for Read { id, signal } in &mut reading.signals {
        let Signal::Touch(touch) = signal else { continue };
        let evidence = Evidence::take(&mut touch.attributes);
        if touch.junk.is_none() {
            touch.junk = too_fast(channel, &evidence).then(|| TOO_FAST.to_owned());
        }
        if touch.junk.is_some() || captcha(channel) == "off" {
            continue;
        }
        let post = post(channel, id.as_ref(), touch);
        match verdict(gateway, channel, &evidence, post, now).await {
            Verdict::Person => {}
            Verdict::Worked(proof) => touch.proof = Some(proof),
            Verdict::Unverified => _ = touch.flags.insert(UNVERIFIED.to_owned()),
            Verdict::Junk(rule) => touch.junk = Some(rule.to_owned()),
        }
    }
}

fn captcha(channel: &Channel) -> &str {
    channel.setting("captcha").unwrap_or("off")
}

/// Only the page's script tells a time, so a post without one is not judged by it.
fn too_fast(channel: &Channel, evidence: &Evidence) -> bool {
    let least = channel.setting("min_time").and_then(Span::parse);
    least.zip(evidence.seconds).is_some_and(|(least, spent)| spent < least.0.as_secs_f64())
}

/// Which post shows a proof: the same one may show it again, because its sender repeats what was not answered.
fn post(channel: &Channel, id: Option<&(String, String)>, touch: &Touch) -> Digest {
    match id {
        Some((id, phase)) => Digest::from_bytes(digest("post", &[id.as_bytes(), phase.as_bytes()])),
        None => rows::content(channel, &Signal::Touch(Box::new(touch.clone())), None),
    }
}

async fn verdict(gateway: &Gateway, channel: &Channel, evidence: &Evidence, post: Digest, now: At) -> Verdict {
    let service = Service::named(captcha(channel));
    let Some(proof) = evidence.proof(service.map_or(altcha::FIELD, |service| service.field())) else {
        return without_proof(channel, evidence);
    };
    match service {
        Some(service) => {
            let id = digest("proof", &[channel.id.as_str().as_bytes(), proof.as_bytes()]);
            let claim = Claim { proof: Digest::from_bytes(id), post, until: now.plus(SERVICE_TOKEN) };
            ask(gateway, channel, service, proof, claim, now).await
        }
        None => match altcha::check(&key(&gateway.pepper, channel), proof, now) {
            Ok(nonce) => Verdict::Worked(Uid::derived(channel.id.as_str(), &nonce, altcha::FIELD)),
            Err(altcha::Fault::Expired) => EXPIRED,
            Err(altcha::Fault::Wrong) => WRONG,
        },
    }
}

/// The page's script says when the captcha could not be loaded: that is no fault of the person's.
fn without_proof(channel: &Channel, evidence: &Evidence) -> Verdict {
    match channel.setting("captcha_missing").unwrap_or("junk") {
        "flag" => Verdict::Unverified,
        "always_junk" => MISSING,
        _ if evidence.unavailable => Verdict::Unverified,
        _ => MISSING,
    }
}

/// A service takes an answer once, so what it said is remembered for the post that showed it.
async fn ask(gateway: &Gateway, channel: &Channel, service: Service, token: &str, claim: Claim, now: At) -> Verdict {
    let used = &gateway.spam.used;
    match used.owner(&claim.proof, now) {
        Some(owner) if owner == claim.post => return Verdict::Person,
        Some(_) => return REUSED,
        None => {}
    }
    if gateway.spam.rests(channel, now) {
        return Verdict::Unverified;
    }
    let (said, rest) = match channel.setting("captcha_secret") {
        Some(secret) => {
            let url = channel.setting("captcha_url").unwrap_or(service.url());
            match gateway.fetcher.post(url, service.question(secret, token)).await {
                Ok(answer) => (service.read(&answer), Duration::ZERO),
                Err(why) => (Said::Nothing(why), REST),
            }
        }
        None => (Said::Nothing("its secret is not configured"), Duration::ZERO),
    };
    gateway.spam.note(channel, &said, gateway.clock.now().plus(rest));
    match said {
        Said::Person if used.claim(claim, now) => Verdict::Person,
        Said::Person => REUSED,
        // Two tries of one post were under way together, and the other one has used the answer up.
        Said::Machine if used.owner(&claim.proof, now) == Some(claim.post) => Verdict::Person,
        Said::Machine => WRONG,
        Said::Nothing(_) => Verdict::Unverified,
    }
}

impl Spam {
    fn rests(&self, channel: &Channel, now: At) -> bool {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        failing.get(&channel.id).is_some_and(|until| now < *until)
    }

    /// Says once that a service began to fail, and once that it answers again.
    fn note(&self, channel: &Channel, said: &Said, again: At) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = match said {
            Said::Nothing(_) => failing.insert(channel.id.clone(), again).is_none(),
            Said::Person | Said::Machine => failing.remove(&channel.id).is_some(),
        };
        if !changed {
            return;
        }
        let channel = channel.id.as_str();
        match said {
            Said::Nothing(why) => {
                tracing::warn!(channel, why, "captcha.failing: posts are taken unverified");
            }
            Said::Person | Said::Machine => tracing::info!(channel, "captcha.recovered: posts are verified again"),
        }
    }
}

/// What signs a channel's challenges: a challenge of one channel is worth nothing at another.
fn key(pepper: &Pepper, channel: &Channel) -> [u8; 32] {
    let mut mac = pepper.mac();
    mac.update(format!("altcha|{}", channel.id).as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(settings: &[(&'static str, &str)]) -> Channel {
        let settings = settings.iter().map(|(name, value)| (*name, vec![(*value).to_owned().into()])).collect();
        Channel { settings, ..Channel::new("spring".into(), "demo".into(), "form") }
    }

    fn evidence(fields: &serde_json::Value) -> Evidence {
        Evidence::take(&mut fields.as_object().unwrap().clone())
    }

    #[test]
    fn a_form_filled_faster_than_anybody_types_is_known_by_the_pages_clock() {
        let channel = channel(&[("min_time", "2s")]);
        for (time, expected) in [
            (serde_json::json!("1.9"), true),
            (serde_json::json!("0"), true),
            (serde_json::json!("-5"), true),
            (serde_json::json!("2"), false),
            (serde_json::json!("75.3"), false),
            (serde_json::json!("NaN"), false),
            (serde_json::json!("soon"), false),
            (serde_json::json!(null), false),
        ] {
            let told = evidence(&serde_json::json!({"time_on_page": time}));
            assert_eq!(too_fast(&channel, &told), expected, "{time}");
        }
        let unhurried = evidence(&serde_json::json!({"time_on_page": "0.1"}));
        assert!(!too_fast(&self::channel(&[]), &unhurried), "a channel without the setting does not judge");
    }

    #[test]
    fn a_post_without_a_proof_is_what_the_channel_says() {
        let (silent, told) = (serde_json::json!({}), serde_json::json!({"captcha": "unavailable"}));
        for (setting, fields, expected) in [
            (None, &silent, MISSING),
            (None, &told, Verdict::Unverified),
            (Some("junk"), &silent, MISSING),
            (Some("flag"), &silent, Verdict::Unverified),
            (Some("always_junk"), &told, MISSING),
        ] {
            let settings: Vec<_> = setting.map(|word| ("captcha_missing", word)).into_iter().collect();
            let found = without_proof(&channel(&settings), &evidence(fields));
            assert_eq!(found, expected, "{setting:?} {fields}");
        }
    }

    #[test]
    fn every_channel_signs_with_a_key_of_its_own() {
        let (pepper, other) = (Pepper::new(b"pepper"), Pepper::new(b"other"));
        let autumn = Channel::new("autumn".into(), "demo".into(), "form");
        assert_eq!(key(&pepper, &channel(&[])), key(&pepper, &channel(&[])));
        assert_ne!(key(&pepper, &channel(&[])), key(&pepper, &autumn));
        assert_ne!(key(&pepper, &channel(&[])), key(&other, &channel(&[])));
    }
}
