//! Is a record of FreeSWITCH understood however the module was told to send it?

use crate::support::{calls, channel, read, recorded, the};
use gateway::sources::Refusal;
use lead::entry::{Call, Direction};

fn first(name: &str) -> Call {
    let reading = read("freeswitch", &recorded("freeswitch", name)).unwrap();
    calls(&reading)[0].clone()
}

#[test]
fn every_encoding_of_a_record_says_the_same() {
    let said = |name| format!("{:?}", read("freeswitch", &recorded("freeswitch", name)).unwrap());
    for name in ["talk_urlencoded", "talk_base64", "without_content_type", "token_in_query", "profile_a_key"] {
        assert_eq!(said(name), said("talk"), "{name}");
    }
}

#[test]
fn the_first_profile_says_who_called_whom() {
    let call = first("talk");
    assert_eq!((call.from.as_deref(), call.to.as_deref()), (Some("74950000001"), Some("74951234567")));
    assert_eq!(call.name.as_deref(), Some("Анна"));
}

#[test]
fn values_of_variables_are_decoded_once_unless_the_module_leaves_them_alone() {
    let call = first("talk");
    assert_eq!(call.attributes["accountcode"], "spring & co");
    assert_eq!(call.attributes["sip_h_campaign"], "spring%");
    let mut plain = channel("freeswitch");
    plain.settings.insert("encode_values", vec!["off".to_owned().into()]);
    let reading = (the("freeswitch").read)(&recorded("freeswitch", "talk"), &plain).unwrap();
    assert_eq!(calls(&reading)[0].attributes["accountcode"], "spring%20%26%20co");
}

#[test]
fn the_context_a_leg_came_in_through_says_whose_call_it_is() {
    for (contexts, inbound) in [(&[][..], true), (&["public"], true), (&["trunk", "public"], true), (&["trunk"], false)]
    {
        let mut channel = channel("freeswitch");
        let contexts: Vec<_> = contexts.iter().map(|name| (*name).to_owned().into()).collect();
        channel.settings.insert("inbound_contexts", contexts);
        let reading = (the("freeswitch").read)(&recorded("freeswitch", "talk"), &channel).unwrap();
        assert_eq!(calls(&reading)[0].direction == Direction::Inbound, inbound);
    }
}

#[test]
fn numbers_get_a_plus_only_where_the_trunk_writes_countries() {
    let mut channel = channel("freeswitch");
    channel.settings.insert("numbers", vec!["international".to_owned().into()]);
    let reading = (the("freeswitch").read)(&recorded("freeswitch", "talk"), &channel).unwrap();
    assert_eq!(calls(&reading)[0].from.as_deref(), Some("+74950000001"));
}

#[test]
fn a_name_in_letters_of_another_age_does_not_lose_the_call() {
    assert_eq!(first("letters_of_the_network").name.as_deref(), Some("CAF\u{fffd}"));
}

#[test]
fn what_is_no_record_is_unreadable() {
    for name in ["no_record", "truncated", "broken_base64"] {
        assert!(matches!(read("freeswitch", &recorded("freeswitch", name)), Err(Refusal::Unreadable(_))), "{name}");
    }
}
