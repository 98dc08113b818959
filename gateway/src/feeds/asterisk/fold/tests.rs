//! What do whole calls fold into? Events as an Asterisk sends them, without the keys that nobody reads.

use super::*;

const NOW: At = At::from_millis(1_800_000_000_000);

fn plan() -> Plan {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Plan { agents: texts(&["PJSIP/1", "SIP/2"]), address: Some("+74951234567".to_owned()), ..Plan::default() }
}

/// A line an event: its name, seconds since the call began, and its fields. The first channel is number 1.
fn blocks(text: &str) -> Vec<Block> {
    let block = |line: &str| {
        let mut words = line.split_whitespace();
        let (event, seconds) = (words.next().unwrap(), words.next().unwrap());
        let fields: String = words.map(|word| word.replacen('=', ": ", 1).replace('~', " ") + "\n").collect();
        let linked = if fields.contains("Linkedid") { "" } else { "Linkedid: 1700000000.1\n" };
        let seconds: i64 = seconds.parse().unwrap();
        Block::of(&format!(
            "Event: {event}\nTimestamp: {}.000000\n{linked}{}",
            1_800_000_000 + seconds,
            numbered(&fields)
        ))
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(block).collect()
}

/// `Uniqueid: 2` is the second channel of the exchange.
fn numbered(fields: &str) -> String {
    let full = |line: &str| match line.split_once(": ") {
        Some((key @ ("Uniqueid" | "DestUniqueid" | "Linkedid"), id)) => format!("{key}: 1700000000.{id}\n"),
        _ => format!("{line}\n"),
    };
    fields.lines().map(full).collect()
}

fn told(steps: &[Step]) -> Vec<String> {
    let word = |step: &Step| {
        let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let way = if step.outbound { "out " } else { "" };
        match step.what {
            What::Began => format!("{way}began {} {}", or(&step.from), or(&step.to)),
            What::Offered => format!("offered {}", or(&step.agent)),
            What::Answered => format!("answered {}", or(&step.agent)),
            What::Taken => format!("{way}taken {}", or(&step.agent)),
            What::Ended => {
                format!("ended {} {}", step.talk_s.map_or_else(|| "-".to_owned(), |s| s.to_string()), or(&step.cause))
            }
            What::Unknown => "?".to_owned(),
        }
    };
    steps.iter().map(word).collect()
}

fn folded(plan: Plan, text: &str) -> Vec<String> {
    let mut fold = Fold::new(plan);
    let steps: Vec<Step> = blocks(text).iter().flat_map(|block| fold.event(block, NOW)).collect();
    told(&steps)
}

const ARRIVES: &str = "Newchannel 0 Channel=PJSIP/trunk-00000001 CallerIDNum=79161234567 CallerIDName=Anna Context=from-trunk Exten=74951234567 Uniqueid=1\n";
const BEGAN: &str = "began 79161234567 +74951234567";

#[test]
fn in_a_ring_group_the_one_who_was_fastest_is_the_person() {
    let call = format!(
        "{ARRIVES}
        Newchannel 1 Channel=PJSIP/101-00000002 CallerIDNum=101 Context=from-internal Uniqueid=2
        Newchannel 1 Channel=PJSIP/102-00000003 CallerIDNum=102 Context=from-internal Uniqueid=3
        DialBegin 1 Channel=PJSIP/trunk-00000001 Uniqueid=1 DestChannel=PJSIP/101-00000002 DestUniqueid=2
        DialBegin 1 Channel=PJSIP/trunk-00000001 Uniqueid=1 DestChannel=PJSIP/102-00000003 DestUniqueid=3
        DialEnd 6 Channel=PJSIP/trunk-00000001 Uniqueid=1 DestChannel=PJSIP/101-00000002 DestUniqueid=2 DialStatus=CANCEL
        DialEnd 6 Channel=PJSIP/trunk-00000001 Uniqueid=1 DestChannel=PJSIP/102-00000003 DestUniqueid=3 DialStatus=ANSWER
        BridgeEnter 6 Channel=PJSIP/102-00000003 Uniqueid=3
        BridgeEnter 6 Channel=PJSIP/trunk-00000001 Uniqueid=1
        Hangup 6 Channel=PJSIP/101-00000002 Uniqueid=2 Cause=26
        BridgeLeave 66 Channel=PJSIP/102-00000003 Uniqueid=3
        Hangup 66 Channel=PJSIP/102-00000003 Uniqueid=3 Cause=16 Cause-txt=Normal~Clearing
        Hangup 69 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16 Cause-txt=Normal~Clearing"
    );
    assert_eq!(
        folded(plan(), &call),
        [BEGAN, "offered 101", "offered 102", "answered 102", "ended 60 normal clearing"]
    );
}

#[test]
fn behind_the_local_channels_of_a_queue_the_device_is_the_person() {
    let call = format!(
        "{ARRIVES}
        QueueCallerJoin 2 Channel=PJSIP/trunk-00000001 Uniqueid=1 Queue=sales Position=1
        Newchannel 2 Channel=Local/101@from-queue-00000000;1 Uniqueid=2
        AgentCalled 2 Uniqueid=1 Queue=sales Interface=Local/101@from-queue/n DestChannel=Local/101@from-queue-00000000;1 DestUniqueid=2
        DialBegin 3 Channel=Local/101@from-queue-00000000;2 Uniqueid=3 DestChannel=PJSIP/101-00000002 DestUniqueid=4
        DialEnd 7 Channel=Local/101@from-queue-00000000;2 Uniqueid=3 DestChannel=PJSIP/101-00000002 DestUniqueid=4 DialStatus=ANSWER
        AgentConnect 7 Channel=PJSIP/trunk-00000001 Uniqueid=1 Queue=sales MemberName=Ivan Interface=Local/101@from-queue/n DestChannel=Local/101@from-queue-00000000;1 DestUniqueid=2
        Hangup 17 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16 Cause-txt=Normal~Clearing"
    );
    assert_eq!(folded(plan(), &call), [BEGAN, "offered 101", "answered 101", "ended 10 normal clearing"]);
}

#[test]
fn whoever_gave_up_in_the_queue_was_not_talked_to() {
    let call = format!(
        "{ARRIVES}
        QueueCallerJoin 2 Channel=PJSIP/trunk-00000001 Uniqueid=1 Queue=sales
        AgentCalled 2 Uniqueid=1 Interface=PJSIP/101 DestChannel=PJSIP/101-00000002 DestUniqueid=2
        QueueCallerAbandon 27 Uniqueid=1 Queue=sales HoldTime=25
        Hangup 27 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16 Cause-txt=Normal~Clearing"
    );
    assert_eq!(folded(plan(), &call), [BEGAN, "offered 101", "ended - abandoned the queue"]);
}

#[test]
fn what_the_exchange_answers_itself_is_nobody() {
    for machine in [
        "",
        "DialEnd 20 Uniqueid=1 DestChannel=PJSIP/101-2 DestUniqueid=2 DialStatus=NOANSWER",
        "DialEnd 20 Uniqueid=1 DestChannel=Local/9101@voicemail-00000000;1 DestUniqueid=2 DialStatus=ANSWER",
        "BridgeEnter 20 Channel=PJSIP/trunk-00000001 Uniqueid=1",
        "Cdr 20 Uniqueid=1 Disposition=ANSWERED",
        "MusicOnHoldStart 20 Channel=PJSIP/trunk-00000001 Uniqueid=1",
    ] {
        let call = format!("{ARRIVES}\n{machine}\nHangup 30 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16");
        assert_eq!(folded(plan(), &call), [BEGAN, "ended - 16"], "{machine}");
    }
}

#[test]
fn a_mobile_behind_a_trunk_or_a_member_behind_a_local_channel_may_be_a_person() {
    for (taken, agent) in [
        ("DialEnd 9 Uniqueid=1 DestChannel=PJSIP/trunk-00000002 DestUniqueid=2 DialStatus=ANSWER", "-"),
        (
            "AgentConnect 9 Uniqueid=1 Interface=Local/205@from-queue/n DestChannel=Local/205@from-queue-01;1 DestUniqueid=2",
            "205",
        ),
    ] {
        let call = format!("{ARRIVES}\n{taken}\n{taken}\nHangup 30 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16");
        assert_eq!(folded(plan(), &call), [BEGAN, &format!("taken {agent}"), "ended - 16"], "{taken}");
    }
}

#[test]
fn a_call_that_was_picked_up_and_passed_on_is_one_talk() {
    let call = format!(
        "{ARRIVES}
        DialBegin 1 Uniqueid=1 DestChannel=PJSIP/101-00000002 DestUniqueid=2
        Newchannel 4 Channel=SIP/205-00000003 Uniqueid=3
        BridgeEnter 5 Channel=SIP/205-00000003 Uniqueid=3
        BridgeLeave 25 Channel=SIP/205-00000003 Uniqueid=3
        DialEnd 35 Uniqueid=1 DestChannel=PJSIP/102-00000004 DestUniqueid=4 DialStatus=ANSWER
        BridgeEnter 35 Channel=PJSIP/102-00000004 Uniqueid=4
        Hangup 45 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16"
    );
    assert_eq!(folded(plan(), &call), [BEGAN, "offered 101", "answered 205", "answered 102", "ended 30 16"]);
}

#[test]
fn a_call_of_ours_counts_once_it_leaves_the_house() {
    let ours =
        "Newchannel 0 Channel=PJSIP/101-00000001 CallerIDNum=101 Context=from-internal Exten=89161234567 Uniqueid=1";
    let out = format!(
        "{ours}
        DialBegin 1 Channel=PJSIP/101-00000001 Uniqueid=1 DestChannel=PJSIP/trunk-00000002 DestUniqueid=2
        DialEnd 9 Uniqueid=1 DestChannel=PJSIP/trunk-00000002 DestUniqueid=2 DialStatus=ANSWER
        Hangup 30 Channel=PJSIP/101-00000001 Uniqueid=1 Cause=16"
    );
    assert_eq!(folded(plan(), &out), ["out began +74951234567 89161234567", "out taken 101", "ended - 16"]);
    let inside = format!(
        "{ours}
        DialBegin 1 Channel=PJSIP/101-00000001 Uniqueid=1 DestChannel=PJSIP/102-00000002 DestUniqueid=2
        DialEnd 9 Uniqueid=1 DestChannel=PJSIP/102-00000002 DestUniqueid=2 DialStatus=ANSWER
        BridgeEnter 9 Channel=PJSIP/102-00000002 Uniqueid=2
        Hangup 30 Channel=PJSIP/101-00000001 Uniqueid=1 Cause=16"
    );
    assert_eq!(folded(plan(), &inside), Vec::<String>::new());
}

#[test]
fn a_channel_hears_only_its_own_calls() {
    let ends = "Hangup 30 Channel=PJSIP/trunk-00000001 Uniqueid=1 Cause=16";
    let queued = "QueueCallerJoin 2 Channel=PJSIP/trunk-00000001 Uniqueid=1 Queue=sales";
    let queues = || Plan { queues: vec!["sales".to_owned()], ..plan() };
    let contexts = |name: &str| Plan { contexts: vec![name.to_owned()], ..plan() };
    assert_eq!(folded(queues(), &format!("{ARRIVES}\n{queued}\n{ends}")), [BEGAN, "ended - 16"]);
    assert_eq!(folded(queues(), &format!("{ARRIVES}\n{}\n{ends}", queued.replace("sales", "help"))).len(), 0);
    assert_eq!(folded(contexts("from-trunk"), &format!("{ARRIVES}\n{ends}")).len(), 2);
    assert_eq!(folded(contexts("from-shop"), &format!("{ARRIVES}\n{queued}\n{ends}")).len(), 0);
}

#[test]
fn a_caller_who_is_known_late_or_never_is_told_as_such() {
    let line = "Newchannel 0 Channel=DAHDI/1-1 CallerIDNum=<unknown> Exten=s Uniqueid=1";
    let late = "NewCallerid 1 Channel=DAHDI/1-1 Uniqueid=1 CallerIDNum=79161234567";
    let rings = "DialBegin 2 Uniqueid=1 DestChannel=PJSIP/101-2 DestUniqueid=2";
    assert_eq!(folded(plan(), &format!("{line}\n{late}\n{rings}")), [BEGAN, "offered 101"]);
    assert_eq!(folded(plan(), &format!("{line}\n{rings}")), ["began - +74951234567", "offered 101"]);
    let hidden = "Hangup 3 Channel=DAHDI/1-1 Uniqueid=1 Cause=16";
    assert_eq!(folded(plan(), &format!("{line}\n{hidden}")), ["began - +74951234567", "ended - 16"]);
}

#[test]
fn after_a_gap_calls_go_on_begin_and_are_over() {
    let mut fold = Fold::new(plan());
    for line in blocks(ARRIVES) {
        fold.event(&line, NOW);
    }
    let list = "CoreShowChannel 50 Channel=PJSIP/102-00000009 ChannelState=6 Uniqueid=9 Linkedid=8 BridgeId=b
        CoreShowChannel 50 Channel=PJSIP/trunk-00000008 ChannelState=6 CallerIDNum=79161112233 Exten=s Uniqueid=8 Linkedid=8 BridgeId=b";
    let steps = fold.going_on(&blocks(list), NOW);
    assert_eq!(told(&steps), ["ended - ended while nobody listened", "began 79161112233 +74951234567", "answered 102"]);
    assert!(steps[1..].iter().all(|step| step.call == "1700000000.8"));
    let again = fold.going_on(&blocks(list), NOW);
    assert_eq!(told(&again), Vec::<String>::new(), "a second gap says nothing twice");
    let ends = blocks("Hangup 60 Channel=PJSIP/trunk-00000008 Uniqueid=8 Linkedid=8 Cause=16");
    assert_eq!(told(&fold.event(&ends[0], NOW)), ["ended 10 16"]);
}

#[test]
fn an_event_of_an_unknown_call_and_an_event_without_one_say_nothing() {
    let strange = "Hangup 1 Channel=PJSIP/trunk-1 Uniqueid=5 Linkedid=5
        BridgeEnter 1 Channel=PJSIP/101-1 Uniqueid=6 Linkedid=5
        Newchannel 1 Channel=Local/s@macro-00000001;1 Uniqueid=7 Linkedid=7
        FullyBooted 1 Status=Fully~Booted Linkedid=";
    assert_eq!(folded(plan(), strange), Vec::<String>::new());
}

#[test]
fn calls_that_never_end_are_forgotten_in_the_end() {
    let mut fold = Fold::new(plan());
    for n in 0..MOST + 5 {
        let block = Block::of(&format!(
            "Event: Newchannel\nChannel: SIP/t-1\nCallerIDNum: 1\nUniqueid: 17000{n:05}.1\nLinkedid: 17000{n:05}.1"
        ));
        fold.event(&block, NOW);
    }
    assert_eq!(fold.calls.len(), MOST);
}

#[test]
fn times_are_the_exchanges_where_it_says_them() {
    for (said, at) in [
        ("Timestamp: 1705302000.123456", Some(1_705_302_000_123)),
        ("Timestamp: 1705302000.5", Some(1_705_302_000_500)),
        ("Timestamp: soon", None),
        // Further apart than a number can say: beyond the last moment there is none.
        ("Timestamp: 9223372036854775807.999", Some(253_402_300_799_999)),
        ("Timestamp: -9223372036854775808.0", Some(0)),
        ("A: b", None),
    ] {
        assert_eq!(stamp(&Block::of(said)), at.map(At::from_millis), "{said}");
    }
}
