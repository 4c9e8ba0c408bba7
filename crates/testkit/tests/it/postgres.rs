//! PostgreSQL as a test peer.

use signet_testkit::{PostgresOptions, TestPostgres, psql};

#[tokio::test]
async fn each_call_gets_a_database_of_its_own() {
    let cluster = TestPostgres::shared();
    let (one, two) = (cluster.fresh_database().await, cluster.fresh_database().await);
    assert_ne!(one, two);
    psql(&one, "CREATE TABLE t (x bigint); INSERT INTO t VALUES (7)").unwrap();
    assert_eq!(psql(&one, "SELECT x FROM t").unwrap().trim(), "7");
    assert!(psql(&two, "SELECT x FROM t").is_err());
}

#[test]
fn a_database_of_the_whole_run_goes_with_the_thread_that_made_it() {
    let cluster = TestPostgres::start(PostgresOptions::default()).unwrap();
    // As a suite of the whole run sees it: by its address alone.
    let of_the_run = TestPostgres::of_others(cluster.admin_url());
    let url = std::thread::spawn(move || {
        let url = of_the_run.fresh_database_blocking();
        assert_eq!(psql(&url, "SELECT 1").unwrap().trim(), "1");
        url
    })
    .join()
    .unwrap();
    assert!(psql(&url, "SELECT 1").unwrap_err().to_string().contains("does not exist"));
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let url = TestPostgres::shared().fresh_database().await.replace("scram-of", "not-of");
    assert!(psql(&url, "SELECT 1").unwrap_err().to_string().contains("password authentication failed"));
}

#[tokio::test]
async fn the_icu_cluster_sorts_unlike_bytes() {
    let sorts_like_people = "SELECT 'a' < 'B'";
    let (icu, plain) = (TestPostgres::shared_icu().fresh_database().await, TestPostgres::shared().fresh_database().await);
    assert_eq!(psql(&icu, sorts_like_people).unwrap().trim(), "t");
    assert_eq!(psql(&plain, sorts_like_people).unwrap().trim(), "f");
}

#[tokio::test]
async fn a_private_cluster_comes_back_with_its_data_after_a_kill_and_after_a_stop() {
    let cluster = TestPostgres::private();
    let url = cluster.fresh_database().await;
    psql(&url, "CREATE TABLE t (x bigint)").unwrap();
    for round in 1..=2 {
        psql(&url, &format!("INSERT INTO t VALUES ({round})")).unwrap();
        if round == 1 {
            cluster.kill().unwrap()
        } else {
            cluster.stop().unwrap()
        }
        assert!(psql(&url, "SELECT 1").is_err());
        cluster.resume().unwrap();
    }
    assert_eq!(psql(&url, "SELECT sum(x) FROM t").unwrap().trim(), "3");
}
