//! The inventory finds a certificate by whatever people have in hand, page by page, and shows no other tenant's.

use std::time::Duration;

use serde_json::Value;
use signet_authority::IssueOrder;
use signet_model::CredentialState;

use crate::house::{House, generated};
use crate::on_both;

async fn ids(house: &House, query: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = house.get(&format!("/api/v1/tenants/acme/certificates?limit=2&{query}{after}")).await.good();
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match &page["next"] {
            Value::String(next) => after = format!("&after={next}"),
            _ => return found,
        }
    }
}

on_both! {
    async fn the_forecast_counts_each_week_by_itself(kind) {
        let house = House::new(kind).await;
        for days in [1, 2, 8, 20, 90, 92] {
            let order = IssueOrder { ttl: Some(Duration::from_secs(days * 86_400)), ..generated(&format!("d{days}")) };
            let issued = house.order("acme", order).await.unwrap();
            if days == 2 {
                house.credentials.move_to(&house.scope("acme"), &issued.id, CredentialState::Revoked, None).await.unwrap();
            }
        }
        house.issue("default", "elsewhere").await.unwrap();
        let weeks = house.room.forecast(&house.scope("acme"), None).await.unwrap();
        let counts: Vec<u64> = weeks.iter().map(|week| week.certificates).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(house.room.forecast(&house.scope("acme"), Some(1)).await.unwrap().len(), 1);
        house.end().await;
    }

    async fn a_certificate_is_found_by_each_of_its_marks(kind) {
        let house = House::new(kind).await;
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        let mut all = Vec::new();
        for n in 0..5_u64 {
            house.clock.advance(Duration::from_secs(1));
            let order = IssueOrder { ttl: days(10 + n), ..generated(&format!("d{n}")) };
            all.push(house.order("acme", order).await.unwrap());
        }
        house.clock.advance(Duration::from_secs(1));
        let of_device = IssueOrder { identity: Some("dev-1".to_owned()), ..generated("dev-1") };
        let device = house.order("acme", of_device).await.unwrap();
        let foreign = house.issue("default", "d1").await.unwrap();
        let newest_first: Vec<String> = all.iter().chain([&device]).rev().map(|issued| issued.id.as_str().to_owned()).collect();
        assert_eq!(ids(&house, "").await, newest_first);
        assert_eq!(ids(&house, "state=Inactive").await, newest_first);
        assert_eq!(ids(&house, "issuer=CN%3Dacme").await, newest_first);
        assert!(ids(&house, "issuer=CN%3Ddefault").await.is_empty());
        let one = [all[1].id.as_str()];
        let fingerprint = house.get(&format!("/api/v1/tenants/acme/certificates/{}", one[0])).await.good();
        let (serial, hex) = (all[1].serial.decimal(), all[1].serial.colon_hex());
        for query in [
            "subject=d1".to_owned(),
            "subject=CN%3Dd1".to_owned(),
            "subject=/CN%3Dd1".to_owned(),
            format!("serial={serial}"),
            format!("serial={hex}"),
            format!("serial=0x{}", all[1].serial.hex()),
            format!("serial={serial}&issuer=CN%20%3D%20acme&state=Inactive"),
            format!("fingerprint={}", fingerprint["fingerprint"].as_str().unwrap()),
            format!("fingerprint={}", fingerprint["spki_sha256"].as_str().unwrap().to_uppercase()),
        ] {
            assert_eq!(ids(&house, &query).await, one, "{query}");
        }
        for query in ["identity=dev-1", "identity=dev-1&subject=dev-1&state=Inactive"] {
            assert_eq!(ids(&house, query).await, [device.id.as_str()], "{query}");
        }
        for query in [
            format!("serial={}", foreign.serial.decimal()),
            "identity=nobody".to_owned(),
            format!("serial={serial}&state=Revoked"),
            "name=dns:d1".to_owned(),
            "subject=D1".to_owned(),
        ] {
            assert!(ids(&house, &query).await.is_empty(), "{query}");
        }
        let soonest_first: Vec<&str> = all.iter().map(|issued| issued.id.as_str()).collect();
        assert_eq!(ids(&house, "expires_within=30d").await, soonest_first);
        assert_eq!(ids(&house, "expires_within=11d").await, soonest_first[..2]);
        house.clock.advance(Duration::from_secs(12 * 86_400));
        assert_eq!(ids(&house, "expired=true").await, soonest_first[..3]);
        assert_eq!(ids(&house, "expired=false&expires_within=10d").await, soonest_first[3..]);
        house.credentials.move_to(&house.scope("acme"), &all[1].id, CredentialState::Suspended, None).await.unwrap();
        assert_eq!(ids(&house, "state=Suspended").await, one);
        for (query, reason) in [("serial=xyz", "serial.malformed"), ("fingerprint=ab", "input.invalid"), ("state=active", "input.invalid"),
            ("expires_within=soon", "input.invalid"), ("subject=CN%3D%22", "input.invalid")] {
            assert_eq!(house.get(&format!("/api/v1/tenants/acme/certificates?{query}")).await.reason(400), reason, "{query}");
        }
        house.end().await;
    }
}
