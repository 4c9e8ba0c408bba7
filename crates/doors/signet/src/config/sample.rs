//! Writing the configuration: a commented sample, and what a process would run with.

use super::schema::{Entry, Settings};

/// `signet.toml` with every key, its meaning and its default; it reads back as the defaults.
pub(crate) fn sample() -> String {
    let mut out = String::from(
        "# Configuration of `signet serve`. Every key is optional; the values below are the defaults.\n\
         # A key can be overridden by the environment variable named beside it, and some by a flag.\n",
    );
    write(&mut out, &Settings::default(), true);
    out
}

/// What `settings` hold, as TOML; passwords in URLs are masked.
pub(crate) fn show(settings: &Settings) -> String {
    let mut out = String::new();
    write(&mut out, settings, false);
    out
}

fn write(out: &mut String, settings: &Settings, commented: bool) {
    let mut section = "";
    for entry in settings.entries() {
        if entry.section != section {
            section = entry.section;
            if !out.is_empty() {
                out.push('\n');
            }
            if commented {
                out.push_str(&format!("#{}\n", entry.section_doc));
            }
            out.push_str(&format!("[{section}]\n"));
        }
        match (commented, &entry.value) {
            (true, _) => out.push_str(&explained(&entry)),
            (false, Some(value)) => out.push_str(&format!("{} = {value}\n", entry.key)),
            (false, None) => {}
        }
    }
}

fn explained(entry: &Entry) -> String {
    let line = match &entry.value {
        Some(value) => format!("{} = {value}", entry.key),
        None => format!("# {} = {}", entry.key, entry.example),
    };
    format!("#{}\n# Wants {}. Environment: {}\n{line}\n", entry.doc, entry.wanted, entry.variable())
}

#[cfg(test)]
mod tests {
    use super::super::apply_text;
    use super::*;

    #[test]
    fn the_sample_is_the_defaults() {
        let mut settings = Settings::default();
        apply_text(&mut settings, &sample(), "sample").unwrap();
        assert_eq!(settings, Settings::default());
        for entry in settings.entries() {
            assert!(sample().contains(&entry.variable()), "{}", entry.name());
        }
    }

    #[test]
    fn keys_without_default_have_an_example_that_reads() {
        let text: String = sample()
            .lines()
            .map(|l| if l.starts_with("# ") && l.contains(" = ") { format!("{}\n", &l[2..]) } else { format!("{l}\n") })
            .collect();
        let mut settings = Settings::default();
        let outcome = apply_text(&mut settings, &text.replace("\"\"", "\"x\""), "sample");
        assert!(outcome.is_ok(), "{outcome:?}");
    }

    #[test]
    fn what_is_shown_masks_passwords_and_reads_back() {
        let mut settings = Settings::default();
        apply_text(&mut settings, "[database]\nurl = \"postgres://u:topsecret@h/d\"\n", "x").unwrap();
        let text = show(&settings);
        assert!(text.contains("u:***@h") && !text.contains("topsecret"), "{text}");
        apply_text(&mut Settings::default(), &text, "shown").unwrap();
    }
}
