//! What is promised of proofs that a visitor is a person? Nobody is one who did not prove it. The first byte says what
//! the others are: a proof of work as it travels or bare, an answer of a service, or the fields of a form.

use crate::recorded;
use gateway::spam::fuzzing;
use lead::entry::Attributes;
use serde_json::Value;

/// The one challenge that was signed with this key and solved, in `seeds/captcha`.
const KEY: &[u8] = b"secret";
const NONCE: &str = "34ee9903d564142375505f0eb6e80689";

pub(crate) fn play(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind {
        b'p' => proof(&String::from_utf8_lossy(bytes)),
        b'b' => proof(&data_encoding::BASE64.encode(bytes)),
        b't' => answer("turnstile", bytes),
        b's' => answer("smartcaptcha", bytes),
        b'h' => answer("hcaptcha", bytes),
        _ => fields(bytes),
    }
}

fn proof(payload: &str) {
    if let Some(nonce) = fuzzing::altcha(KEY, payload, recorded::now()) {
        assert_eq!(nonce, NONCE, "a proof was believed that nobody gave");
    }
}

fn answer(service: &str, bytes: &[u8]) {
    if fuzzing::person(service, &bytes::Bytes::copy_from_slice(bytes)) == Some(true) {
        // A typed reader passes over texts that it does not want, whatever letters they have.
        let said: Value = serde_json::from_str(&String::from_utf8_lossy(bytes)).expect("what was believed is JSON");
        assert!(said["success"] == true || said["status"] == "ok", "a machine was taken for a person: {said}");
    }
}

fn fields(bytes: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Attributes>(bytes) else { return };
    let kept = fuzzing::without_proofs(said.clone());
    assert!(kept.iter().all(|(name, value)| said.get(name) == Some(value)), "a field was changed");
    assert!(!kept.contains_key("altcha") && !kept.contains_key("h-captcha-response"), "a proof stays");
}
