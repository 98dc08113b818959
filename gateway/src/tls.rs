//! With which certificate do we answer? One pair of PEM files, read again when they change; a pair that does not
//! match, or does not parse, leaves the old one in force.

use crate::config::TlsFiles;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("failed to read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{path} holds no PEM {what}")]
    Pem { path: String, what: &'static str },
    #[error("certificate and key do not fit: {0}")]
    Pair(#[from] rustls::Error),
}

/// The pair in force.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    /// What ALPN says is spoken; nothing where clients do not ask.
    protocols: &'static [&'static [u8]],
    current: ArcSwap<ServerConfig>,
    /// The last contents looked at, good or bad, so that a bad pair is complained about once.
    seen: Mutex<[u8; 32]>,
}

impl Tls {
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        Self::speaking(files, &[b"http/1.1"])
    }

    /// For STARTTLS, which says by itself what is spoken.
    pub fn for_mail(files: TlsFiles) -> Result<Self, TlsError> {
        Self::speaking(files, &[])
    }

    fn speaking(files: TlsFiles, protocols: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let (cert, key) = read(&files)?;
        let current = ArcSwap::from_pointee(build(&files, protocols, &cert, &key)?);
        Ok(Self { files, protocols, current, seen: Mutex::new(fingerprint(&cert, &key)) })
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Looks at the files once; says whether a new pair is in force.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let (cert, key) = read(&self.files)?;
        let print = fingerprint(&cert, &key);
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), print);
        if before == print {
            return Ok(false);
        }
        self.current.store(Arc::new(build(&self.files, self.protocols, &cert, &key)?));
        Ok(true)
    }

    /// Reloads until stopped. Connections keep the pair they began with.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut unreadable = false;
        while stop.run_until_cancelled(tokio::time::sleep(self.files.check.0)).await.is_some() {
            let result = self.reload();
            let again = unreadable;
            unreadable = matches!(result, Err(TlsError::File { .. }));
            match result {
                Ok(true) => tracing::info!("tls.reloaded: a new certificate is in force"),
                Err(error) if !(unreadable && again) => {
                    tracing::error!(%error, "tls.kept: the old certificate stays in force");
                }
                _ => {}
            }
        }
    }
}

fn read(files: &TlsFiles) -> Result<(Vec<u8>, Vec<u8>), TlsError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| TlsError::File { path: path.display().to_string(), source });
    Ok((read(&files.cert)?, read(&files.key)?))
}

fn fingerprint(cert: &[u8], key: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(cert.len().to_be_bytes()).chain_update(cert).chain_update(key).finalize().into()
}

fn build(files: &TlsFiles, protocols: &[&[u8]], cert: &[u8], key: &[u8]) -> Result<ServerConfig, TlsError> {
    let bad = |path: &Path, what| TlsError::Pem { path: path.display().to_string(), what };
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().map_err(|_| bad(&files.cert, "certificate"))?;
    if chain.is_empty() {
        return Err(bad(&files.cert, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| bad(&files.key, "private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = protocols.iter().map(|one| one.to_vec()).collect();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lead::units::Span;
    use tempfile::TempDir;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn files(dir: &TempDir) -> TlsFiles {
        let check = Span::parse("10s").unwrap();
        TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem"), check }
    }

    fn write(dir: &TempDir, cert: &str, key: &str) -> TlsFiles {
        let files = files(dir);
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    #[test]
    fn a_new_pair_is_taken_and_a_mismatched_one_is_not() {
        let dir = TempDir::new().unwrap();
        let ((cert, key), (new_cert, new_key)) = (pair(), pair());
        let tls = Tls::open(write(&dir, &cert, &key)).unwrap();
        let before = tls.current.load_full();
        assert!(!tls.reload().unwrap());

        write(&dir, &new_cert, &key);
        assert!(matches!(tls.reload(), Err(TlsError::Pair(_))));
        assert!(!tls.reload().unwrap(), "the same bad pair is complained about once");
        assert!(Arc::ptr_eq(&before, &tls.current.load_full()));

        write(&dir, &new_cert, &new_key);
        assert!(tls.reload().unwrap());
        assert!(!Arc::ptr_eq(&before, &tls.current.load_full()));
    }

    #[test]
    fn a_file_that_cannot_serve_is_named() {
        let dir = TempDir::new().unwrap();
        let (cert, key) = pair();
        let error = |cert: &str, key: &str| Tls::open(write(&dir, cert, key)).unwrap_err().to_string();
        assert!(error("nothing", &key).ends_with("cert.pem holds no PEM certificate"));
        assert!(error(&cert, &cert).ends_with("key.pem holds no PEM private key"));
        std::fs::remove_file(dir.path().join("key.pem")).unwrap();
        assert!(Tls::open(files(&dir)).unwrap_err().to_string().contains("key.pem"));
    }
}
