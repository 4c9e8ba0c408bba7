//! "Did you mean": the known name that is nearest to an unknown one.

/// The nearest of `known`, unless all are too far away to be meant.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let within = (text.chars().count() / 2).max(2);
    known
        .into_iter()
        .map(|name| (distance(&text, &name.to_ascii_lowercase()), name))
        .min_by_key(|(d, _)| *d)
        .filter(|(d, _)| *d <= within)
        .map(|(_, name)| name)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = if from == *to { diagonal } else { diagonal.saturating_add(1) };
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_strangers_are_not() {
        assert_eq!((distance("rolez", "roles"), distance("", "abc"), distance("kitten", "sitting")), (1, 3, 3));
        assert_eq!(nearest("rolez", ["data_dir", "roles"]), Some("roles"));
        assert_eq!(nearest("SIGNET_LISTEN__APY", ["SIGNET_LISTEN__API", "SIGNET_NATS__URL"]), Some("SIGNET_LISTEN__API"));
        assert_eq!(nearest("zzzzzzzz", ["data_dir", "roles"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
