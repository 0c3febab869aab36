//! Logging in.

use driver::{Effect, Kind, Lookup};
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::stage::Stage;

pub(super) async fn is_shared(it: &Stage) {
    let original = it.one().await;
    let fresh = it.issuer_with(&it.login());
    let before = it.calls_of("login");
    let at = original.subject();
    let looks = join_all((0..40).map(|_| fresh.look_up(&at, original.handle()))).await;
    for look in looks {
        assert!(matches!(look.expect("a look-up succeeds"), Lookup::There { .. }));
    }
    assert!(it.calls_of("login") - before <= 1, "forty callers need one login");
}

pub(super) async fn is_renewed(it: &Stage) {
    for _ in 0..3 {
        assert_eq!(it.listed().await, it.live());
        it.pass(SignedDuration::from_hours(1));
    }
    let original = it.one().await;
    it.pass(SignedDuration::from_hours(1));
    it.issue_beside(&original).await;
    let refused = it.http.world().calls().filter(|call| call.status == Some(401)).count();
    assert_eq!(refused, 0, "it is renewed before its end");
}

/// The platform's clock runs ahead of ours: to it the login has ended, to us it has not.
pub(super) async fn is_renewed_when_refused(it: &Stage) {
    let original = it.one().await;
    it.http.world().advance(SignedDuration::from_hours(1));
    assert_eq!(it.listed().await, it.live());
    it.http.world().advance(SignedDuration::from_hours(1));
    let issued = it.issue_beside(&original).await;
    it.http.world().advance(SignedDuration::from_hours(1));
    it.verify(&original, &issued.handle, &issued.secret).await;
    it.http.world().advance(SignedDuration::from_hours(1));
    it.try_revoke(&original, &issued.handle).await.expect("a write is repeated after a refused login");
}

pub(super) async fn wrong_one_is_told(it: &Stage) {
    let login = it.login();
    let secret_keys = login.as_object().expect("a login is an object").keys().filter(|key| is_secret(key)).cloned();
    let original = it.one().await;
    let mut refused = 0;
    for key in secret_keys {
        let mut wrong = login.clone();
        wrong[key] = json!("a-wrong-canary");
        let issuer = match it.try_issuer_with(&wrong) {
            Ok(issuer) => issuer,
            // Wrong at first sight: nobody has to be asked.
            Err(error) => {
                assert!(!error.0.contains("a-wrong-canary"), "{error}");
                refused += 1;
                continue;
            }
        };
        // The driver may do without this part of the login.
        let Err(error) = issuer.check().await else { continue };
        it.see(&(&error, &issuer));
        refused += 1;
        assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
        assert!(error.kind.is_systemic() && !format!("{error:?} {issuer:?}").contains("a-wrong-canary"), "{error}");
        if it.facts().lists_versions {
            let error = issuer.look_up(&original.subject(), original.handle()).await;
            assert_eq!(error.expect_err("it is refused").kind, Kind::Unauthorized, "never taken for gone");
        }
    }
    assert!(refused > 0 || it.calls_of("login") == 0, "some part of the login is needed");
}

fn is_secret(key: &str) -> bool {
    ["secret", "password", "key"].iter().any(|word| key.contains(word))
}

pub(super) async fn rides_out_failures(it: &Stage) {
    let original = it.one().await;
    let login: Value = it.login();
    for fault in ["error:0.4@login", "timeout_after:0.3@login", "throttle:0.4@login"] {
        it.fault(fault);
        let mut arrived = 0;
        for _ in 0..10 {
            let issuer = it.issuer_with(&login);
            arrived += usize::from(match &original.version {
                Some((handle, _)) => issuer.look_up(&original.subject(), handle).await.is_ok(),
                None => issuer.check().await.is_ok(),
            });
        }
        assert!(arrived >= 8, "{fault}: {arrived} of 10 logins");
        it.clear_faults();
    }
}

pub(super) async fn failure_changes_nothing(it: &Stage) {
    if it.issue_route().await == "login" {
        // There the login is the write, and has its own checks.
        return;
    }
    let original = it.one().await;
    let before = it.live();
    for fault in ["error@login", "timeout_after@login", "throttle@login"] {
        it.fault(fault);
        let issuer = it.issuer_with(&it.login());
        let error = issuer.issue(&it.wanted(&original, 1).request(), &super::stage::ticket()).await;
        let error = error.expect_err("there is no login to be had");
        it.see(&error);
        assert_eq!(error.effect, Effect::NotApplied, "the write has not begun: {error}");
        assert!(matches!(error.kind, Kind::Unavailable | Kind::Throttled), "{error}");
        it.clear_faults();
    }
    assert_eq!((it.live(), it.calls_of("issue")), (before, 0));
}
