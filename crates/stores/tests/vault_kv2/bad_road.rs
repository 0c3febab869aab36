//! Two hundred rotations over a road on which everything gets lost.

use driver::Entropy as _;

use super::*;

const ROTATIONS: u32 = 200;

/// One request in three meets something.
fn misfortune(random: &SeededEntropy) -> Fate {
    match random.next() % 18 {
        0 => Fate::AnswerLost,
        1 => Fate::NeverArrived,
        2 => Fate::AnsweredInstead(502, "<html>bad gateway</html>"),
        // Cut off in the middle.
        3 => Fate::AnsweredInstead(200, r#"{"data":{"created_ti"#),
        4 => Fate::Answered(503, json!({ "errors": ["Vault is sealed"] })),
        5 => Fate::Answered(429, json!({ "errors": ["rate limit quota exceeded"] })),
        _ => Fate::Pass,
    }
}

async fn rotate_over_a_bad_road(readable: bool, seed: u64) {
    let stage = Stage::new();
    stage.by_hand(Method::Post, "secret/config", json!({ "max_versions": 2 * ROTATIONS })).await;
    let store = stage.store(&format!("readable = {readable}\n{}", with_token(stage.bao.root_token())));
    let random = SeededEntropy::new(seed);
    stage.rule(move |_| misfortune(&random));
    let mut repeated = 0;
    for number in 1..=ROTATIONS {
        let replaces = (number > 1).then(|| (number - 1).to_string());
        // The engine repeats what failed in passing, with the same attempt, until it knows.
        let version = loop {
            match try_write(&stage, &*store, "app/key", &number.to_string(), replaces.as_deref()).await {
                Ok(version) => break version,
                Err(error) => assert!(error.kind.is_transient(), "{error}"),
            }
            repeated += 1;
        };
        assert_eq!(version, number.to_string(), "one version a rotation");
    }
    assert!(repeated > ROTATIONS / 4, "the road was bad: {repeated}");

    stage.rule(|_| Fate::Pass);
    let state = store.inspect(&path("app/key")).await.unwrap();
    assert_eq!(state.versions.len(), ROTATIONS as usize);
    for (label, number) in [(Label::Current, ROTATIONS), (Label::Previous, ROTATIONS - 1)] {
        let stored = state.labelled(label).unwrap();
        assert_eq!(stored.version.0, number.to_string());
        assert_eq!(stored.fingerprint, Some(stage.keyring.fingerprint(&value(&number.to_string()))));
    }
    assert_eq!(stage.reads("app/key").await["client_secret"], format!("canary-{ROTATIONS}"));
}

#[tokio::test]
async fn every_rotation_leaves_one_version() {
    rotate_over_a_bad_road(true, 1).await;
}

#[tokio::test]
async fn every_rotation_leaves_one_version_without_reading_values() {
    rotate_over_a_bad_road(false, 2).await;
}
