use driver::Kind;
use jiff::SignedDuration;

use super::*;

/// An assertion counts from its time of issue, and a machine whose clock is off would never get in.
#[tokio::test]
async fn a_clock_that_is_off_is_no_trouble() {
    for hours in [-30, 5, 9000] {
        let stage = Setup::small("x").stage();
        stage.twin.world().advance(SignedDuration::from_hours(hours));
        assert_eq!(stage.list().await.len(), 4);
        let refused =
            stage.twin.world().calls().filter(|call| call.route == "login" && call.status == Some(400)).count();
        assert_eq!(refused, 1, "the refusal shows the time");
    }
}

#[tokio::test]
async fn a_login_is_renewed_with_what_the_last_one_brought() {
    let stage = Setup::small("edge").and("token-expires-in", "60").stage();
    for _ in 0..3 {
        stage.list().await;
        stage.clock.advance(SignedDuration::from_hours(1));
    }
    let logins = stage.twin.world().calls().filter(|call| call.route == "login").count();
    assert_eq!(logins, 3);
    assert!(stage.twin.world().calls().all(|call| call.status != Some(401)));
}

/// A refresh token that has ended is followed by name and password, where there are any.
#[tokio::test]
async fn an_ended_refresh_token_is_not_the_end() {
    let stage = Setup::small("edge").set("refresh_token", "ended-long-ago").stage();
    assert_eq!(stage.list().await.len(), 4);
    let alone = Setup::small("edge").set("refresh_token", "ended-long-ago").without("username").without("password");
    let error = alone.stage().try_list(Scope::All).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (Kind::Unauthorized, Effect::NotApplied), "{error}");
    assert!(!format!("{error:?}").contains("ended-long-ago"));
}

#[tokio::test]
async fn name_and_password_alone_are_enough_for_edge() {
    let stage = Setup::small("edge").and("basic-only", "").stage();
    assert_eq!(stage.list().await.len(), 4);
    let wrong = Setup::small("edge").and("basic-only", "").set("password", "wrong").stage();
    let error = wrong.try_list(Scope::All).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthorized, "{error}");
}
