//! Is the entrance encrypted, and does a new certificate come into force by itself?

use crate::house::{House, hear, status, with_tls};
use gateway::config::TlsFiles;
use lead::units::Span;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;

/// Writes a new pair over the old one.
fn renew(dir: &TempDir) -> (TlsFiles, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let check = Span::parse("50ms").unwrap();
    let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem"), check };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.pem())
}

/// GET /live by a client that trusts this certificate only; `None` when the handshake fails.
async fn live(house: &House, trusted: &str) -> Option<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, house.connect().await).await.ok()?;
    stream.write_all(b"GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    Some(status(&hear(&mut stream).await))
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let (files, old) = renew(&dir);
    let house = House::open(with_tls(files)).await;
    assert_eq!(live(&house, &old).await, Some(200));
    let (_, new) = renew(&dir);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((live(&house, &new).await, live(&house, &old).await), (Some(200), None));
}

#[tokio::test]
async fn a_broken_pair_leaves_the_old_certificate_in_force() {
    let dir = TempDir::new().unwrap();
    let (files, old) = renew(&dir);
    let house = House::open(with_tls(files.clone())).await;
    assert_eq!(live(&house, &old).await, Some(200));
    std::fs::write(&files.key, "half a file").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(live(&house, &old).await, Some(200));
}

#[tokio::test]
async fn who_does_not_shake_hands_is_let_go() {
    let dir = TempDir::new().unwrap();
    let house = House::open(with_tls(renew(&dir).0)).await;
    let mut silent = house.connect().await;
    assert_eq!(hear(&mut silent).await, "");
    let plain = house.say("GET /live HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(status(&plain), 0, "{plain}");
    let refused = house.gateway.metrics.connections_refused.with_label_values(&["public", "handshake"]).get();
    assert_eq!(refused, 2);
}
