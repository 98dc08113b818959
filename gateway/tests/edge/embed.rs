//! Does every page get the script, and does a browser get it only once?

use crate::house::{House, body, config, header, status};

async fn get(house: &House, path: &str, lines: &str) -> String {
    house.say(format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{lines}\r\n")).await
}

#[tokio::test]
async fn any_page_may_load_the_script_and_keep_it() {
    let house = House::open(config()).await;
    let answer = get(&house, "/embed.js?channel=spring", "origin: https://shop.example\r\n").await;
    assert_eq!((status(&answer), header(&answer, "content-type")), (200, Some("text/javascript")), "{answer}");
    assert!(header(&answer, "cache-control").unwrap().contains("max-age=3600"), "{answer}");
    assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&answer, "cross-origin-resource-policy"), Some("cross-origin"));
    assert!(body(&answer).contains("data-leadgate") && !body(&answer).contains("\n//"), "without its comments");

    let tag = header(&answer, "etag").unwrap();
    let again = get(&house, "/embed.js", &format!("if-none-match: {tag}\r\n")).await;
    assert_eq!((status(&again), body(&again), header(&again, "etag")), (304, "", Some(tag)));
    assert_eq!(status(&get(&house, "/embed.js", "if-none-match: \"old\"\r\n").await), 200);
}

#[tokio::test]
async fn only_the_script_may_be_kept() {
    let house = House::open(config()).await;
    for path in ["/live", "/demo", "/nothing"] {
        assert_eq!(header(&get(&house, path, "").await, "cache-control"), Some("no-store"), "{path}");
    }
    let head = house.say("HEAD /embed.js HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
    let post = house.post("/embed.js", "", "x").await;
    assert_eq!((status(&post), header(&post, "allow")), (405, Some("GET, HEAD")));
}
