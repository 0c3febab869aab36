//! Through a standby, which answers reads itself and may be behind.

use std::time::Duration;

use domain::Timestamp;
use driver::Kind;

use super::*;

/// A standby catches up in real time, so the driver's pauses are real here, or a part of their length.
#[derive(Debug)]
struct RealPauses {
    divided_by: u32,
}

#[async_trait]
impl Clock for RealPauses {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / self.divided_by).await;
    }
}

/// The cluster, and a store that knows only its standby.
fn stage(divided_by: u32) -> (Stage, Arc<dyn SecretStore>) {
    let cluster = components::bao_cluster();
    let standby = cluster.standby().address();
    let (address, root_token) = (cluster.active().address(), cluster.root_token().to_owned());
    let mut stage = Stage::with(Bao { address, root_token, _kept: Box::new(cluster) });
    stage.waits = Arc::new(RealPauses { divided_by });
    let store = stage.try_store(&standby, &with_token(stage.bao.root_token())).unwrap();
    (stage, store)
}

#[tokio::test]
async fn a_standby_shows_what_was_written_through_it() {
    let (stage, store) = stage(1);
    store.check().await.unwrap();

    let mut last: Option<String> = None;
    for number in 1..=6 {
        let version = try_write(&stage, &*store, "app/key", &number.to_string(), last.as_deref()).await.unwrap();
        assert_eq!(version, number.to_string());
        // At once, and each time.
        let state = store.inspect(&path("app/key")).await.unwrap();
        let read = state.labelled(Label::Current).unwrap();
        assert_eq!(read.version.0, version);
        assert_eq!(read.fingerprint, Some(stage.keyring.fingerprint(&value(&version))));
        last = Some(version);
    }
    let asked = stage.network.headers.lock().unwrap().iter().any(|(name, _)| *name == "x-vault-index");
    assert!(asked, "reads ask for the state of our own write");
}

#[tokio::test]
async fn a_standby_that_cannot_have_caught_up_says_so() {
    let (stage, store) = stage(50);
    // The state after a write that this standby has not heard of: far ahead.
    stage.once(Method::Post, "/data/app/key", Fate::PassFromTheFuture);
    try_write(&stage, &*store, "app/key", "1", None).await.unwrap();
    let error = store.inspect(&path("app/key")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unavailable, Effect::NotApplied), "{error}");
}
