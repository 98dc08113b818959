//! Does STARTTLS protect what comes after it, and only what comes after it?

use crate::house::{Client, House, code, config, limits, mail};
use gateway::config::TlsFiles;
use gateway::smtp;
use ledger::journal::Bounds;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SALES: &str = "sales@company.example";

/// A house with a certificate, which is told.
async fn house(dir: &TempDir) -> (House, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let files = TlsFiles {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
        check: lead::units::Span::parse("10s").unwrap(),
    };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let config = smtp::Config { tls: Some(files), ..config() };
    (House::with(limits(), config, Bounds::default()).await, made.cert.pem())
}

async fn encrypt(client: Client<TcpStream>, trusted: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"smtp".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, client.io.into_inner()).await
}

#[tokio::test]
async fn a_mail_comes_over_tls_also_from_a_client_that_names_its_protocol() {
    let dir = TempDir::new().unwrap();
    let (house, trusted) = house(&dir).await;
    let mut client = house.connect().await;
    assert!(client.say("EHLO x").await.contains("STARTTLS"));
    assert_eq!(client.say("STARTTLS").await, "220 2.0.0 go ahead\r\n");
    let mut client = Client { io: tokio::io::BufReader::new(encrypt(client, &trusted).await.unwrap()) };
    assert_eq!(code(&client.say("MAIL FROM:<a@x.example>").await), 503, "hello is to be said again");
    assert!(!client.say("EHLO x").await.contains("STARTTLS"));
    assert_eq!(code(&client.deliver(&[SALES], &mail("1", "Hello")).await), 250);
    assert_eq!(house.rows().len(), 1);
}

#[tokio::test]
async fn what_was_smuggled_in_before_tls_is_not_heard_after_it() {
    let dir = TempDir::new().unwrap();
    let (house, trusted) = house(&dir).await;
    let mut client = house.connect().await;
    client.say("EHLO x").await;
    client.send(format!("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.example>\r\nRCPT TO:<{SALES}>\r\n")).await;
    assert_eq!(code(&client.hear().await), 220);
    let mut client = Client { io: tokio::io::BufReader::new(encrypt(client, &trusted).await.unwrap()) };
    assert_eq!(code(&client.say("DATA").await), 503);
    assert_eq!(code(&client.say("MAIL FROM:<a@x.example>").await), 503, "not even hello was heard");
}

#[tokio::test]
async fn a_handshake_that_fails_is_counted_and_over() {
    let dir = TempDir::new().unwrap();
    let (house, _) = house(&dir).await;
    let mut client = house.connect().await;
    client.say("EHLO x").await;
    client.say("STARTTLS").await;
    client.send("EHLO x\r\n").await;
    while !client.hear().await.is_empty() {}
    assert_eq!(house.gateway.metrics.connections_refused.with_label_values(&["smtp", "handshake"]).get(), 1);
}
