//! One SQL text means the same on both databases.

use signet_db::{DbError, Sql, Statement, Value, params};

use crate::common::{texts, values};

on_every_database! {
    async fn integers_keep_all_64_bits(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let limits = [i64::MIN, -9_223_372_036_854_775_807, -1, 0, 1, 2_147_483_648, 9_223_372_036_854_775_806, i64::MAX];
        for (index, number) in limits.into_iter().enumerate() {
            fresh.insert(&format!("{index}"), number).await;
        }
        let rows = fresh.db.query(Statement::new("SELECT number FROM item ORDER BY number LIMIT 20", params![])).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), limits);
        for number in limits {
            let found = fresh.db.query_optional(Statement::new("SELECT number FROM item WHERE number = $1", params![number])).await;
            assert_eq!(found.unwrap().unwrap().int(0).unwrap(), number);
        }
    }
}

on_every_database! {
    async fn empty_and_absent_stay_apart(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let sql = "INSERT INTO item (key, number, note, body) VALUES ($1, $2, $3, $4)";
        fresh.write(Statement::new(sql, params!["empty", 1, "", Vec::<u8>::new()])).await.unwrap();
        fresh.write(Statement::new(sql, params!["absent", 2, None::<&str>, None::<Vec<u8>>])).await.unwrap();
        fresh.write(Statement::new(sql, params!["full", 3, "ä€𝄞", vec![0_u8, 255, 0]])).await.unwrap();
        let rows = fresh.db.query(Statement::new("SELECT note, body FROM item ORDER BY number", params![])).await.unwrap();
        assert_eq!(values(&rows[0]), [Value::Text(String::new()), Value::Bytes(vec![])]);
        assert_eq!(values(&rows[1]), [Value::Null, Value::Null]);
        assert_eq!(values(&rows[2]), [Value::Text("ä€𝄞".into()), Value::Bytes(vec![0, 255, 0])]);
        let null = Statement::new("SELECT key FROM item WHERE note IS NULL", params![]);
        assert_eq!(texts(&fresh.db.query(null).await.unwrap()), ["absent"]);
        let empty = Statement::new("SELECT key FROM item WHERE note = $1 AND body = $2", params!["", Vec::<u8>::new()]);
        assert_eq!(texts(&fresh.db.query(empty).await.unwrap()), ["empty"]);
    }
}

on_every_database! {
    /// Keyset pages would skip and repeat rows if one database compared by language.
    async fn text_keys_compare_by_bytes(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let sorted = ["-", "A", "B", "Z", "_", "a", "a_b", "axb", "b", "z", "ä", "€", "𝄞"];
        for key in sorted.iter().rev() {
            fresh.insert(key, 1).await;
        }
        let all = Statement::new("SELECT key FROM item ORDER BY key LIMIT 100", params![]);
        assert_eq!(texts(&fresh.db.query(all).await.unwrap()), sorted);
        let mut paged = Vec::new();
        let mut after = String::new();
        loop {
            let page = Statement::new("SELECT key FROM item WHERE key > $1 ORDER BY key LIMIT $2", params![&after, 4]);
            let page = texts(&fresh.db.query(page).await.unwrap());
            let Some(last) = page.last() else { break };
            after = last.clone();
            paged.extend(page);
        }
        assert_eq!(paged, sorted);
    }
}

on_every_database! {
    /// Field case H11: exactly the named row.
    async fn a_filter_takes_every_character_literally(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let names = ["a_b", "axb", "100%", "100x", r"a\b", "a'b", "a\"b", "$1", "?1", "A_B", " a_b"];
        for name in names {
            fresh.insert(name, 1).await;
        }
        for name in names {
            let found = fresh.db.query(Statement::new("SELECT key FROM item WHERE key = $1", params![name])).await.unwrap();
            assert_eq!(texts(&found), [name]);
        }
    }
}

on_every_database! {
    /// Field case H12.
    async fn a_nul_in_a_text_never_reaches_the_database(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let read = fresh.db.query(Statement::new("SELECT key FROM item WHERE key = $1", params!["a\0b"])).await;
        assert!(matches!(read, Err(DbError::Constraint(_))), "{read:?}");
        let write = fresh.write(Statement::new("INSERT INTO item (key, number) VALUES ($1, 1)", params!["a\0b"])).await;
        assert!(matches!(write, Err(DbError::Constraint(_))), "{write:?}");
        let count = fresh.db.query_optional(Statement::new("SELECT count(*) FROM item", params![])).await.unwrap().unwrap();
        assert_eq!(count.int(0).unwrap(), 0);
        fresh.insert("after", 1).await;
    }
}

on_every_database! {
    async fn parameters_go_by_their_numbers(fresh: Fresh) {
        let sql = "SELECT CAST($2 AS bigint) - CAST($1 AS bigint), $3 || $4 || $3";
        let row = fresh.db.query_optional(Statement::new(sql, params![1, 10, "a", "b"])).await.unwrap().unwrap();
        assert_eq!((row.int(0).unwrap(), row.text(1).unwrap()), (9, "aba"));
        for params in [params![1], params![1, 2, 3]] {
            let answer = fresh.db.query(Statement::new("SELECT CAST($2 AS bigint) + CAST($1 AS bigint)", params)).await;
            assert!(matches!(answer, Err(DbError::Internal(_))), "{answer:?}");
        }
    }
}

on_every_database! {
    /// The form of every write of the rooms: what is inserted is selected under a condition.
    async fn an_insert_selects_its_values_under_a_condition(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let sql = "INSERT INTO item (key, number, note, body) SELECT $1, $2, $3, $4 WHERE TRUE ON CONFLICT DO NOTHING";
        let insert = |key: &str, note: Option<&str>| Statement::new(sql, params![key, 1, note, None::<Vec<u8>>]);
        assert_eq!(fresh.write(insert("a", Some("first"))).await.unwrap(), 1);
        assert_eq!(fresh.write(insert("a", Some("second"))).await.unwrap(), 0);
        assert_eq!(fresh.write(insert("b", None)).await.unwrap(), 1);
        let rows = fresh.db.query(Statement::new("SELECT key, note FROM item ORDER BY key", params![])).await.unwrap();
        assert_eq!((rows[0].text(1).unwrap(), rows[1].opt_text(1).unwrap()), ("first", None));
    }
}

on_every_database! {
    async fn a_compare_and_set_says_whether_it_hit(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        fresh.insert("a", 1).await;
        let set = |from: i64, to: i64| {
            Statement::new("UPDATE item SET number = $3 WHERE key = $1 AND number = $2 AND TRUE", params!["a", from, to])
        };
        assert_eq!((fresh.write(set(1, 2)).await.unwrap(), fresh.write(set(1, 3)).await.unwrap()), (1, 0));
        let upsert = "INSERT INTO item (key, number) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET number = excluded.number";
        assert_eq!(fresh.write(Statement::new(upsert, params!["a", 9])).await.unwrap(), 1);
        let row = fresh.db.query_optional(Statement::new("SELECT number FROM item WHERE key = $1", params!["a"])).await.unwrap();
        assert_eq!(row.unwrap().int(0).unwrap(), 9);
    }
}

on_every_database! {
    async fn booleans_and_sums_come_back_as_integers(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        fresh.insert("a", 5).await;
        fresh.insert("b", 6).await;
        let sql = "SELECT count(*) > 1, CAST(sum(number) AS bigint), coalesce(max(number), 0), count(*), min(key) FROM item";
        let row = fresh.db.query_optional(Statement::new(sql, params![])).await.unwrap().unwrap();
        let expected = [Value::Int(1), Value::Int(11), Value::Int(6), Value::Int(2), Value::Text("a".into())];
        assert_eq!(values(&row), expected);
    }
}

on_every_database! {
    async fn an_optional_filter_works_with_and_without_a_value(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        fresh.insert("a", 1).await;
        fresh.insert("b", 2).await;
        let sql = "SELECT key FROM item WHERE ($1 IS NULL OR number = $1) ORDER BY key";
        let with = fresh.db.query(Statement::new(sql, params![2])).await.unwrap();
        assert_eq!(texts(&with), ["b"]);
        // A bare null has no type of its own on PostgreSQL; the cast gives it one on both.
        let sql = "SELECT key FROM item WHERE (CAST($1 AS bigint) IS NULL OR number = $1) ORDER BY key";
        let without = fresh.db.query(Statement::new(sql, params![None::<i64>])).await.unwrap();
        assert_eq!(texts(&without), ["a", "b"]);
    }
}

on_every_database! {
    async fn a_violated_constraint_is_told_as_one_and_changes_nothing(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        fresh.insert("a", 1).await;
        let again = fresh.write(Statement::new("INSERT INTO item (key, number) VALUES ('a', 2)", params![])).await;
        assert!(matches!(again, Err(DbError::Constraint(_))), "{again:?}");
        let null = fresh.write(Statement::new("INSERT INTO item (key, number) VALUES ('b', $1)", params![None::<i64>])).await;
        assert!(matches!(null, Err(DbError::Constraint(_))), "{null:?}");
        let row = fresh.db.query_optional(Statement::new("SELECT count(*), max(number) FROM item", params![])).await.unwrap().unwrap();
        assert_eq!((row.int(0).unwrap(), row.int(1).unwrap()), (1, 1));
    }
}

on_every_database! {
    async fn a_text_is_not_taken_for_a_number(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let write = fresh.write(Statement::new("INSERT INTO item (key, number) VALUES ('a', $1)", params!["seven"])).await;
        assert!(write.is_err());
        let row = fresh.db.query_optional(Statement::new("SELECT count(*) FROM item", params![])).await.unwrap().unwrap();
        assert_eq!(row.int(0).unwrap(), 0);
    }
}

on_every_database! {
    async fn the_readers_cannot_write(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let insert = "INSERT INTO item (key, number) VALUES ('a', 1) RETURNING key";
        let answer = fresh.db.query(Statement::new(insert, params![])).await;
        assert!(matches!(answer, Err(DbError::Internal(_))), "{answer:?}");
        assert!(fresh.db.query(Statement::new("SELECT key FROM item", params![])).await.unwrap().is_empty());
    }
}

on_every_database! {
    async fn a_query_for_one_row_refuses_to_pick_one_of_several(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let all = || Statement::new("SELECT key FROM item", params![]);
        assert_eq!(fresh.db.query_optional(all()).await.unwrap(), None);
        fresh.insert("a", 1).await;
        assert_eq!(fresh.db.query_optional(all()).await.unwrap().unwrap().text(0).unwrap(), "a");
        fresh.insert("b", 1).await;
        assert!(matches!(fresh.db.query_optional(all()).await, Err(DbError::Internal(_))));
    }
}

on_every_database! {
    async fn ten_thousand_rows_come_in_pages_of_their_limit(fresh: Fresh) {
        let fresh = fresh.with_items().await;
        let fill = Sql::Pair {
            sqlite: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
                     INSERT INTO item (key, number) SELECT 'k' || i, i FROM n",
            postgres: "INSERT INTO item (key, number) SELECT 'k' || i, i FROM generate_series(1, 10000) AS i",
        };
        assert_eq!(fresh.write(Statement::new(fill, params![])).await.unwrap(), 10_000);
        let read = |limit: i64| Statement::new("SELECT key, number FROM item ORDER BY number LIMIT $1", params![limit]);
        assert_eq!(fresh.db.query(read(1_000)).await.unwrap().len(), 1_000);
        let all = fresh.db.query(read(10_000)).await.unwrap();
        assert_eq!((all.len(), all[9_999].int(1).unwrap()), (10_000, 10_000));
    }
}

on_every_database! {
    async fn many_readers_at_once_all_get_their_own_answer(fresh: Fresh) {
        let db = fresh.db.clone();
        let reads = (0..500_i64).map(|number| {
            let db = db.clone();
            tokio::spawn(async move { db.query_optional(Statement::new("SELECT CAST($1 AS bigint)", params![number])).await.unwrap().unwrap().int(0).unwrap() })
        });
        for (number, read) in (0_i64..).zip(reads.collect::<Vec<_>>()) {
            assert_eq!(read.await.unwrap(), number);
        }
        assert!(fresh.url.contains(':'));
    }
}
