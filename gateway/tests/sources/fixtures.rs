//! What does each recorded request say? Beside `<name>.http` lies `<name>.json`: the signals, or why there are none.
//! `LEADGATE_BLESS=1` writes them anew; read the difference before you commit it.

use crate::recorded::names;
use crate::support::{channel, fixtures, read_asking, recorded};
use gateway::channel::Channel;
use gateway::sources::{Reading, Refusal, SOURCES};
use serde_json::{Value, json};

/// A channel whose fields are mapped by hand.
fn configured(source: &'static str, name: &str) -> Channel {
    let mut channel = channel(source);
    if name == "json_mapped" {
        let mapped = [("phone", "lead.contact_way"), ("name", "lead[who]"), ("utm_source", "SRC")];
        channel.fields = mapped.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into();
    }
    channel
}

fn outcome(read: Result<Reading, Refusal>) -> Value {
    match read {
        Err(refusal) => json!({"refused": format!("{refusal:?}")}),
        Ok(reading) => {
            let signals: Vec<Value> =
                reading.signals.iter().map(|read| json!({"id": read.id, "signal": read.signal})).collect();
            json!({"signals": signals, "ignored": reading.ignored})
        }
    }
}

#[test]
fn every_recorded_request_is_genuine_and_says_what_it_said() {
    let bless = std::env::var_os("LEADGATE_BLESS").is_some();
    let mut different = Vec::new();
    for source in SOURCES.iter().copied() {
        for name in names(source.name) {
            let (request, channel) = (recorded(source.name, &name), configured(source.name, &name));
            assert_eq!((source.verify)(&request, &channel), Ok(()), "{}/{name}", source.name);
            let said = outcome(read_asking(source, &channel, request, &name));
            let file = fixtures().join("sources").join(source.name).join(&name).with_extension("json");
            if bless {
                std::fs::write(&file, serde_json::to_string_pretty(&said).unwrap() + "\n").unwrap();
            }
            let expected = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            if expected.as_ref() != Some(&said) {
                different.push(format!("{}/{name}: {said:#}", source.name));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
