//! What may no transaction ever do? Commit under an epoch that is over, or move the cursor back.

use super::resp::Request;
use super::store::Store;
use super::streams::id;

/// What is wrong with a transaction that is about to be executed.
pub(super) fn broken(store: &Store, transaction: &[Request]) -> Option<String> {
    let head = transaction.iter().find(|request| request[0] == b"HSET" && request[1].ends_with(b":head"))?;
    let says = |field: &[u8]| head[2..].chunks(2).find(|pair| pair[0] == field).map(|pair| pair[1].clone());
    let holds = |field: &[u8]| store.hash(&head[1]).and_then(|hash| hash.get(field).cloned());
    if let Some(epoch) = says(b"epoch").filter(|epoch| holds(b"epoch").as_ref() != Some(epoch)) {
        let known = holds(b"epoch").map(|epoch| String::from_utf8_lossy(&epoch).into_owned());
        return Some(format!("epoch {} committed while {known:?} is the owner's", String::from_utf8_lossy(&epoch)));
    }
    let (before, after) = (holds(b"cursor")?, says(b"cursor")?);
    (id(&after) < id(&before)).then(|| "a commit moved the cursor back".to_owned())
}
