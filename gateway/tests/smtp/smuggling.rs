//! Can two servers see different mails in the same bytes? What could make them is never taken.

use crate::house::{House, code, mail};

const SALES: &str = "sales@company.example";

/// A second mail, hidden behind what some server takes for the end of the first.
fn hidden(end: &str) -> String {
    let forged = format!("MAIL FROM:<admin@bank.example>{end}RCPT TO:<{SALES}>{end}DATA{end}");
    format!("{}before{end}{forged}{}", mail("1", ""), mail("2", "forged"))
}

#[tokio::test]
async fn a_line_feed_alone_is_refused_and_the_connection_closed() {
    // The ends that real servers took for one: SEC Consult, "SMTP Smuggling", December 2023.
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\n\r\n.\n", "\r\n\n.\r\n"] {
        let house = House::open().await;
        let mut client = house.connect().await;
        client.open("EHLO", &[SALES]).await;
        client.send(hidden(end)).await;
        assert_eq!(client.hear().await, "550 5.5.2 a line feed without its carriage return\r\n", "{end:?}");
        assert!(client.is_over().await, "{end:?}");
        assert_eq!((house.rows().len(), house.held()), (0, 0), "{end:?}");
    }
}

#[tokio::test]
async fn what_is_no_end_is_text_of_the_one_mail() {
    for end in ["\r.\r", "\r.\r\n", "\r\n.\r\r\n", "\r\n\0.\r\n", "\r\n\u{2e}\u{0}\r\n", "\r\n\u{ff0e}\r\n"] {
        let house = House::open().await;
        let mut client = house.connect().await;
        let forged = hidden(end).replace("\r\n.\r\n", "\r\n..\r\n");
        assert_eq!(code(&client.deliver(&[SALES], &forged).await), 250, "{end:?}");
        let rows = house.rows();
        assert_eq!(rows.len(), 1, "{end:?}");
        assert!(house.raw(&rows[0]).contains("forged"), "{end:?}: the rest is text");
        assert_eq!(code(&client.say("NOOP").await), 250, "{end:?}: and no command");
    }
}

#[tokio::test]
async fn a_command_ends_with_both_its_characters() {
    for line in ["NOOP\n", "EHLO x\nMAIL FROM:<a@x.example>\r\n", "\n"] {
        let house = House::open().await;
        let mut client = house.connect().await;
        client.send(line).await;
        assert_eq!(code(&client.hear().await), 550, "{line:?}");
        assert!(client.is_over().await, "{line:?}");
    }
}

#[tokio::test]
async fn a_mail_that_comes_before_it_is_asked_for_is_refused() {
    let house = House::open().await;
    let mut client = house.connect().await;
    client.say("EHLO x").await;
    let all = format!("MAIL FROM:<a@x.example>\r\nRCPT TO:<{SALES}>\r\nDATA\r\n{}.\r\n", mail("1", "too early"));
    client.send(all).await;
    let codes = [code(&client.hear().await), code(&client.hear().await), code(&client.hear().await)];
    assert_eq!(codes, [250, 250, 550]);
    assert!(client.is_over().await);
    assert_eq!(house.rows().len(), 0);
}

#[tokio::test]
async fn a_browser_made_to_speak_smtp_gets_nowhere() {
    let house = House::open().await;
    let mut client = house.connect().await;
    let post = format!(
        "POST / HTTP/1.1\r\nHost: mx.leads.example:2525\r\n\r\nEHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<{SALES}>\r\nDATA\r\n{}.\r\n",
        mail("1", "forged")
    );
    client.send(post).await;
    while !client.hear().await.is_empty() {}
    assert_eq!(house.rows().len(), 0);
}
