//! `deploy/nats/signet.conf` in a real server: each user can do what its role needs, and nothing else.

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use signet_bus::{Bus, BusError, NatsConfig, OutMessage, Pattern, Subject};
use signet_testkit::{TestNats, scratch_dir};

use crate::{PATIENCE, connected, next, settled, until};

const CONF: &str = include_str!("../../../../../deploy/nats/signet.conf");
const USERS: [(&str, &str); 4] = [
    ("api", "$SIGNET_NATS_API_PASSWORD"),
    ("worker", "$SIGNET_NATS_WORKER_PASSWORD"),
    ("signet", "$SIGNET_NATS_PASSWORD"),
    ("kaa-gateway", "$SIGNET_NATS_KAA_GATEWAY_PASSWORD"),
];

const BASIC_REQUEST: &str = "kaa.v1.service.ccm.cap.basic-request";
const BASIC_RESPONSE: &str = "kaa.v1.replica.rep_1.cap.basic-response";
const TOKEN_REQUEST: &str = "kaa.v1.service.cm.ecap.ep-token-request";
const TOKEN_RESPONSE: &str = "kaa.v1.replica.rep_1.ecap.ep-token-response";
const TOKEN_REVOKED: &str = "kaa.v1.events.cm.endpoint.token.revoked";
const REVOKED: &str = "kaa.v1.events.ccm.client-credentials.basic.revoked";
/// Revokes everything of a tenant: only the Tenant Manager may say it.
const UNREGISTERED: &str = "kaa.v1.events.tm.tenant.lifecycle.unregistered";
const FEED: &str = signet_model::FEED_SUBJECT;
const AFTER: &str = signet_model::FEED_AFTER_SUBJECT;

/// The file as it is, with a password for each user.
fn server() -> TestNats {
    let conf = USERS.iter().fold(CONF.to_owned(), |conf, (user, variable)| {
        assert_eq!(conf.matches(variable).count(), 1, "{variable}");
        conf.replace(variable, &format!("\"password of {user}\""))
    });
    TestNats::private(&conf)
}

async fn bus(server: &TestNats, user: &str) -> (Bus, tempfile::TempDir) {
    let directory = scratch_dir("bus").unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, format!("password of {user}\n")).unwrap();
    let config = NatsConfig { user: Some(user.into()), password_file: Some(password), ..NatsConfig::to(server.url()) };
    let bus = Bus::nats(config).await.unwrap();
    connected(&bus).await;
    (bus, directory)
}

fn subject(text: &str) -> Subject {
    Subject::new(text).unwrap()
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

/// A foreign client with everything that the server complained about.
struct Foreign {
    client: async_nats::Client,
    complaints: Arc<Mutex<Vec<String>>>,
}

async fn foreign(server: &TestNats, user: &str) -> Foreign {
    let complaints = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&complaints);
    let client = async_nats::ConnectOptions::with_user_and_password(user.into(), format!("password of {user}"))
        .event_callback(move |event| {
            if let async_nats::Event::ServerError(error) = event {
                kept.lock().push(error.to_string());
            }
            std::future::ready(())
        })
        .connect(server.url())
        .await
        .unwrap();
    Foreign { client, complaints }
}

impl Foreign {
    async fn complained(&self, about: &str) {
        until(about, || self.complaints.lock().iter().any(|complaint| complaint.contains(about))).await;
    }

    async fn may_not_publish(&self, subject: &str) {
        self.client.publish(subject.to_owned(), "x".into()).await.unwrap();
        self.complained(&format!("Permissions Violation for Publish to \"{subject}\"")).await;
    }

    async fn may_not_subscribe(&self, pattern: &str) {
        let _plain = self.client.subscribe(pattern.to_owned()).await.unwrap();
        self.complained(&format!("Permissions Violation for Subscription to \"{pattern}\"")).await;
        self.complaints.lock().clear();
        let _grouped = self.client.queue_subscribe(pattern.to_owned(), "ccm".to_owned()).await.unwrap();
        self.complained(&format!("Permissions Violation for Subscription to \"{pattern}\"")).await;
        self.complaints.lock().clear();
    }
}

/// A gateway asks, whoever answers as CCM and as CM answers.
async fn a_gateway_is_answered_by(server: &TestNats, user: &str) {
    for (request, response, group) in [(BASIC_REQUEST, BASIC_RESPONSE, "ccm"), (TOKEN_REQUEST, TOKEN_RESPONSE, "cm")] {
        let (service, _files) = bus(server, user).await;
        let mut requests = service.subscribe(&pattern(request), Some(group), 8).await.unwrap();
        settled(&service).await;
        let gateway = foreign(server, "kaa-gateway").await;
        let mut responses = gateway.client.subscribe(response).await.unwrap();
        gateway.client.publish_with_reply(request, response, "request".into()).await.unwrap();
        let taken = next(&mut requests).await;
        service.publish(&taken.reply.unwrap(), None, "response").await.unwrap();
        let answer = tokio::time::timeout(PATIENCE, responses.next()).await.unwrap().unwrap();
        assert_eq!(&answer.payload[..], b"response");
        assert_eq!(*gateway.complaints.lock(), Vec::<String>::new());
        assert_eq!((service.counters().denied, service.last_fault()), (0, None));
    }
}

/// A worker feeds a view, answers it, and tells a gateway of a revocation.
async fn a_view_and_a_gateway_hear_of(server: &TestNats, worker: &str, view: &str) {
    let (worker, _files) = bus(server, worker).await;
    let (view, _more_files) = bus(server, view).await;
    let gateway = foreign(server, "kaa-gateway").await;
    let mut revoked = gateway.client.subscribe("kaa.v1.events.*.client-credentials.*.revoked").await.unwrap();
    let mut tokens_revoked = gateway.client.subscribe("kaa.v1.events.*.endpoint.token.revoked").await.unwrap();
    // A round trip within what the gateway may do: nobody hears it, so the server itself answers.
    let mut settled_by = gateway.client.subscribe("kaa.v1.replica.rep_9.cap.basic-response").await.unwrap();
    gateway.client.publish_with_reply(BASIC_REQUEST, "kaa.v1.replica.rep_9.cap.basic-response", "".into()).await.unwrap();
    tokio::time::timeout(PATIENCE, settled_by.next()).await.unwrap().unwrap();

    let mut feed = view.subscribe(&pattern(FEED), None, 8).await.unwrap();
    let mut questions = worker.subscribe(&pattern(AFTER), Some("signet-feed"), 8).await.unwrap();
    settled(&view).await;
    settled(&worker).await;
    let batch = vec![
        OutMessage::new(subject(FEED), "batch"),
        OutMessage::new(subject(REVOKED), "event"),
        OutMessage::new(subject(TOKEN_REVOKED), "event"),
    ];
    worker.publish_confirmed(batch, PATIENCE).await.unwrap();
    assert_eq!(&next(&mut feed).await.payload[..], b"batch");
    for events in [&mut revoked, &mut tokens_revoked] {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap();
        assert_eq!(&event.payload[..], b"event");
    }

    let asking = tokio::spawn({
        let view = view.clone();
        async move { view.request(&subject(AFTER), "question", PATIENCE).await }
    });
    let question = next(&mut questions).await;
    worker.publish(&question.reply.unwrap(), None, "answer").await.unwrap();
    assert_eq!(&asking.await.unwrap().unwrap().payload[..], b"answer");
    for bus in [&worker, &view] {
        assert_eq!((bus.counters().denied, bus.last_fault()), (0, None));
    }
    assert_eq!(*gateway.complaints.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn each_role_can_do_its_work() {
    let server = server();
    a_gateway_is_answered_by(&server, "api").await;
    a_view_and_a_gateway_hear_of(&server, "worker", "api").await;
}

#[tokio::test]
async fn one_process_with_both_roles_can_do_the_work_of_both() {
    let server = server();
    a_gateway_is_answered_by(&server, "signet").await;
    a_view_and_a_gateway_hear_of(&server, "signet", "signet").await;
    a_view_and_a_gateway_hear_of(&server, "worker", "signet").await;
    a_view_and_a_gateway_hear_of(&server, "signet", "api").await;
}

#[tokio::test]
async fn who_answers_gateways_may_hear_what_kaa_tells_of_tenants_and_endpoints() {
    let server = server();
    for user in ["api", "signet"] {
        let (bus, _files) = bus(&server, user).await;
        for heard in ["kaa.v1.events.*.tenant.lifecycle.*", "kaa.v1.events.*.endpoint.lifecycle.unregistered", "kaa.v1.service.cm.ecap.*"] {
            let _subscription = bus.subscribe(&pattern(heard), None, 8).await.unwrap();
        }
        settled(&bus).await;
        assert_eq!(bus.last_fault(), None, "{user}");
    }
}

#[tokio::test]
async fn nobody_can_do_more_than_that() {
    let server = server();
    // Whatever gets through would be heard here.
    let (observer, _files) = bus(&server, "signet").await;
    let mut heard = Vec::new();
    for subject in [BASIC_REQUEST, FEED, AFTER] {
        heard.push(observer.subscribe(&pattern(subject), None, 64).await.unwrap());
    }
    settled(&observer).await;
    let everything = [">", "*", "kaa.>", "kaa.v1.*.>", "signet.>", "signet.v1.*", "signet.v1.inbox.>", "$SYS.>", "_INBOX.>"];
    for (user, publishes, subscriptions) in [
        (
            "api",
            vec![FEED, REVOKED, BASIC_REQUEST, UNREGISTERED, "signet.v1.inbox.worker.x", "kaa.v1.replica.rep_1.esp.ExtensionData", "x"],
            vec![AFTER, BASIC_RESPONSE, REVOKED, "signet.v1.inbox.worker.>", "kaa.v1.service.*.cap.basic-request"],
        ),
        (
            "worker",
            vec![AFTER, BASIC_REQUEST, BASIC_RESPONSE, "kaa.v1.events.cm.client-credentials.basic.revoked", "x"],
            vec![BASIC_REQUEST, BASIC_RESPONSE, FEED, REVOKED, "signet.v1.inbox.api.>"],
        ),
        (
            "signet",
            vec![BASIC_REQUEST, UNREGISTERED, "kaa.v1.replica.rep_1.esp.ExtensionData", "$SYS.REQ.SERVER.PING", "x"],
            vec![BASIC_RESPONSE, REVOKED, "signet.v1.inbox.api.>"],
        ),
        (
            "kaa-gateway",
            vec![
                FEED,
                AFTER,
                REVOKED,
                BASIC_RESPONSE,
                UNREGISTERED,
                "signet.v1.inbox.api.x",
                "kaa.v1.service.other.cap.basic-request",
                "x",
            ],
            vec![BASIC_REQUEST, "kaa.v1.service.*.cap.basic-request", FEED, AFTER, "signet.v1.inbox.api.>"],
        ),
    ] {
        let foreign = foreign(&server, user).await;
        for subject in publishes {
            foreign.may_not_publish(subject).await;
        }
        for pattern in subscriptions.into_iter().chain(everything) {
            foreign.may_not_subscribe(pattern).await;
        }
    }
    settled(&observer).await;
    assert!(heard.iter_mut().all(|subscription| subscription.try_next().is_none()));
}

#[tokio::test]
async fn the_relay_is_told_of_a_subject_that_its_user_may_not_use() {
    let server = server();
    let (api, _files) = bus(&server, "api").await;
    let refused = api.publish_confirmed(vec![OutMessage::new(subject(FEED), Bytes::new())], PATIENCE).await;
    assert_eq!(refused, Err(BusError::Denied(subject(FEED))));
}

#[tokio::test]
async fn nobody_gets_in_without_a_password() {
    let server = server();
    assert!(async_nats::connect(server.url()).await.is_err());
    for (user, _) in USERS {
        let guess = async_nats::ConnectOptions::with_user_and_password(user.into(), "guess".into());
        assert!(guess.connect(server.url()).await.is_err(), "{user}");
    }
}

#[test]
fn the_configuration_around_it_is_one_that_the_server_takes() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../deploy/nats");
    let mut check = Command::new(signet_testkit::debian::nats_program().unwrap());
    check.args(["-t", "-c", &format!("{directory}/nats-server.conf")]);
    for (_, variable) in USERS {
        check.env(variable.trim_start_matches('$'), "some-password");
    }
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
