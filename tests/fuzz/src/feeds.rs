//! What do the feeds promise of any server? They hear it out, keep no more than they were told to, and say nothing that
//! their own sources cannot read.

use crate::house::runtime;
use crate::recorded;
use crate::wire::Wire;
use gateway::feeds::fuzzing;
use gateway::sources::asterisk;

/// Bytes of a mail that are kept.
const KEEP: usize = 256;

pub(crate) fn imap(bytes: &[u8]) {
    let mails = runtime().block_on(fuzzing::imap(Wire::new(bytes), KEEP));
    let longest = mails.iter().map(bytes::Bytes::len).max().unwrap_or(0);
    assert!(longest <= KEEP.max(bytes.len()), "a mail of {longest} bytes was kept");
}

pub(crate) fn ami() -> impl Fn(&[u8]) {
    let channel = recorded::channel("asterisk");
    move |bytes| {
        for body in runtime().block_on(fuzzing::ami(Wire::new(bytes), &channel, recorded::now())) {
            let mut request = recorded::parse(b"POST /in/pbx HTTP/1.1\nContent-Type: application/json\n\n")
                .expect("this is a request");
            request.body = body.into();
            let told = (asterisk::SOURCE.read)(&request, &channel);
            assert!(told.is_ok(), "a step of our own cannot be read: {told:?}");
        }
    }
}
