//! What a twin tells of itself, as an account: its state, and its log of calls.

use std::collections::{BTreeSet, HashMap};

use domain::Timestamp;
use serde_json::Value;

use crate::{Account, Effect, Use, Verb, Version, Who};

/// How one platform's state is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The field by which consumers name a version when they call.
    pub public: &'a str,
    /// The field that is secret.
    pub secret: &'a str,
    /// The identifier of the credential of which an entry is a version.
    pub credential: fn(&Value) -> String,
    /// Handles of what was there before we came.
    pub before: &'a BTreeSet<String>,
}

/// The address at which a consumer calls a gateway, so that the log of the gateway tells the whole story: who called,
/// with what, and whether it had just read it.
pub fn use_path(consumer: &str, place: &str, public: &str, fresh: bool) -> String {
    format!("/ping?consumer={consumer}&place={place}&with={public}&fresh={fresh}")
}

impl Account {
    /// Takes over versions, effects, uses and secrets. `state` and `calls` are what the twin answers at its control
    /// address; `credential_of` tells whose place a consumer reads.
    pub fn told_by_twin(
        &mut self,
        state: &Value,
        calls: &Value,
        reading: &Reading<'_>,
        credential_of: impl Fn(&str) -> String,
    ) {
        let entries = state["credentials"].as_array().expect("a twin's state lists its credentials");
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let handles: HashMap<String, String> =
            entries.iter().map(|entry| (text(entry, reading.public), text(entry, "id"))).collect();
        for call in calls.as_array().expect("a twin's calls are a list") {
            match call["side"].as_str() {
                Some("gateway") => self.uses.extend(used(call, &handles, &credential_of)),
                _ => self.effects.extend(effect(call)),
            }
        }
        let now: Timestamp = state["now"].as_str().expect("a twin tells its time").parse().expect("a time");
        for entry in entries {
            self.versions.push(version(entry, &self.effects, reading, now));
            self.secrets.push(text(entry, reading.secret));
        }
    }
}

fn version(entry: &Value, effects: &[Effect], reading: &Reading<'_>, now: Timestamp) -> Version {
    let handle = entry["id"].as_str().expect("an entry has an id").to_owned();
    let made_at = entry["created_at"].as_str().expect("an entry has an age").parse().expect("a time");
    let made_by = if reading.before.contains(&handle) { Who::Person } else { Who::Us };
    let revoked = |effect: &&Effect| {
        effect.verb == Verb::Revoke && !effect.refused && effect.version.as_deref() == Some(handle.as_str())
    };
    let by_us = effects.iter().find(revoked).map(|effect| (effect.at, Who::Us));
    let ended = (entry["live"] == false).then(|| by_us.unwrap_or((now, Who::Person)));
    Version {
        credential: (reading.credential)(entry),
        made: (made_at, made_by),
        ended,
        accepted: entry["accepted"] == true,
        untouchable: entry["protected"] == true,
        handle,
    }
}

/// A call that may have changed something.
fn effect(call: &Value) -> Option<Effect> {
    let verb = match call["route"].as_str()? {
        "issue" => Verb::Issue,
        "revoke" => Verb::Revoke,
        "rename" => Verb::Rename,
        _ => return None,
    };
    let handle = call["path"].as_str()?.rsplit('/').next().map(str::to_owned);
    Some(Effect {
        at: call["at"].as_str()?.parse().ok()?,
        verb,
        version: handle.filter(|_| verb != Verb::Issue),
        // No answer says nothing.
        refused: call["status"].as_u64().is_some_and(|status| status >= 300),
    })
}

fn used(call: &Value, handles: &HashMap<String, String>, credential_of: &impl Fn(&str) -> String) -> Option<Use> {
    let part = |name: &str| call["query"].as_str()?.split('&').find_map(|part| part.strip_prefix(name));
    let place = part("place=")?.to_owned();
    Some(Use {
        at: call["at"].as_str()?.parse().ok()?,
        consumer: part("consumer=")?.to_owned(),
        credential: credential_of(&place),
        version: handles.get(part("with=")?).cloned(),
        accepted: call["status"] == 200,
        fresh: part("fresh=")? == "true",
        place,
    })
}
