//! What did somebody mean who typed something else?

/// What to write instead of a key or a section (`what`) nobody knows.
pub(crate) fn instead_of_unknown(what: &str, key: &str, known: &[&str]) -> String {
    // Of a short name two letters are most of it: then it was no slip.
    let is_near = |far: usize| far <= 2 && far * 2 < key.chars().count().max(3);
    let near = known.iter().map(|name| (distance(key, name), name)).min().filter(|(far, _)| is_near(*far));
    match near {
        Some((_, name)) => format!("`{name}`; there is no {what} `{key}`"),
        None => format!("one of {}; there is no {what} `{key}`", known.join(", ")),
    }
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let swap = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = swap.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// `"a" or "b"`, `"a", "b" or "c"`.
pub(crate) fn one_of(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_one() {
        let known = ["hosts", "listen", "tls"];
        for (typed, answer) in [
            ("lissten", "`listen`; there is no key `lissten`"),
            ("host", "`hosts`; there is no key `host`"),
            ("elephant", "one of hosts, listen, tls; there is no key `elephant`"),
            ("tsl", "one of hosts, listen, tls; there is no key `tsl`"),
            ("ts", "`tls`; there is no key `ts`"),
        ] {
            assert_eq!(instead_of_unknown("key", typed, &known), answer);
        }
        assert_eq!(instead_of_unknown("section", "tl", &known), "`tls`; there is no section `tl`");
    }

    #[test]
    fn choices_read_like_a_sentence() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(one_of(&names(&["a"])), "a");
        assert_eq!(one_of(&names(&["a", "b", "c"])), "a, b or c");
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
