//! What does the gateway know of one entrance? The technical half of a `[[channel]]`; the domain's half is
//! [`lead::rules::Channel`].

use lead::ids::{ChannelId, WorkspaceId};
use lead::phone::Region;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// One entrance as the gateway needs it.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: ChannelId,
    pub workspace: WorkspaceId,
    pub source: &'static str,
    /// Our own phone number, mailbox or bot name.
    pub address: Option<String>,
    /// The workspace's country, for numbers written without one.
    pub region: Region,
    /// The URL the provider was given: `<public_url>/in/<id>` and, where set, `.<url_key>`.
    pub url: String,
    /// Valid secrets, the current one first; two while a secret is being rotated. Empty: not configured.
    pub secrets: Vec<SecretString>,
    /// The unguessable part of the path for sources without a signature.
    pub url_key: Option<SecretString>,
    /// Where a plain form goes after a post.
    pub redirect: Option<String>,
    /// Hosts a form's own `redirect` field may name.
    pub redirect_hosts: Vec<String>,
    /// Origins that may post from a browser; empty means any.
    pub origins: Vec<String>,
    /// Our field name → the sender's field path.
    pub fields: BTreeMap<String, String>,
    /// Text for the thank-you page.
    pub thanks: Option<String>,
    /// Never identities: our own mailboxes, form-mailer senders.
    pub own_emails: Vec<String>,
    /// What the source's own keys say, see [`crate::sources::Setting`]; several values where the key is a list.
    pub settings: BTreeMap<&'static str, Vec<SecretString>>,
}

impl Channel {
    /// An entrance of which only its name is known.
    pub fn new(id: ChannelId, workspace: WorkspaceId, source: &'static str) -> Self {
        Self {
            id,
            workspace,
            source,
            address: None,
            region: Region::RU,
            url: String::new(),
            secrets: Vec::new(),
            url_key: None,
            redirect: None,
            redirect_hosts: Vec::new(),
            origins: Vec::new(),
            fields: BTreeMap::new(),
            thanks: None,
            own_emails: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    /// What a key of the source's own says.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.each_setting(name).next()
    }

    /// What a key of the source's own lists.
    pub fn each_setting(&self, name: &str) -> impl Iterator<Item = &str> {
        self.settings.get(name).into_iter().flatten().map(ExposeSecret::expose_secret)
    }
}
