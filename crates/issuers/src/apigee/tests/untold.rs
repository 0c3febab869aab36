//! Where a proxy asks for nothing but the key, the key is a password: nobody is told it.

use std::sync::Mutex;

use driver::Lookup;
use jiff::SignedDuration;

use super::*;

/// A platform that quotes every address and every body in its refusals.
fn quoting(generation: &'static str) -> Stage {
    Setup::small(generation)
        .edit(|request, body| {
            let question: String = request.url.query_pairs().map(|(_, value)| value.into_owned()).collect();
            let sent = String::from_utf8_lossy(&request.body.0);
            let quoted = format!("{question} {sent} {}", request.url.path().rsplit("/keys").next().unwrap_or_default());
            let place =
                if body.get("error").is_some() { body.pointer_mut("/error/message") } else { body.get_mut("message") };
            if let Some(message) = place {
                *message = quoted.into();
            }
        })
        .stage()
}

/// The twin's names of the calls that the verbs make.
const ROUTES: [&str; 5] = ["list", "issue", "other", "usage", "revoke"];

#[tokio::test]
async fn no_refusal_quotes_a_key() {
    for generation in GENERATIONS {
        let mut scrubbed = 0;
        for route in ROUTES {
            let stage = quoting(generation);
            let original = stage.one().await;
            let (wanted, at) = (stage.wanted(&original), subject(&original));
            let chosen = |field: &str| wanted.chosen.get(field).unwrap().expose_text().unwrap().to_owned();
            let untold = [stage.text(&original), chosen("consumerKey"), chosen("consumerSecret")];
            let (disabler, usage) = (stage.issuer.disabler().unwrap(), stage.issuer.usage().unwrap());
            stage.twin.world().add_fault(format!("error@{route}").parse().unwrap());
            let outcomes = [
                stage.issue(&wanted).await.map(drop),
                disabler.disable(&at, &original.handle, &ticket()).await,
                disabler.enable(&at, &original.handle, &ticket()).await,
                usage.usage(&at, &original.handle, Timestamp::UNIX_EPOCH).await.map(drop),
                stage.issuer.look_up(&at, &original.handle).await.map(drop),
                stage.issuer.revoke(&at, &original.handle, &ticket()).await.map(drop),
            ];
            let told: Vec<String> =
                outcomes.into_iter().filter_map(Result::err).map(|error| format!("{error} {error:?}")).collect();
            assert!(!told.is_empty(), "{generation}: nothing fails on {route}");
            for text in &told {
                assert!(untold.iter().all(|secret| !text.contains(secret)), "{generation}, {route}: {text}");
            }
            scrubbed += told.iter().filter(|text| text.contains("(..)")).count();
        }
        assert!(scrubbed >= 3, "the platform did quote, {generation}: {scrubbed}");
    }
}

/// What a log shows of requests has no address of a key.
#[tokio::test]
async fn no_request_shows_a_key() {
    for generation in GENERATIONS {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = seen.clone();
        let stage =
            Setup::small(generation).edit(move |request, _| noted.lock().unwrap().push(format!("{request:?}"))).stage();
        let original = stage.one().await;
        let issued = stage.issue(&stage.wanted(&original)).await.unwrap();
        let at = subject(&original);
        stage.clock.advance(SignedDuration::from_mins(1));
        stage.issuer.usage().unwrap().usage(&at, &original.handle, issued.created_at).await.unwrap();
        stage.issuer.disabler().unwrap().disable(&at, &original.handle, &ticket()).await.unwrap();
        stage.issuer.revoke(&at, &original.handle, &ticket()).await.unwrap();
        let (old, new) = (stage.text(&original), stage.key(issued.handle.as_str())["consumer_key"].clone());
        let seen = seen.lock().unwrap();
        assert!(seen.iter().any(|one| one.starts_with("DELETE")), "{seen:?}");
        assert!(seen.iter().all(|one| !one.contains(&old) && !one.contains(new.as_str().unwrap())), "{seen:?}");
    }
}

/// A name, a handle and a title tell keys apart and are no key.
#[tokio::test]
async fn what_is_listed_is_a_digest() {
    for generation in GENERATIONS {
        let stage = Setup::small(generation).and("credentials", "3").stage();
        let all = stage.list().await;
        assert_eq!(all.len(), 12);
        for found in &all {
            let key = stage.text(found);
            assert!(!format!("{found:?}").contains(&key));
            assert_eq!(found.names[2], format!("key-{}", &found.handle.as_str()[..10]));
            let look = stage.issuer.look_up(&subject(found), &found.handle).await.unwrap();
            let name = found.names[2].clone();
            assert_eq!(look, Lookup::There { title: name.clone(), name });
        }
    }
}
