//! How do requests and answers look on the wire? RESP 2, as much of it as our clients speak.

/// A command and its arguments.
pub(crate) type Request = Vec<Vec<u8>>;

/// The beginning of a request, for a log.
pub(crate) fn shown(request: &Request) -> String {
    let part = |part: &Vec<u8>| String::from_utf8_lossy(&part[..part.len().min(40)]).escape_debug().to_string();
    request.iter().take(8).map(part).collect::<Vec<_>>().join(" ")
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Nil,
    Ok,
    Queued,
    Word(&'static str),
    Number(i64),
    Bytes(Vec<u8>),
    List(Vec<Answer>),
    NoList,
    Refusal(String),
}

impl Answer {
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Answer::Nil => to.extend(b"$-1\r\n"),
            Answer::NoList => to.extend(b"*-1\r\n"),
            Answer::Ok => to.extend(b"+OK\r\n"),
            Answer::Queued => to.extend(b"+QUEUED\r\n"),
            Answer::Word(word) => to.extend(format!("+{word}\r\n").as_bytes()),
            Answer::Number(number) => to.extend(format!(":{number}\r\n").as_bytes()),
            Answer::Bytes(bytes) => {
                to.extend(format!("${}\r\n", bytes.len()).as_bytes());
                to.extend(bytes);
                to.extend(b"\r\n");
            }
            Answer::List(all) => {
                to.extend(format!("*{}\r\n", all.len()).as_bytes());
                all.iter().for_each(|one| one.encode(to));
            }
            Answer::Refusal(text) => to.extend(format!("-{text}\r\n").as_bytes()),
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Answer::Bytes(text.as_bytes().to_vec())
    }

    pub(crate) fn maybe(bytes: Option<&Vec<u8>>) -> Self {
        bytes.map_or(Answer::Nil, |bytes| Answer::Bytes(bytes.clone()))
    }

    pub(crate) fn count(count: usize) -> Self {
        Answer::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// Cuts whole requests off the front of what has arrived.
#[derive(Debug, Default)]
pub(crate) struct Arriving(Vec<u8>);

impl Arriving {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    pub(crate) fn requests(&mut self) -> Vec<Request> {
        let mut rest = self.0.as_slice();
        let mut found = Vec::new();
        while let Some((request, after)) = request(rest) {
            found.push(request);
            rest = after;
        }
        self.0 = rest.to_vec();
        found
    }
}

fn request(bytes: &[u8]) -> Option<(Request, &[u8])> {
    let (count, mut rest) = header(bytes, b'*')?;
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, body) = header(rest, b'$')?;
        parts.push(body.get(..length)?.to_vec());
        rest = body.get(length + 2..)?;
    }
    Some((parts, rest))
}

fn header(bytes: &[u8], sign: u8) -> Option<(usize, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    assert_eq!(bytes[0], sign, "our client speaks RESP");
    let number = std::str::from_utf8(&bytes[1..end]).ok()?.parse().ok()?;
    Some((number, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_cut_where_they_end_however_they_arrive() {
        let whole = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nEXEC\r\n";
        let mut arriving = Arriving::default();
        let mut found = Vec::new();
        for byte in whole {
            arriving.add(&[*byte]);
            found.extend(arriving.requests());
        }
        assert_eq!(found, [vec![b"GET".to_vec(), b"a\r\nb".to_vec()], vec![b"EXEC".to_vec()]]);
    }
}
