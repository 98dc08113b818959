//! Which readers take bytes that somebody else chose, and what must hold whatever those bytes are?
//!
//! A [`Target`] is one of them: a function from bytes to nothing, which panics where a promise is broken. `tests/`
//! replays what is kept in `corpus/` and changes it at random with every `cargo test`; `libfuzzer/` looks for what
//! nobody has thought of.

mod captcha;
mod company;
mod contact;
mod expression;
mod feeds;
mod framing;
mod house;
mod http;
#[path = "../../../gateway/tests/sources/recorded.rs"]
mod recorded;
mod seeds;
mod smtp;
mod source;
mod stored;
mod wire;

pub use seeds::seeds;

use gateway::sources::SOURCES;
use std::fmt;

/// Longer inputs are cut: a body of this length must be read at once, whatever it says.
pub const LONGEST: usize = 64 << 10;

/// One reader and its promises.
pub struct Target {
    pub name: &'static str,
    play: Box<dyn Fn(&[u8])>,
}

impl Target {
    fn new(name: &'static str, play: impl Fn(&[u8]) + 'static) -> Self {
        Self { name, play: Box::new(play) }
    }

    /// Reads the bytes; a promise that does not hold is a panic.
    pub fn play(&self, bytes: &[u8]) {
        (self.play)(&bytes[..bytes.len().min(LONGEST)]);
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The names of all targets: every source, then what stands before and beside them.
pub fn names() -> Vec<&'static str> {
    let sources = SOURCES.iter().map(|source| source.name);
    let others = [
        "http_talk",
        "smtp_talk",
        "imap_talk",
        "ami_talk",
        "http_head",
        "forwarded",
        "captcha",
        "contact",
        "expression",
        "stored",
    ];
    sources.chain(others).collect()
}

/// The target of this name, made ready.
pub fn target(name: &str) -> Option<Target> {
    // What is loaded once is no input's doing.
    lead::phone::warm();
    Some(match name {
        "smtp_talk" => {
            let post = smtp::Post::new();
            Target::new("smtp_talk", move |bytes| post.play(bytes))
        }
        "http_talk" => {
            let entrance = http::Entrance::new();
            Target::new("http_talk", move |bytes| entrance.play(bytes))
        }
        "imap_talk" => Target::new("imap_talk", feeds::imap),
        "ami_talk" => Target::new("ami_talk", feeds::ami()),
        "http_head" => Target::new("http_head", framing::http_head),
        "forwarded" => Target::new("forwarded", framing::forwarded),
        "captcha" => Target::new("captcha", captcha::play),
        "contact" => Target::new("contact", contact::play),
        "expression" => Target::new("expression", expression::play),
        "stored" => Target::new("stored", stored::play),
        name => {
            let source = gateway::sources::source(name)?;
            let channel = recorded::channel(source.name);
            let rules = company::rules(&channel, source.kind);
            Target::new(source.name, move |bytes| source::play(source, &channel, &rules, bytes))
        }
    })
}
