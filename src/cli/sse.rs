//! What does a stream of server-sent events say? Bytes in whatever pieces they come, whole events out.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Where to come back to.
    pub(crate) id: String,
    pub(crate) data: String,
}

/// A stream being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    event: Event,
}

/// A longer line is none of ours.
const LONGEST: usize = 16 << 20;

/// The stream is none of ours.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Reader {
    /// The events that are complete with these bytes.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > LONGEST || self.event.data.len() > LONGEST {
                return Err(TooLong);
            }
            self.line.extend_from_slice(piece);
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                events.extend(self.take(line.trim_end_matches(['\r', '\n'])));
            }
        }
        Ok(events)
    }

    /// An empty line ends an event; one without data only moved the place.
    fn take(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.event.data);
            let id = self.event.id.clone();
            return (!data.is_empty()).then_some(Event { id, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.event.id),
            "data" if self.event.data.is_empty() => value.clone_into(&mut self.event.data),
            "data" => {
                self.event.data.push('\n');
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "retry: 2000\n: open\n\nid: c1\nevent: lead.created\ndata: {\ndata: \"a\":1}\n\n\
                          : alive\n\nid: c2\r\ndata:{\"ключ\":2}\r\n\r\ndata: unfinished\n";

    fn events() -> Vec<Event> {
        let event = |id: &str, data: &str| Event { id: id.to_owned(), data: data.to_owned() };
        vec![event("c1", "{\n\"a\":1}"), event("c2", "{\"ключ\":2}")]
    }

    #[test]
    fn comments_and_unfinished_events_are_no_events() {
        assert_eq!(Reader::default().read(STREAM.as_bytes()), Ok(events()));
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_stream_comes_do_not_matter(cut in proptest::collection::vec(1_usize..40, 0..40)) {
            let (mut reader, mut rest, mut found) = (Reader::default(), STREAM.as_bytes(), Vec::new());
            for length in cut.into_iter().chain([usize::MAX]) {
                let (piece, tail) = rest.split_at(length.min(rest.len()));
                found.extend(reader.read(piece).unwrap());
                rest = tail;
            }
            prop_assert_eq!(found, events());
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut reader = Reader::default();
        let endless = vec![b'a'; LONGEST / 2];
        assert_eq!([reader.read(&endless).is_ok(), reader.read(&endless).is_ok()], [true, true]);
        assert_eq!(reader.read(b"a"), Err(TooLong));
    }
}
