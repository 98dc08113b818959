//! What does the manager interface of an Asterisk say? Blocks of `Key: Value` lines, each ended by an empty line
//! (docs.asterisk.org, "AMI v2 Specification").

use crate::feeds::Failure;
use crate::feeds::dial::Wire;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout, timeout_at};

/// It answers a ping at once; three of them without an answer, and it is not there.
pub(super) const SILENCE: Duration = Duration::from_secs(45);
const LONGEST_BLOCK: usize = 256 << 10;
const HUNG_UP: Failure = Failure::Away("the exchange hung up");
pub(super) const SILENT: Failure = Failure::Away("the exchange fell silent");

/// Keys and values in their order; keys may come twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Block(Vec<(String, String)>);

impl Block {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(key))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    fn line(&mut self, line: &str) {
        if let Some((key, value)) = line.split_once(':') {
            self.0.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let mut block = Self::default();
        text.lines().for_each(|line| block.line(line));
        block
    }
}

pub(super) struct Ami {
    wire: BufReader<Wire>,
}

impl Ami {
    /// The exchange begins with a line that says who it is.
    pub(super) async fn begin(wire: Wire) -> Result<Self, Failure> {
        let mut ami = Self { wire: BufReader::new(wire) };
        let banner = ami.line(LONGEST_BLOCK).await?;
        if !banner.contains("Call Manager") {
            return Err(Failure::Refused("this is no manager interface"));
        }
        Ok(ami)
    }

    pub(super) async fn say(&mut self, action: &str, fields: &[(&str, &str)]) -> Result<(), Failure> {
        let one_line = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let fields = fields.iter().map(|(key, value)| format!("{key}: {}\r\n", one_line(value)));
        let text = format!("Action: {action}\r\n{}\r\n", fields.collect::<String>());
        let writing = async {
            self.wire.write_all(text.as_bytes()).await?;
            self.wire.flush().await
        };
        timeout(SILENCE, writing).await.map_err(|_| SILENT)?.map_err(|_| HUNG_UP)
    }

    /// Says something before anything else goes on, and hears the answer.
    pub(super) async fn ask(&mut self, action: &str, fields: &[(&str, &str)]) -> Result<Block, Failure> {
        self.say(action, fields).await?;
        loop {
            let block = self.read().await?;
            if block.get("Response").is_some() {
                return Ok(block);
            }
        }
    }

    /// Whether the exchange says something until then. One that has said nothing for long is gone.
    pub(super) async fn something_by(&mut self, until: Instant) -> Result<bool, Failure> {
        match timeout_at(until, self.wire.fill_buf()).await {
            Err(_) => Ok(false),
            Ok(Ok([])) | Ok(Err(_)) => Err(HUNG_UP),
            Ok(Ok(_)) => Ok(true),
        }
    }

    pub(super) async fn read(&mut self) -> Result<Block, Failure> {
        let (mut block, mut room) = (Block::default(), LONGEST_BLOCK);
        loop {
            let line = self.line(room).await?;
            room = room.checked_sub(line.len() + 2).ok_or(Failure::Refused("the exchange never ends a block"))?;
            if !line.is_empty() {
                block.line(&line);
            } else if !block.0.is_empty() {
                return Ok(block);
            }
        }
    }

    async fn line(&mut self, room: usize) -> Result<String, Failure> {
        let mut line = Vec::new();
        loop {
            let piece = timeout(SILENCE, self.wire.fill_buf()).await.map_err(|_| SILENT)?.map_err(|_| HUNG_UP)?;
            if piece.is_empty() {
                return Err(HUNG_UP);
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(piece.len(), |end| end + 1);
            line.extend_from_slice(&piece[..taken]);
            self.wire.consume(taken);
            if end.is_some() {
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if line.len() > room {
                return Err(Failure::Refused("the exchange never ends a line"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn begun(said: &[u8]) -> Result<Ami, Failure> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(said).await.unwrap();
        Ami::begin(Box::new(ours)).await
    }

    #[tokio::test]
    async fn blocks_are_read_whatever_is_odd_about_them() {
        let said = b"Asterisk Call Manager/9.0.0\r\n\r\nEvent: A\r\nChannel: SIP/a:b\r\nX:\r\nX: 2\r\nno colon\r\n\r\n\
            event:  B \nName: \xd0\x90\xff\n\nEvent: half\r\n";
        let mut ami = begun(said).await.unwrap();
        let first = ami.read().await.unwrap();
        assert_eq!((first.get("event"), first.get("CHANNEL"), first.get("X")), (Some("A"), Some("SIP/a:b"), None));
        let second = ami.read().await.unwrap();
        assert_eq!((second.get("Event"), second.get("Name")), (Some("B"), Some("А\u{fffd}")));
        assert_eq!(ami.read().await.err(), Some(HUNG_UP), "half a block is none");
    }

    #[tokio::test]
    async fn what_is_no_manager_interface_is_told() {
        assert_eq!(begun(b"SSH-2.0-OpenSSH\r\n").await.err(), Some(Failure::Refused("this is no manager interface")));
        let mut endless = begun(&[b"Asterisk Call Manager/9\r\n".as_slice(), &[b'x'; 1 << 19]].concat()).await.unwrap();
        assert_eq!(endless.read().await.err(), Some(Failure::Refused("the exchange never ends a line")));
    }

    #[tokio::test]
    async fn a_block_of_ever_more_lines_is_not_collected() {
        let lines = b"Event: A\r\n".repeat(1 << 15);
        let mut endless = begun(&[b"Asterisk Call Manager/9\r\n".as_slice(), &lines].concat()).await.unwrap();
        assert_eq!(endless.read().await.err(), Some(Failure::Refused("the exchange never ends a block")));
    }

    #[tokio::test]
    async fn nothing_of_ours_can_add_a_line() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 10);
        theirs.write_all(b"Asterisk Call Manager/9\r\n").await.unwrap();
        let mut ami = Ami::begin(Box::new(ours)).await.unwrap();
        ami.say("Login", &[("Username", "a\r\nAction: Originate")]).await.unwrap();
        let mut said = vec![0; 47];
        tokio::io::AsyncReadExt::read_exact(&mut theirs, &mut said).await.unwrap();
        assert_eq!(said, b"Action: Login\r\nUsername: aAction: Originate\r\n\r\n".to_vec());
    }
}
