//! Golden vectors, produced with an independent Avro implementation; both directions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use signet_kaa::cap::*;
use signet_kaa::ecap::*;
use signet_kaa::elce::{AppVersionUpdatedEvent, ConnectedEvent, DisconnectedEvent, RegisteredEvent, TrafficReportEvent, TrafficStat};
use signet_kaa::esp::*;
use signet_kaa::scmp::*;
use signet_kaa::{Record, Sensitive, elce, tle};

const TIME: i64 = 1_490_262_793_349;

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect()
}

macro_rules! golden {
    ($record:expr, $hex:literal) => {{
        let record = $record;
        let hex: String = record.encode().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, $hex);
        check_decode(&record, $hex);
    }};
}

fn check_decode_only<'a, T: Record<'a> + PartialEq + Debug>(record: &T, hex: &str) {
    assert_eq!(T::decode(unhex(hex).leak()).as_ref(), Ok(record));
}

/// Decoding gives the record back, also with surplus bytes behind it.
fn check_decode<'a, T: Record<'a> + PartialEq + Debug>(record: &T, hex: &str) {
    let bytes: &'static [u8] = unhex(hex).leak();
    assert_eq!(T::decode(bytes).as_ref(), Ok(record));
    let longer: &'static [u8] = [bytes, b"surplus"].concat().leak();
    assert_eq!(T::decode(longer).as_ref(), Ok(record), "trailing bytes are ignored");
    for cut in 0..bytes.len() {
        // Every prefix is either refused or stands for trailing defaults; none panics.
        let _ = T::decode(&bytes[..cut]);
    }
}

fn endpoints(ids: &[&'static str]) -> BTreeMap<Cow<'static, str>, Cow<'static, str>> {
    ids.iter().map(|id| (Cow::from(*id), Cow::from("demo_v1"))).collect()
}

fn client_data_a() -> ClientData<'static> {
    ClientData {
        correlation_id: "c1".into(),
        timestamp: TIME,
        timeout: 3_600_000,
        app_version_name: "demo_v1".into(),
        endpoint_id: Some("ep-1".into()),
        resource_path: "/json".into(),
        request_id: Some(42),
        payload: b"[1]"[..].into(),
        config_name: None,
    }
}

#[test]
fn esp() {
    golden!(client_data_a(), "0463318af2aca9df5680bab7030e64656d6f5f7631000865702d310a2f6a736f6e0054065b315d00");
    golden!(
        ClientData {
            correlation_id: "c2".into(),
            timeout: 0,
            endpoint_id: None,
            request_id: None,
            payload: b""[..].into(),
            ..client_data_a()
        },
        "0463328af2aca9df56000e64656d6f5f7631020a2f6a736f6e020000"
    );
    golden!(
        ClientData {
            correlation_id: "c3".into(),
            timeout: 0,
            resource_path: "/config/json".into(),
            request_id: Some(0),
            payload: b"{}"[..].into(),
            config_name: Some("network".into()),
            ..client_data_a()
        },
        "0463338af2aca9df56000e64656d6f5f7631000865702d31182f636f6e6669672f6a736f6e0000047b7d020e6e6574776f726b"
    );
    let answer = ExtensionData {
        correlation_id: "c1".into(),
        timestamp: TIME,
        timeout: 0,
        app_version_name: Some("demo_v1".into()),
        extension_instance_name: Some("dcx".into()),
        endpoint_id: Some("ep-1".into()),
        resource_path: "/json".into(),
        request_id: Some(42),
        payload: None,
        status_code: 200,
        reason_phrase: Some("OK".into()),
    };
    golden!(answer.clone(), "0463318af2aca9df5600000e64656d6f5f76310006646378000865702d310a2f6a736f6e005402900302044f4b");
    golden!(
        ExtensionData {
            correlation_id: "c4".into(),
            app_version_name: None,
            extension_instance_name: Some("cex".into()),
            resource_path: "/command/reboot".into(),
            request_id: None,
            payload: Some(b"[{\"id\":1}]"[..].into()),
            reason_phrase: None,
            ..answer
        },
        "0463348af2aca9df5600020006636578000865702d311e2f636f6d6d616e642f7265626f6f740200145b7b226964223a317d5d900300"
    );
}

#[test]
fn client_data_of_the_older_schema_decodes_with_the_default() {
    check_decode_only(&client_data_a(), "0463318af2aca9df5680bab7030e64656d6f5f7631000865702d310a2f6a736f6e0054065b315d");
}

#[test]
fn cap() {
    golden!(
        ClientBasicAuthenticationRequest {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 5_000,
            tenant_id: "t1".into(),
            username: "bob".into(),
            password: Sensitive::new("pw"),
        },
        "0463318af2aca9df56904e04743106626f62047077"
    );
    let answer = ClientBasicAuthenticationResponse {
        correlation_id: "c1".into(),
        timestamp: TIME,
        timeout: 0,
        credentials_id: Some("br7si8mg10l7an82que0".into()),
        client_id: None,
        status_code: 200,
        reason_phrase: Some("OK".into()),
    };
    golden!(answer.clone(), "0463318af2aca9df560000286272377369386d6731306c37616e38327175653002900302044f4b");
    golden!(
        ClientBasicAuthenticationResponse { credentials_id: None, status_code: 401, reason_phrase: None, ..answer },
        "0463318af2aca9df56000202a20600"
    );
    golden!(
        ClientCertificateAuthenticationRequest {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 5_000,
            issuer: "CN=t1".into(),
            serial_number: "4660".into(),
        },
        "0463318af2aca9df56904e0a434e3d74310834363630"
    );
    golden!(
        ClientCertificateAuthenticationResponse {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            tenant_id: Some("t1".into()),
            credentials_id: Some("x1".into()),
            client_id: None,
            status_code: 200,
            reason_phrase: None,
        },
        "0463318af2aca9df5600000474310004783102900300"
    );
    golden!(
        ClientCredentialsRevokedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            tenant_id: "t1".into(),
            credentials_id: "x1".into(),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df5600047431047831047231"
    );
}

#[test]
fn ecap() {
    golden!(
        EndpointTokenValidationRequest {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 5_000,
            app_name: "demo".into(),
            token: Sensitive::new("tok1"),
        },
        "0463318af2aca9df56904e0864656d6f08746f6b31"
    );
    let answer = EndpointTokenValidationResponse {
        correlation_id: "c1".into(),
        timestamp: TIME,
        timeout: 0,
        token_id: Some("tid1".into()),
        endpoint_id: Some("ep-1".into()),
        status_code: 200,
        reason_phrase: None,
    };
    golden!(answer.clone(), "0463318af2aca9df5600000874696431000865702d31900300");
    golden!(
        EndpointTokenValidationResponse {
            token_id: None,
            endpoint_id: None,
            status_code: 404,
            reason_phrase: Some("Not Found".into()),
            ..answer
        },
        "0463318af2aca9df56000202a80602124e6f7420466f756e64"
    );
    golden!(
        EndpointTokenRevokedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            app_name: "demo".into(),
            endpoint_id: "ep-1".into(),
            token_ids: vec!["tid1".into()],
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df56000864656d6f0865702d3102087469643100047231"
    );
    golden!(
        EndpointTokenStatusTransitionRequest {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            app_name: "demo".into(),
            token: Sensitive::new("tok1"),
            target_status: "Suspended".into(),
        },
        "0463318af2aca9df56000864656d6f08746f6b311253757370656e646564"
    );
    golden!(
        EndpointTokenStatusTransitionResponse {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            status_code: 200,
            reason_phrase: None,
        },
        "0463318af2aca9df5600900300"
    );
}

#[test]
fn the_older_client_part_of_ecap() {
    golden!(
        ClientUsernamePasswordValidationRequest {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 5_000,
            username: Some("bob".into()),
            password: None,
        },
        "0463318af2aca9df56904e0006626f6202"
    );
    golden!(
        ClientUsernamePasswordValidationResponse {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            credential_id: Some("x1".into()),
            client_id: None,
            status_code: 200,
            reason_phrase: None,
        },
        "0463318af2aca9df56000004783102900300"
    );
    golden!(
        ClientCredentialRevokedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            credential_id: "x1".into(),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df5600047831047231"
    );
}

#[test]
fn elce() {
    let connected = ConnectedEvent {
        correlation_id: "c1".into(),
        timestamp: TIME,
        timeout: 0,
        endpoints: endpoints(&["ep-1"]),
        originator_replica_id: "r1".into(),
    };
    golden!(connected.clone(), "0463318af2aca9df5600020865702d310e64656d6f5f763100047231");
    check_decode(&connected, "0463318af2aca9df5600011a0865702d310e64656d6f5f763100047231"); // a block with its size
    golden!(
        DisconnectedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            endpoints: endpoints(&["ep-1", "ep-2"]),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df5600040865702d310e64656d6f5f76310865702d320e64656d6f5f763100047231"
    );
    golden!(
        RegisteredEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            app_version_name: "demo_v2".into(),
            endpoint_id: "ep-1".into(),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df56000e64656d6f5f76320865702d31047231"
    );
    golden!(
        elce::UnregisteredEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            app_version_name: "demo_v2".into(),
            endpoint_id: "ep-1".into(),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df56000e64656d6f5f76320865702d31047231"
    );
    golden!(
        AppVersionUpdatedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            app_version_name: "demo_v2".into(),
            previous_app_version_name: "demo_v1".into(),
            endpoint_id: "ep-1".into(),
            originator_replica_id: "r1".into(),
        },
        "0463318af2aca9df56000e64656d6f5f76320e64656d6f5f76310865702d31047231"
    );
    let traffic =
        TrafficStat { total_received_payload: 100, total_received_message_count: 2, total_sent_message_count: 1, ..TrafficStat::default() };
    golden!(
        TrafficReportEvent {
            tenant_traffic_stats: BTreeMap::from([(
                "t1".into(),
                BTreeMap::from([("demo".into(), BTreeMap::from([("ep-1".into(), traffic)]))])
            )]),
            time_from: 1_490_262_793_000_000_000,
            time_to: 1_490_262_853_000_000_000,
            correlation_id: "c1".into(),
            originator_replica_id: "r1".into(),
            timestamp: TIME,
            timeout: 0,
        },
        "02047431020864656d6f020865702d31c80100040200000080e8f8eba987bdae2980c8b3f0e88abdae290463310472318af2aca9df5600"
    );
}

#[test]
fn scmp_and_tle() {
    golden!(
        BroadcastConfigurationUpdateEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            originator_replica_id: "r1".into(),
            tenant_id: Some("t1".into()),
            app_name: Some("demo".into()),
            app_ver_name: None,
        },
        "0463318af2aca9df5604723102047431020864656d6f00"
    );
    golden!(
        ServiceSpecificConfigurationUpdateEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            tenant_id: "t1".into(),
            app_name: None,
            app_ver_name: None,
        },
        "0463318af2aca9df560474310000"
    );
    golden!(
        tle::UpdatedEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            tenant_id: "t1".into(),
            originator_replica_id: "r1".into()
        },
        "0463318af2aca9df5600047431047231"
    );
    golden!(
        tle::UnregisteredEvent {
            correlation_id: "c1".into(),
            timestamp: TIME,
            timeout: 0,
            tenant_id: "t1".into(),
            originator_replica_id: "r1".into()
        },
        "0463318af2aca9df5600047431047231"
    );
}

#[test]
fn passwords_and_tokens_do_not_show_in_debug_output() {
    let bytes = unhex("0463318af2aca9df56904e04743106626f62047077");
    let request = ClientBasicAuthenticationRequest::decode(&bytes).expect("golden vector");
    assert!(!format!("{request:?}").contains("pw"), "{request:?}");
}
