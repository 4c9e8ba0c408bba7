//! Dependencies that must not be in the tree, by what cargo resolves for Linux (docs/decisions, dependencies).

use std::path::Path;

use anyhow::{Result, bail};

use crate::workspace;

/// Package and why it is not wanted.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "one TLS stack: rustls with aws-lc-rs"),
    ("openssl", "one TLS stack: rustls with aws-lc-rs"),
    ("native-tls", "one TLS stack: rustls with aws-lc-rs"),
    ("ring", "one cryptographic library: aws-lc-rs"),
    ("rsa", "timing side channel without a fix (Marvin attack); aws-lc-rs does RSA"),
    ("serde_yaml", "abandoned"),
    ("sqlx", "links its own SQLite, and only one may be linked"),
];

/// The only cryptographic feature that `jsonwebtoken` may have.
const JSONWEBTOKEN_CRYPTO: &str = "aws_lc_rs";
const JSONWEBTOKEN_HARMLESS: &[&str] = &["default", "use_pem"];

const TARGETS: &[&str] = &["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// The check as a step of CI.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut found = Vec::new();
    for target in TARGETS {
        let arguments = ["tree", "--workspace", "--locked", "--target", target, "--prefix", "none", "--no-dedupe", "--format", "{p};{f}"];
        found.extend(violations(&workspace::cargo_output(root, &arguments)?));
    }
    found.sort();
    found.dedup();
    if !found.is_empty() {
        bail!("dependencies that are banned:\n  {}", found.join("\n  "));
    }
    Ok(())
}

/// Reads lines `name vVERSION (…);feature,feature`.
fn violations(tree: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in tree.lines() {
        let (package, features) = line.split_once(';').unwrap_or((line, ""));
        let name = package.split(' ').next().unwrap_or_default();
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            found.push(format!("{name}: {why}"));
        }
        if name == "jsonwebtoken" {
            let harmless = |feature: &&str| *feature == JSONWEBTOKEN_CRYPTO || JSONWEBTOKEN_HARMLESS.contains(feature);
            let other = features.split(',').map(str::trim).filter(|feature| !feature.is_empty()).find(|feature| !harmless(feature));
            if let Some(feature) = other {
                found.push(format!("jsonwebtoken with feature {feature}: only {JSONWEBTOKEN_CRYPTO}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_packages_and_features_are_found() {
        let tree = "signet v0.1.0 (/somewhere);\nring v0.17.14;std\njsonwebtoken v10.0.0;aws_lc_rs,rust_crypto\nserde v1.0.0;";
        let found = violations(tree);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("ring:")));
        assert!(found.iter().any(|line| line.contains("rust_crypto")));
    }

    #[test]
    fn names_that_merely_contain_a_banned_one_pass() {
        assert_eq!(violations("string-cache v0.8.0;\nwrapping v1.0.0;ring\njsonwebtoken v10.0.0;aws_lc_rs,use_pem"), Vec::<String>::new());
    }

    #[test]
    fn this_workspace_has_none() {
        check(&workspace::root().unwrap()).unwrap();
    }
}
