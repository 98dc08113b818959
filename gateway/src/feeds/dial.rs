//! How does a feed reach its server? Over TCP, mostly under TLS, never longer than a few seconds.

use super::Failure;
use crate::channel::Channel;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(15);

/// What both kinds of connection can do.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) type Wire = Box<dyn Stream>;

/// When TLS begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Always,
    /// After the server was asked for it.
    Started,
    Never,
}

/// Where to, as the channel says.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    host: String,
    port: u16,
    pub(super) tls: Tls,
    /// A PEM file with the authority of a server that the public ones do not know.
    ca: Option<String>,
}

impl Dial {
    /// `ports` are those of TLS and of everything else.
    pub(super) fn of(channel: &Channel, ports: (u16, u16)) -> Self {
        let tls = match channel.setting("tls") {
            Some("starttls") => Tls::Started,
            Some("off") => Tls::Never,
            _ => Tls::Always,
        };
        let usual = if tls == Tls::Always { ports.0 } else { ports.1 };
        Self {
            host: channel.setting("host").unwrap_or_default().to_owned(),
            port: channel.setting("port").and_then(|port| port.parse().ok()).unwrap_or(usual),
            tls,
            ca: channel.setting("ca").map(str::to_owned),
        }
    }

    pub(super) async fn connect(&self) -> Result<Wire, Failure> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let late = |_| Failure::Away("the server does not answer");
        let stream = timeout(PATIENCE, connecting).await.map_err(late)?;
        let stream = stream.map_err(|_| Failure::Away("the server cannot be reached"))?;
        let _ = stream.set_nodelay(true);
        if self.tls == Tls::Always { self.secure(Box::new(stream)).await } else { Ok(Box::new(stream)) }
    }

    /// The same connection under TLS.
    pub(super) async fn secure(&self, wire: Wire) -> Result<Wire, Failure> {
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| Failure::Refused("the host has no valid name"))?;
        let connector = TlsConnector::from(Arc::new(self.trust().await?));
        let greeted = timeout(PATIENCE, connector.connect(name, wire)).await;
        let secured = greeted.map_err(|_| Failure::Away("no TLS handshake in time"))?;
        Ok(Box::new(secured.map_err(|error| match error.kind() {
            // What rustls itself objects to; anything else is the line.
            ErrorKind::InvalidData => Failure::Refused("TLS failed: is the certificate the host's own?"),
            _ => Failure::Away("the line broke while TLS began"),
        })?))
    }

    async fn trust(&self) -> Result<ClientConfig, Failure> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let pem = tokio::fs::read(file).await.map_err(|_| Failure::Refused("the file of ca cannot be read"))?;
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
                if roots.is_empty() {
                    return Err(Failure::Refused("the file of ca holds no certificate"));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|_| Failure::Refused("TLS cannot be set up"))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}
