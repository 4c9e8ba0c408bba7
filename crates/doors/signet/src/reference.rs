//! The generated pages of `docs/reference`: written from the program itself, compared by these tests. After a change that shows
//! there, run the tests once with `SIGNET_WRITE_REFERENCE=1` and commit what they wrote.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::cli::Cli;

/// Width of help pages in the reference.
const WIDTH: usize = 110;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference").join(name)
}

/// Compares the file with what it should be, or writes it.
fn settle(name: &str, text: &str) {
    let path = file(name);
    if std::env::var_os("SIGNET_WRITE_REFERENCE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(committed.lines()).position(|(new, old)| new != old);
    assert!(
        committed == text,
        "docs/reference/{name} is not what the program says (first difference at line {}): run the tests with SIGNET_WRITE_REFERENCE=1",
        differs.map_or_else(|| text.lines().count().min(committed.lines().count()), |n| n).saturating_add(1)
    );
}

#[test]
fn the_page_of_reasons_is_current() {
    let mut page = String::from(
        "# Reasons\n\nOne stable code for one refusal: the same in REST answers (`reason`), on the command line, in logs and in the audit log.\n\
         A command that ends with a reason exits with the code beside it. This page is generated from the code.\n",
    );
    for (group, reasons) in crate::reasons::LISTS {
        let mut reasons = reasons.to_vec();
        reasons.sort_by_key(|r| r.code);
        write!(page, "\n## {group}\n\n| Reason | Status | Exit | What happened | What to do |\n|---|---|---|---|---|\n").unwrap();
        for r in reasons {
            let row =
                format!("| `{}` | {} | {} | {} | {} |\n", r.code, r.status, r.exit() as u8, r.title.trim(), r.fix.replace('|', "\\|"));
            page.push_str(&row);
        }
    }
    settle("reasons.md", &page);
}

#[test]
fn the_page_of_commands_is_current() {
    let mut page =
        String::from("# Command line\n\nGenerated from `signet … --help`; global options are shown once, with `signet` itself.\n");
    commands(&mut page, &mut Cli::command().term_width(WIDTH), "");
    settle("cli.md", &page);
}

fn commands(page: &mut String, command: &mut clap::Command, above: &str) {
    command.build();
    let name = format!("{above} {}", command.get_name()).trim().to_owned();
    let help = command.clone().term_width(WIDTH).render_long_help().to_string();
    let own = if above.is_empty() { help } else { without_globals(&help) };
    let lines: Vec<&str> = own.lines().map(str::trim_end).collect();
    write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).unwrap();
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        commands(page, sub, &name);
    }
}

fn without_globals(help: &str) -> String {
    match (help.split_once("Global options:\n"), help.find("\nExample")) {
        (Some((before, _)), Some(examples)) => format!("{}{}", before.trim_end(), format_args!("\n{}", &help[examples..])),
        _ => help.to_owned(),
    }
}
