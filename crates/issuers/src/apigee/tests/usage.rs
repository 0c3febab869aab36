use domain::Usage;
use driver::Kind;
use jiff::SignedDuration;
use serde_json::json;

use super::*;

async fn last_use(stage: &Stage, of: &Found, since: Timestamp) -> Result<Usage, DriverError> {
    stage.issuer.usage().unwrap().usage(&subject(of), &of.handle, since).await
}

/// What analytics has not heard of yet is not known, and said so.
#[tokio::test]
async fn use_shows_when_analytics_has_it() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).stage();
        let (one, start) = (stage.one().await, stage.clock.now());
        stage.clock.advance(SignedDuration::from_secs(3725));
        assert_eq!(stage.gateway(&stage.text(&one)), Some(200));
        let used_at = stage.twin.now();
        stage.clock.advance(SignedDuration::from_mins(5));
        let early = last_use(&stage, &one, start).await.unwrap();
        assert_eq!(early.last_used, None);
        assert!(early.known_through.unwrap() < used_at, "nothing is claimed about that time");
        stage.clock.advance(SignedDuration::from_mins(15));
        let told = last_use(&stage, &one, start).await.unwrap();
        let late = told.last_used.unwrap().duration_since(used_at);
        assert!((0..=60).contains(&late.as_secs()), "late by {late}");
        assert!(told.known_through.unwrap() > used_at);
        assert_eq!(last_use(&stage, &one, told.last_used.unwrap()).await.unwrap().last_used, None);
    }
}

/// A platform that knows no minutes still tells of the hour.
#[tokio::test]
async fn without_minutes_the_end_of_the_hour_counts() {
    let stage = Setup::small("x")
        .edit(|request, body| {
            if request.url.query().is_some_and(|query| query.contains("timeUnit=minute")) {
                *body = json!({ "environments": [{ "name": "prod" }] });
            }
        })
        .stage();
    let (one, start) = (stage.one().await, stage.clock.now());
    assert_eq!(stage.gateway(&stage.text(&one)), Some(200));
    stage.clock.advance(SignedDuration::from_hours(3));
    let told = last_use(&stage, &one, start).await.unwrap();
    assert_eq!(told.last_used, Some(start.checked_add(SignedDuration::from_hours(1)).unwrap()));
}

#[tokio::test]
async fn figures_of_others_are_not_read() {
    let stage = Setup::small("x")
        .edit(|_, body| {
            if let Some(dimension) = body.pointer_mut("/environments/0/dimensions/0/name") {
                *dimension = json!("(not set)");
            }
        })
        .stage();
    let (one, start) = (stage.one().await, stage.clock.now());
    stage.gateway(&stage.text(&one));
    stage.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(last_use(&stage, &one, start).await.unwrap_err().kind, Kind::Protocol);
}

/// Every environment is asked; one that is named and not there is a right that lacks, not silence.
#[tokio::test]
async fn every_environment_counts() {
    let stage = Setup::small("edge").stage();
    let (one, start) = (stage.one().await, stage.clock.now());
    last_use(&stage, &one, start).await.unwrap();
    let asked: Vec<String> =
        stage.twin.world().calls().filter(|call| call.path.contains("/stats/")).map(|call| call.path.clone()).collect();
    assert!(asked.iter().any(|path| path.contains("/prod/")) && asked.iter().any(|path| path.contains("/test/")));
    let named = Setup::small("edge").set("environments", vec!["staging"]).stage();
    assert_eq!(last_use(&named, &one, start).await.unwrap_err().kind, Kind::Forbidden);
}

#[tokio::test]
async fn a_key_that_is_gone_is_not_quiet() {
    let stage = Setup::small("x").stage();
    let (one, start) = (stage.one().await, stage.clock.now());
    stage.issuer.revoke(&subject(&one), &one.handle, &ticket()).await.unwrap();
    assert_eq!(last_use(&stage, &one, start).await.unwrap_err().kind, Kind::NotFound);
}
