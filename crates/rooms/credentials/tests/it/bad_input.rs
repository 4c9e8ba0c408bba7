//! Input that must be refused by name, and then nothing changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::house::House;
use crate::on_both;

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";

/// 200 usernames that people, fonts or databases take for one another; none equals another byte for byte.
pub(crate) fn confusable() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let bases = ["admin", "root", "bob", "dev-1", "ops"];
    let swaps = [
        ('a', "а"),
        ('o', "о"),
        ('e', "е"),
        ('i', "і"),
        ('i', "ı"),
        ('i', "l"),
        ('i', "1"),
        ('o', "0"),
        ('o', "ο"),
        ('b', "Ь"),
        ('d', "ԁ"),
        ('s', "ѕ"),
        ('p', "р"),
        ('m', "rn"),
        ('v', "ν"),
        ('n', "ո"),
        ('r', "г"),
    ];
    for base in bases {
        names.insert(base.to_owned());
        names.insert(base.to_uppercase());
        let mut letters = base.chars();
        let first = letters.next().unwrap().to_uppercase().to_string();
        names.insert(first + letters.as_str());
        for (letter, other) in swaps {
            if base.contains(letter) {
                names.insert(base.replacen(letter, other, 1));
            }
        }
        // Full width, combining marks in both orders and forms, invisible characters, wildcards of SQL, escapes.
        names.insert(base.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c)).collect());
        for mark in ["\u{301}", "\u{300}", "\u{301}\u{323}", "\u{323}\u{301}", "\u{200b}", "\u{200d}", "\u{ad}", "\u{2060}", "\u{fe0f}"] {
            let (head, tail) = base.split_at(1);
            names.insert(format!("{head}{mark}{tail}"));
            names.insert(format!("{base}{mark}"));
        }
        for odd in ["%", "_", "\\", "'", "\"", "%41", "@acme", "*", "'--", ";", "$1", "{ok}"] {
            names.insert(format!("{base}{odd}"));
        }
    }
    for name in ["é", "e\u{301}", "ß", "ss", "ẞ", "ﬁ", "fi", "Å", "\u{212b}", "A\u{30a}", "I", "ı", "İ", "i\u{307}", "K", "\u{212a}"]
    {
        names.insert(name.to_owned());
    }
    names.into_iter().take(200).collect()
}

on_both! {
    async fn two_hundred_confusable_usernames_are_two_hundred_users(kind) {
        let house = House::new(kind).await;
        let names = confusable();
        assert_eq!(names.len(), 200);
        let mut ids = BTreeSet::new();
        for (n, name) in names.iter().enumerate() {
            assert!(ids.insert(house.credential(name, &format!("pw-{n}")).await), "{name:?}");
        }
        for (n, name) in names.iter().enumerate() {
            let own = house.check(name, &format!("pw-{n}")).await;
            assert!(own["allowed"].as_bool().unwrap(), "{name:?} {own}");
            let query: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let found = house.get(&format!("{CREDENTIALS}?username={query}")).await.good();
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{name:?}");
            assert_eq!(found["items"][0]["id"], own["credential"]);
        }
        house.end().await;
    }

    async fn passwords_and_usernames_have_their_limits(kind) {
        let house = House::new(kind).await;
        let create = async |username: &str, password: &str| {
            house.post(CREDENTIALS, &json!({"kind": "basic", "username": username, "password": password})).await
        };
        assert_eq!(create("al", &"x".repeat(73)).await.reason(400), "password.too-long");
        assert_eq!(create("al", &"ä".repeat(37)).await.reason(400), "password.too-long");
        assert_eq!(create("al", "").await.reason(400), "password.empty");
        assert_eq!(create(&"u".repeat(256), "pw").await.reason(400), "username.invalid");
        for bad in ["", " al", "al ", "a\u{7}b", "a\u{85}b", "\u{a0}al"] {
            assert_eq!(create(bad, "pw").await.reason(400), "username.invalid", "{bad:?}");
        }
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 0);
        for (username, password) in [("ä".repeat(255), "x".repeat(72)), ("al".to_owned(), "ä".repeat(36))] {
            assert_eq!(create(&username, &password).await.status, 201);
            assert!(house.check(&username, &password).await["allowed"].as_bool().unwrap());
            let one_off = &password[..password.len() - password.chars().last().unwrap().len_utf8()];
            assert_eq!(house.check(&username, one_off).await["reason"], "credential.wrong-password");
        }
        house.end().await;
    }

    async fn a_nul_anywhere_is_refused_and_nothing_is_stored(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        let records = house.ledger.head();
        let tenant = "/api/v1/tenants/acme";
        for (path, body) in [
            ("/api/v1/tenants".to_owned(), json!({"id": "a\0b"})),
            (format!("{tenant}/identities"), json!({"name": "a\0b", "kind": "device"})),
            (format!("{tenant}/identities"), json!({"name": "ab", "kind": "device", "labels": {"a\0": "b"}})),
            (format!("{tenant}/identities"), json!({"name": "ab", "kind": "device", "labels": {"a": "b\0"}})),
            (CREDENTIALS.to_owned(), json!({"kind": "basic", "username": "a\0b", "password": "pw"})),
            (CREDENTIALS.to_owned(), json!({"kind": "basic", "username": "ab", "password": "pw", "identity": "a\0b"})),
            (format!("{CREDENTIALS}/{id}/suspend"), json!({"reason": "a\0b"})),
            (format!("{tenant}/api-tokens"), json!({"role": "owner", "expires_at": "2027-01-01T00:00:00Z", "name": "a\0b"})),
        ] {
            let answer = house.post(&path, &body).await;
            assert_eq!(answer.reason(400), "input.nul", "{path} {body}");
        }
        for (path, body) in [
            (CREDENTIALS.to_owned(), json!({"kind": "basic", "username": "ab", "password": "p\0w"})),
            (format!("{CREDENTIALS}/check"), json!({"username": "bob", "password": "pw\0"})),
        ] {
            assert_eq!(house.post(&path, &body).await.reason(400), "password.nul", "{path}");
        }
        for path in [
            format!("{CREDENTIALS}?username=a%00b"),
            format!("{CREDENTIALS}?identity=a%00b"),
            format!("{CREDENTIALS}/a%00b"),
            format!("{tenant}/identities/a%00b"),
            "/api/v1/tenants/a%00b".to_owned(),
        ] {
            assert_eq!(house.get(&path).await.reason(400), "input.nul", "{path}");
        }
        assert_eq!(house.ledger.head(), records);
        house.end().await;
    }

    async fn bodies_of_another_form_are_refused_by_name(kind) {
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        let records = house.ledger.head();
        let tenant = "/api/v1/tenants/acme";
        let (identities, tokens) = (format!("{tenant}/identities"), format!("{tenant}/api-tokens"));
        let suspend = format!("{CREDENTIALS}/{id}/suspend");
        let many: Value = (0..33).map(|n| (n.to_string(), json!(""))).collect::<serde_json::Map<_, _>>().into();
        for (path, body, status, reason) in [
            ("/api/v1/tenants", json!({"id": "a/b"}), 400, "tenant.invalid-name"),
            ("/api/v1/tenants", json!({"id": ""}), 400, "tenant.invalid-name"),
            ("/api/v1/tenants", json!({"id": "x".repeat(65)}), 400, "tenant.invalid-name"),
            ("/api/v1/tenants", json!({"name": "x"}), 400, "input.unknown-member"),
            ("/api/v1/tenants", json!({}), 400, "input.invalid"),
            ("/api/v1/tenants", json!({"id": 7}), 400, "input.invalid"),
            (&identities, json!({"name": "dev-1", "kind": "device"}), 409, "identity.exists"),
            (&identities, json!({"name": "#", "kind": "device"}), 400, "identity.invalid-name"),
            (&identities, json!({"name": format!("idn_{}", "0".repeat(32)), "kind": "device"}), 400, "identity.invalid-name"),
            (&identities, json!({"name": "x", "kind": "robot"}), 400, "input.invalid"),
            (&identities, json!({"name": "x", "kind": "device", "labels": many}), 400, "identity.invalid-labels"),
            (&identities, json!({"name": "x", "kind": "device", "state": "disabled"}), 400, "input.unknown-member"),
            (CREDENTIALS, json!({"kind": "x509", "username": "a", "password": "b"}), 400, "input.invalid"),
            (CREDENTIALS, json!({"kind": "basic", "username": "a", "password": "b", "identity": "nobody"}), 404, "identity.not-found"),
            (CREDENTIALS, json!({"kind": "basic", "username": "a", "password": "b", "identity": "a b"}), 404, "identity.not-found"),
            (CREDENTIALS, json!({"kind": "basic", "username": "a", "password": 7}), 400, "input.invalid"),
            (CREDENTIALS, json!({"kind": "basic", "username": "a"}), 400, "input.invalid"),
            (CREDENTIALS, json!({"kind": "basic", "username": "a", "password": "b", "state": "Active"}), 400, "input.unknown-member"),
            (&suspend, json!({"reason": ""}), 400, "input.invalid"),
            (&suspend, json!({"reason": "a\nb"}), 400, "input.invalid"),
            (&suspend, json!({"reason": "x".repeat(501)}), 400, "input.invalid"),
            (&suspend, json!({"force": true}), 400, "input.unknown-member"),
            (&tokens, json!({"role": "platform", "expires_at": "2027-01-01T00:00:00Z"}), 400, "input.invalid"),
            (&tokens, json!({"role": "owner", "expires_at": "2020-01-01T00:00:00Z"}), 400, "api-token.invalid-expiry"),
            (&tokens, json!({"role": "owner", "expires_at": "2999-01-01T00:00:00Z"}), 400, "api-token.invalid-expiry"),
            (&tokens, json!({"role": "owner", "expires_at": "tomorrow"}), 400, "input.invalid"),
            (&tokens, json!({"role": "owner"}), 400, "input.invalid"),
        ] {
            let answer = house.post(path, &body).await;
            assert_eq!(answer.reason(status), reason, "{path} {body}");
            let told = answer.body.to_string();
            assert!(!told.contains("\"b\""), "a password came back: {told}");
        }
        for path in ["0", &"0".repeat(20), "BR7SI8MG10L7AN82QUE0", "%2e%2e", &"x".repeat(3_000)] {
            assert_eq!(house.get(&format!("{CREDENTIALS}/{path}")).await.reason(404), "credential.not-found", "{path}");
        }
        assert_eq!(house.ledger.head(), records, "nothing was written");
        house.end().await;
    }
}
