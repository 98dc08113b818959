//! Has this visitor's browser done some work for us? ALTCHA's proof of work, version 2 of its protocol, with the
//! algorithm `SHA-256`: a counter is sought whose derived key begins as the challenge says.
//!
//! Nothing is kept of a challenge until it is solved: it is signed. The counter is drawn beforehand, so that every
//! visitor does about the same work and nobody is unlucky. The page's script solves it, and so do ALTCHA's own widget
//! (from version 3) and libraries.

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use lead::time::At;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Where ALTCHA's widget puts the solution.
pub(super) const FIELD: &str = "altcha";
/// From the challenge to the post.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(20 * 60);

const ALGORITHM: &str = "SHA-256";
/// Hashes for one counter.
const COST: u32 = 4;
/// The counter lies between this and its double: 40 000 to 80 000 hashes, some tenths of a second in a browser.
const LEAST: u32 = 10_000;
/// Of the derived key, in bytes.
const LENGTH: usize = 32;
const PREFIX: usize = 16;

/// Random bytes: nonce, salt, and what draws the counter.
pub(super) type Luck = ([u8; 16], [u8; 16], u32);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Wrong,
    Expired,
}

/// What is signed, as JSON without spaces and with its keys in the order of the alphabet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    algorithm: String,
    cost: u32,
    expires_at: i64,
    key_length: usize,
    key_prefix: String,
    nonce: String,
    salt: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Challenge {
    parameters: Parameters,
    signature: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Solution {
    counter: u32,
    derived_key: String,
}

#[derive(Debug, Deserialize)]
struct Payload {
    challenge: Challenge,
    solution: Solution,
}

/// A new challenge, as JSON.
pub(super) fn challenge(key: &[u8], now: At, (nonce, salt, draw): &Luck) -> String {
    let found = derive(salt, nonce, LEAST + draw % LEAST, COST);
    let parameters = Parameters {
        algorithm: ALGORITHM.to_owned(),
        cost: COST,
        expires_at: now.plus(GOOD_FOR).millis() / 1000,
        key_length: LENGTH,
        key_prefix: HEXLOWER.encode(&found[..PREFIX]),
        nonce: HEXLOWER.encode(nonce),
        salt: HEXLOWER.encode(salt),
    };
    let signature = HEXLOWER.encode(&mac(key, &parameters).finalize().into_bytes());
    serde_json::to_string(&Challenge { parameters, signature }).expect("a challenge is plain text and numbers")
}

/// The nonce of a challenge that we made, that is still good, and that was solved.
pub(super) fn check(key: &[u8], payload: &str, now: At) -> Result<String, Fault> {
    let payload = BASE64.decode(payload.as_bytes()).ok().ok_or(Fault::Wrong)?;
    let Payload { challenge, solution } = serde_json::from_slice(&payload).map_err(|_| Fault::Wrong)?;
    let Challenge { parameters, signature } = challenge;
    let signature = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).map_err(|_| Fault::Wrong)?;
    mac(key, &parameters).verify_slice(&signature).map_err(|_| Fault::Wrong)?;
    if parameters.expires_at < now.millis() / 1000 {
        return Err(Fault::Expired);
    }
    if is_solved(&parameters, &solution) { Ok(parameters.nonce) } else { Err(Fault::Wrong) }
}

fn is_solved(parameters: &Parameters, solution: &Solution) -> bool {
    let bytes = |hex: &str| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap_or_default();
    let (salt, nonce) = (bytes(&parameters.salt), bytes(&parameters.nonce));
    let found = HEXLOWER.encode(&derive(&salt, &nonce, solution.counter, parameters.cost));
    parameters.algorithm == ALGORITHM && found == solution.derived_key && found.starts_with(&parameters.key_prefix)
}

/// The hash of salt, nonce and counter, hashed `cost` times.
fn derive(salt: &[u8], nonce: &[u8], counter: u32, cost: u32) -> [u8; LENGTH] {
    let first = Sha256::new().chain_update(salt).chain_update(nonce).chain_update(counter.to_be_bytes()).finalize();
    (1..cost).fold(first.into(), |derived: [u8; LENGTH], _| Sha256::digest(derived).into())
}

fn mac(key: &[u8], parameters: &Parameters) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&serde_json::to_vec(parameters).expect("parameters are plain text and numbers"));
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: At = At::from_millis(1_800_000_000_000);
    const KEY: &[u8] = b"secret";

    fn challenge_now() -> Value {
        serde_json::from_str(&challenge(KEY, NOW, &([1; 16], [2; 16], 77))).unwrap()
    }

    /// As a browser does it: counter by counter.
    fn solve(challenge: &Value) -> Value {
        let prefix = challenge["parameters"]["keyPrefix"].as_str().unwrap();
        let derived = |counter| HEXLOWER.encode(&derive(&[2; 16], &[1; 16], counter, COST));
        let counter = (0..2 * LEAST).find(|counter| derived(*counter).starts_with(prefix)).unwrap();
        json!({"challenge": challenge, "solution": {"counter": counter, "derivedKey": derived(counter), "time": 3.1}})
    }

    fn encoded(payload: &Value) -> String {
        BASE64.encode(payload.to_string().as_bytes())
    }

    #[test]
    fn a_challenge_is_solved_within_the_promised_work_and_known_again() {
        let solved = solve(&challenge_now());
        assert_eq!(solved["solution"]["counter"], LEAST + 77);
        assert_eq!(check(KEY, &encoded(&solved), NOW), Ok("01".repeat(16)));
        assert_eq!(check(KEY, &encoded(&solved), NOW.plus(GOOD_FOR)), Ok("01".repeat(16)));
    }

    #[test]
    fn what_altchas_own_library_made_and_solved_is_believed() {
        // create_challenge and solve_challenge of PyPI's altcha 2.3.0, with cost 4, counter 1234 and this key.
        let payload = json!({
            "challenge": {
                "parameters": {
                    "algorithm": "SHA-256", "cost": 4, "keyLength": 32, "expiresAt": 4_102_444_800_i64,
                    "keyPrefix": "be360beb037bac95ab4554005ffbd399",
                    "nonce": "34ee9903d564142375505f0eb6e80689", "salt": "a9d8fec48144812d0c4b218bd36965c5"
                },
                "signature": "e1ce65fa29fc355fae58b56e19ce8392a935a3b943ac06c0e2b4ab4b3909266f"
            },
            "solution": {
                "counter": 1234,
                "derivedKey": "be360beb037bac95ab4554005ffbd39983580f2bd7aad67567f8df3cbd17ba66"
            }
        });
        let nonce = payload["challenge"]["parameters"]["nonce"].as_str().unwrap().to_owned();
        assert_eq!(check(KEY, &encoded(&payload), NOW), Ok(nonce));
    }

    #[test]
    fn a_late_a_foreign_and_a_changed_solution_are_told_apart_from_a_good_one() {
        let solved = solve(&challenge_now());
        let later = NOW.plus(GOOD_FOR + Duration::from_secs(1));
        assert_eq!(check(KEY, &encoded(&solved), later), Err(Fault::Expired));
        assert_eq!(check(b"other", &encoded(&solved), NOW), Err(Fault::Wrong));
        for (path, value) in [
            ("/challenge/parameters/expiresAt", json!(1_900_000_000)),
            ("/challenge/parameters/cost", json!(1)),
            ("/challenge/parameters/cost", json!(4_000_000_000_u32)),
            ("/challenge/parameters/keyPrefix", json!("")),
            ("/challenge/parameters/nonce", json!("02".repeat(16))),
            ("/challenge/parameters/algorithm", json!("SHA-512")),
            ("/challenge/signature", json!("")),
            ("/challenge/signature", json!(null)),
            ("/solution/counter", json!(1)),
            ("/solution/counter", json!(-1)),
            ("/solution/counter", json!("10077")),
            ("/solution/derivedKey", json!("00".repeat(32))),
        ] {
            let mut changed = solved.clone();
            *changed.pointer_mut(path).unwrap() = value;
            assert_eq!(check(KEY, &encoded(&changed), NOW), Err(Fault::Wrong), "{path}");
        }
    }

    #[test]
    fn what_is_no_payload_is_wrong() {
        let deep = format!("{}1{}", "[".repeat(3000), "]".repeat(3000));
        for payload in ["", "!", "bnVsbA==", "e30=", "e30", &BASE64.encode(deep.as_bytes()), &"A".repeat(8000)] {
            assert_eq!(check(KEY, payload, NOW), Err(Fault::Wrong), "{payload:.20}");
        }
    }
}
