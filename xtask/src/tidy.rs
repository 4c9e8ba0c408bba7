//! Tidiness of the text itself: no file too long to read, nothing unfinished or silenced, no words that tell of the
//! machine it was written on.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Files of code have at most so many lines; most have half of it.
const LONGEST: usize = 600;
const CODE: &[&str] = &["rs", "py", "sh"];
/// Files that tools write.
const GENERATED: &[&str] = &["Cargo.lock", "go.sum", "package-lock.json"];
const TEXT: &[&str] = &["rs", "py", "sh", "toml", "md", "conf", "service", "txt", "sql", "json", "yml", "yaml"];

/// The words, in parts so that this file does not hold them itself.
fn unwanted() -> Vec<(String, &'static str)> {
    let join = |parts: &[&str]| parts.concat();
    let mut words = vec![
        (join(&["/wo", "rk/"]), "a path of somebody's machine"),
        (join(&["/fa", "rm/"]), "a path of somebody's machine"),
        (join(&["/ho", "me/"]), "a path of somebody's machine"),
        (join(&["pypi", ".org"]), "a registry's host name"),
        (join(&["npmjs", ".org"]), "a registry's host name"),
        (join(&["npmjs", ".com"]), "a registry's host name"),
        (join(&["proxy.", "golang.org"]), "a registry's host name"),
        (join(&["deb.", "debian.org"]), "a registry's host name"),
        (join(&["sub", "agent"]), "talk about who wrote it"),
        (join(&["sub-", "agent"]), "talk about who wrote it"),
    ];
    words.extend(
        ["this", "my", "last", "previous"].iter().map(|which| (format!("{which} {}", join(&["ses", "sion "])), "talk about who wrote it")),
    );
    words
}

/// What stands for unfinished or silenced work, in Rust files only.
fn unfinished() -> Vec<(String, &'static str)> {
    let join = |parts: &[&str]| parts.concat();
    vec![
        (join(&["todo", "!("]), "unfinished"),
        (join(&["unimple", "mented!("]), "unfinished"),
        (join(&["#[ign", "ore"]), "a test that is skipped"),
        (join(&["FIX", "ME"]), "unfinished"),
        (join(&["allow(dead", "_code"]), "silenced without a reason"),
        (join(&["allow(unu", "sed"]), "silenced without a reason"),
        (join(&["allow(clip", "py"]), "silenced without a reason"),
    ]
}

/// The check as a step of CI.
pub(crate) fn check(root: &Path) -> Result<()> {
    let (unwanted, unfinished) = (unwanted(), unfinished());
    let mut found = Vec::new();
    for path in workspace::files(root)? {
        let name = path.to_string_lossy().into_owned();
        let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
        let is_text = TEXT.contains(&ending.as_str()) || name.starts_with(".ci/");
        if !is_text || GENERATED.iter().any(|generated| name.ends_with(generated)) || name.starts_with("fuzz/corpus/") {
            continue;
        }
        let bytes = std::fs::read(root.join(&path)).with_context(|| name.clone())?;
        let text = String::from_utf8_lossy(&bytes);
        if CODE.contains(&ending.as_str()) && text.lines().count() > LONGEST {
            found.push(format!("{name}: {} lines, at most {LONGEST}", text.lines().count()));
        }
        let words = if ending == "rs" { unwanted.iter().chain(&unfinished) } else { unwanted.iter().chain(&[]) };
        found.extend(words.flat_map(|(word, why)| occurrences(&name, &text, word, why)));
    }
    if !found.is_empty() {
        bail!("untidy:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// What is silenced with a reason on the same line is not silenced behind anybody's back: macros cannot always expect.
fn occurrences(name: &str, text: &str, word: &str, why: &str) -> Vec<String> {
    let excused = |line: &str| word.starts_with("allow(") && line.contains("reason = \"");
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(word) && !excused(line));
    lines.map(|(index, line)| format!("{name}:{}: {why}: {}", index.saturating_add(1), line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_is_tidy() {
        check(&workspace::root().unwrap()).unwrap();
    }

    #[test]
    fn a_long_file_and_unwanted_words_are_found() {
        let root = std::env::temp_dir().join(format!("xtask-tidy-{}", std::process::id()));
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join("src/long.rs"), "//\n".repeat(LONGEST + 1)).unwrap();
        std::fs::write(root.join("src/fits.rs"), "//\n".repeat(LONGEST)).unwrap();
        std::fs::write(root.join("notes.md"), ["see /wo", "rk/main"].concat()).unwrap();
        std::fs::write(root.join("src/skipped.rs"), ["#[ign", "ore]\nfn test() {}"].concat()).unwrap();
        let report = check(&root).unwrap_err().to_string();
        std::fs::remove_dir_all(&root).unwrap();
        for expected in ["src/long.rs: 601 lines", "notes.md:1: a path", "src/skipped.rs:1: a test that is skipped"] {
            assert!(report.contains(expected), "{expected} is missing in {report}");
        }
        assert!(!report.contains("fits.rs"));
    }
}
