//! Is every mail that was answered 250 on disk, as what its sender meant?

use crate::house::{House, code, config, limits, mail};
use lead::entry::{Entry, Signal};
use ledger::journal::Bounds;
use std::time::Duration;
use tokio::time::timeout;

const SALES: &str = "sales@company.example";
const SERVICE: &str = "service@company.example";

fn channels(entries: &[Entry]) -> Vec<&str> {
    let mut ids: Vec<&str> = entries.iter().map(|entry| entry.channel.as_str()).collect();
    ids.sort_unstable();
    ids
}

fn entries(house: &House) -> Vec<Entry> {
    house.rows().into_iter().map(|row| Entry::clone(&row.entry)).collect()
}

#[tokio::test]
async fn a_mail_is_on_disk_when_it_is_answered() {
    let house = House::open().await;
    let mut client = house.connect().await;
    let answer = client.deliver(&["Sales@COMPANY.example"], &mail("1", "Hello\r\n..with a dot")).await;
    assert_eq!(answer, "250 2.6.0 stored\r\n");
    let rows = house.rows();
    let Signal::Touch(touch) = &rows[0].entry.signal else { panic!("{:?}", rows[0].entry.signal) };
    assert_eq!(
        (touch.emails.as_slice(), touch.name.as_deref()),
        (&["anna@customer.example".to_owned()][..], Some("Anna"))
    );
    assert_eq!(touch.text.as_deref(), Some("Hello\r\n.with a dot"), "the dot that was added is taken off");
    assert!(house.raw(&rows[0]).ends_with(&format!("\r\n{}", mail("1", "Hello\r\n.with a dot"))));
    assert_eq!((rows.len(), house.accepted("sales"), house.held()), (1, 1, 0));
    assert_eq!(house.gateway.metrics.accept_seconds.get_sample_count(), 1);
    assert_eq!(client.say("QUIT").await, "221 2.0.0 bye\r\n");
    assert!(client.is_over().await);
}

#[tokio::test]
async fn many_mails_of_one_connection_are_many_and_a_redelivery_has_the_same_id() {
    let house = House::open().await;
    let mut client = house.connect().await;
    for id in ["1", "2", "1"] {
        assert_eq!(code(&client.deliver(&[SALES], &mail(id, "Hello")).await), 250);
    }
    let uids: Vec<_> = entries(&house).iter().map(|entry| entry.uid).collect();
    assert_eq!((uids.len(), uids[0] == uids[2], uids[0] == uids[1]), (3, true, false));
}

#[tokio::test]
async fn a_mail_to_two_channels_is_two_signals_and_to_one_channel_twice_is_one() {
    let house = House::open().await;
    let mut client = house.connect().await;
    assert_eq!(code(&client.deliver(&[SALES, SERVICE, "SALES@company.example"], &mail("1", "Hello")).await), 250);
    let found = entries(&house);
    assert_eq!(channels(&found), ["sales", "service"]);
    assert_ne!(found[0].uid, found[1].uid);
    assert_eq!((house.accepted("sales"), house.accepted("service")), (1, 1));
}

#[tokio::test]
async fn an_address_that_two_channels_have_reaches_both() {
    let house = House::open().await;
    assert_eq!(code(&house.connect().await.deliver(&["both@company.example"], &mail("1", "Hello")).await), 250);
    assert_eq!(channels(&entries(&house)), ["one", "two"]);
}

#[tokio::test]
async fn commands_that_come_together_are_answered_in_their_order() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.say("EHLO client.example").await;
    let envelope = format!("MAIL FROM:<a@x.example>\r\nRCPT TO:<{SALES}>\r\nRCPT TO:<who@company.example>\r\nDATA\r\n");
    client.send(&envelope).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(code(&client.hear().await));
    }
    assert_eq!(codes, [250, 250, 550, 354]);
    client.send(format!("{}.\r\n{envelope}", mail("1", "Hello"))).await;
    codes.clear();
    for _ in 0..5 {
        codes.push(code(&client.hear().await));
    }
    assert_eq!(codes, [250, 250, 250, 550, 354]);
    client.send(format!("{}.\r\nQUIT\r\n", mail("2", "Hello"))).await;
    assert_eq!((code(&client.hear().await), code(&client.hear().await)), (250, 221));
    assert_eq!((house.rows().len(), house.refused("", "not_found")), (2, 2));
}

#[tokio::test]
async fn a_mail_that_comes_byte_by_byte_is_the_same_mail() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.open("EHLO", &[SALES]).await;
    for byte in format!("{}.\r\n", mail("1", ".")).bytes() {
        client.send([byte]).await;
    }
    assert_eq!(code(&client.hear().await), 250);
    assert_eq!(house.rows().len(), 1);
}

#[tokio::test]
async fn lmtp_answers_for_each_recipient() {
    let house = House::open().await;
    let mut client = house.connect_lmtp().await;
    client.open("LHLO", &[SALES, SERVICE, SALES]).await;
    client.send(format!("{}.\r\nNOOP\r\n", mail("1", "Hello"))).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(client.hear().await);
    }
    let stored = "250 2.6.0 stored\r\n";
    assert_eq!(answers, [stored, stored, stored, "250 2.0.0 ok\r\n"]);
    assert_eq!(channels(&entries(&house)), ["sales", "service"]);
}

#[tokio::test]
async fn an_empty_sender_makes_a_mail_automatic_whatever_the_mail_says() {
    let house = House::open().await;
    for (sender, head, rule) in [
        ("<>", "", Some("mail.auto_reply")),
        ("<>", "Return-Path: <anna@customer.example>\r\n", Some("mail.auto_reply")),
        ("<anna@customer.example>", "Return-Path: <>\r\n", None),
    ] {
        let mut client = house.connect().await;
        client.say("EHLO client.example").await;
        for line in [&format!("MAIL FROM:{sender}"), &format!("RCPT TO:<{SALES}>"), "DATA"] {
            client.say(line).await;
        }
        client.send(format!("{head}{}.\r\n", mail("1", "I am away"))).await;
        assert_eq!(code(&client.hear().await), 250);
        let last = entries(&house).pop().unwrap();
        let Signal::Touch(touch) = last.signal else { panic!("{:?}", last.signal) };
        assert_eq!(touch.junk.as_deref(), rule, "{sender} {head}");
    }
}

#[tokio::test]
async fn what_is_no_mail_goes_to_quarantine_and_is_not_sent_again() {
    let house = House::open().await;
    for body in ["", "nothing that a mail has\r\n", "\0\0\0\u{ff}\r\n"] {
        assert_eq!(code(&house.connect().await.deliver(&[SALES], body).await), 250, "{body:?}");
    }
    let found = entries(&house);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|entry| matches!(entry.signal, Signal::Unreadable(_))));
    let kept = house.raw(&house.rows()[1]);
    assert!(kept.ends_with("nothing that a mail has\r\n"), "{kept}");
}

#[tokio::test]
async fn our_own_automatic_mail_is_answered_and_leaves_nothing() {
    let house = House::open().await;
    let own = "From: sales@company.example\r\nTo: a@x.example\r\nAuto-Submitted: auto-replied\r\nDate: Mon, 2 Nov 2026 10:00:00 +0300\r\n\r\nGot it\r\n";
    assert_eq!(code(&house.connect().await.deliver(&[SALES], own).await), 250);
    assert_eq!((house.rows().len(), house.accepted("sales")), (0, 0));
    assert_eq!(house.gateway.metrics.ignored.with_label_values(&["demo", "sales"]).get(), 1);
}

#[tokio::test]
async fn a_paused_mailbox_and_one_that_went_away_are_asked_for_again_later() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.say("EHLO client.example").await;
    client.say("MAIL FROM:<a@x.example>").await;
    assert_eq!(
        client.say("RCPT TO:<closed@company.example>").await,
        "450 4.2.1 this mailbox is closed for now, come back\r\n"
    );
    let gone = gateway::channels::ChannelTable::new([], []).after(&house.gateway.channels.load());
    house.gateway.channels.store(std::sync::Arc::new(gone));
    assert_eq!(code(&client.say(&format!("RCPT TO:<{SALES}>")).await), 450);
    assert_eq!(code(&client.say("RCPT TO:<who@company.example>").await), 550);
    assert_eq!(
        (house.refused("closed", "paused"), house.refused("", "paused"), house.refused("", "not_found")),
        (1, 1, 1)
    );
}

/// With all of the disk to be kept free, nothing is ever accepted.
fn full() -> Bounds {
    Bounds { free_percent: 101, free_enough: u64::MAX, ..Bounds::default() }
}

#[tokio::test]
async fn a_journal_that_does_not_take_rows_is_never_answered_250() {
    let house = House::with(limits(), config(), full()).await;
    let mut client = house.connect().await;
    let answer = client.deliver(&[SALES], &mail("1", "Hello")).await;
    assert_eq!(answer, "451 4.3.0 nothing can be stored right now, come back\r\n");
    assert_eq!((house.rows().len(), house.accepted("sales"), house.refused("sales", "journal")), (0, 0, 1));
    client.say("MAIL FROM:<a@x.example>").await;
    let again = client.say(&format!("RCPT TO:<{SALES}>")).await;
    assert_eq!(code(&again), 451, "the next one is told before it sends its mail");
    let mut lmtp = house.connect_lmtp().await;
    lmtp.say("LHLO client.example").await;
    lmtp.say("MAIL FROM:<a@x.example>").await;
    assert_eq!(code(&lmtp.say(&format!("RCPT TO:<{SERVICE}>")).await), 451);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_mail_is_stored_although_its_sender_hangs_up_before_the_answer() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.open("EHLO", &[SALES]).await;
    client.send(format!("{}.\r\n", mail("1", "Hello"))).await;
    drop(client);
    let stored = async {
        while house.rows().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), stored).await.expect("it is stored");
}

#[tokio::test]
async fn a_mail_that_never_ends_leaves_nothing() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.open("EHLO", &[SALES]).await;
    client.send(mail("1", "half of it")).await;
    drop(client);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((house.rows().len(), house.held()), (0, 0));
}

#[tokio::test]
async fn a_socket_file_serves_lmtp_too() {
    use crate::house::Client;
    use gateway::smtp::session::Protocol;
    use gateway::smtp::{Listen, Listener, Server};
    let house = House::open().await;
    let path = house.data.path().join("lmtp.sock");
    let listener = Listener::bind(&Listen::Unix(path.clone())).unwrap();
    let server = Server::new(std::sync::Arc::clone(&house.gateway), config()).unwrap();
    let running = tokio::spawn(server.run(vec![(Protocol::Lmtp, listener)], house.stop.clone()));
    let mut client = Client::new(tokio::net::UnixStream::connect(&path).await.unwrap()).await;
    client.open("LHLO", &[SALES]).await;
    client.send(format!("{}.\r\n", mail("1", "Hello"))).await;
    assert_eq!(code(&client.hear().await), 250);
    house.stop.cancel();
    assert_eq!(code(&client.hear().await), 421);
    drop(client);
    running.await.unwrap();
    assert!(!path.exists(), "the file goes with its listener");
}
