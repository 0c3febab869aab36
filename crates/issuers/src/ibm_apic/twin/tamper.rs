//! What a person does at the console, while we look elsewhere.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    ApiConnect, Pair,
    arena::Key,
    estate::{App, ConsumerOrg, Credential, NewCredential, Reaches},
    seed,
};

impl ApiConnect {
    /// The actions, each an object with `action` and what it needs; organisations and applications by name:
    ///
    /// | `action` | needs | may have |
    /// | --- | --- | --- |
    /// | `create_consumer_org` | `consumer_org` | `title`, `email`, `age` |
    /// | `disable_consumer_org`, `enable_consumer_org` | `consumer_org` | |
    /// | `create_app` | `consumer_org`, `app` | `title`, `age` |
    /// | `delete_app`, `disable_app`, `enable_app` | `consumer_org`, `app` | |
    /// | `create_credential` | `consumer_org`, `app`, `name` | `title`, `age` |
    /// | `delete_credential` | `consumer_org`, `app`, `name` | |
    /// | `rename_credential` | `consumer_org`, `app`, `name`, `new_name` | `title` |
    /// | `reset_credential` | `consumer_org`, `app`, `name` | |
    ///
    /// `age` is a duration like `300d`. What makes or resets a pair answers `id`, `client_id` and `client_secret`;
    /// the rest answers an empty object. Gateways hear of it after the usual propagation.
    pub(super) fn tamper_with(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let what = required(action, "action")?;
        let age = age(action)?;
        match what {
            "create_consumer_org" => {
                let name = required(action, "consumer_org")?;
                let title = optional(action, "title").map_or_else(|| seed::titled(name), str::to_owned);
                let email = optional(action, "email").unwrap_or_default();
                self.add_consumer_org(name, &title, email, seed::ago(now, age))?;
                return Ok(json!({}));
            }
            "disable_consumer_org" | "enable_consumer_org" => {
                let org = self.org_named(required(action, "consumer_org")?)?;
                self.estate.set_org_enabled(org, what == "enable_consumer_org");
                return Ok(json!({}));
            }
            "create_app" => {
                let name = required(action, "app")?;
                let title = optional(action, "title").map_or_else(|| seed::titled(name), str::to_owned);
                self.add_app(required(action, "consumer_org")?, name, &title, seed::ago(now, age))?;
                return Ok(json!({}));
            }
            _ => {}
        }
        let app = self.app_named(required(action, "consumer_org")?, required(action, "app")?)?;
        match what {
            "delete_app" => self.estate.remove_app(now, app, self.options.propagation),
            "disable_app" => self.estate.set_enabled(now, app, false),
            "enable_app" => self.estate.set_enabled(now, app, true),
            "create_credential" => {
                let name = required(action, "name")?;
                let title = optional(action, "title").unwrap_or(name);
                return Ok(told(&self.add_credential_to(now, app, name, title, age)?));
            }
            _ => {
                let key = self.credential_named(app, required(action, "name")?)?;
                return self.tamper_with_credential(now, what, key, action);
            }
        }
        Ok(json!({}))
    }

    fn tamper_with_credential(
        &mut self,
        now: Timestamp,
        what: &str,
        key: Key<Credential>,
        action: &Value,
    ) -> Result<Value, String> {
        match what {
            "delete_credential" => {
                self.estate.remove_credential(now, key, Reaches::After(self.options.propagation));
            }
            "rename_credential" => {
                let app = self.estate.credentials[key].app;
                let old = self.estate.credentials[key].names(self.estate.revision());
                let new_name = required(action, "new_name")?;
                if new_name != old.name && self.estate.apps[app].credential(new_name).is_some() {
                    return Err(format!("the application has a credential `{new_name}` already"));
                }
                let title = optional(action, "title").unwrap_or(&old.title);
                self.estate.rename_credential(now, key, new_name, title);
            }
            "reset_credential" => {
                let (client_id, client_secret) = (self.estate.generated(), self.estate.generated());
                self.estate.change_pair(now, key, Some(client_id), Some(client_secret), self.options.propagation);
                return Ok(told(&self.pair_of(key)));
            }
            unknown => return Err(format!("unknown action `{unknown}`")),
        }
        Ok(json!({}))
    }

    pub(super) fn org_named(&self, org: &str) -> Result<Key<ConsumerOrg>, String> {
        self.estate.org(org).ok_or_else(|| format!("there is no consumer organisation `{org}`"))
    }

    pub(super) fn app_named(&self, org: &str, app: &str) -> Result<Key<App>, String> {
        let key = self.org_named(org)?;
        self.estate.orgs[key].app(app).ok_or_else(|| format!("`{org}` has no application `{app}`"))
    }

    pub(super) fn credential_named(&self, app: Key<App>, name: &str) -> Result<Key<Credential>, String> {
        let app = &self.estate.apps[app];
        app.credential(name).ok_or_else(|| format!("`{}` has no credential `{name}`", app.name))
    }

    pub(super) fn add_credential_to(
        &mut self,
        now: Timestamp,
        app: Key<App>,
        name: &str,
        title: &str,
        age: SignedDuration,
    ) -> Result<Pair, String> {
        if self.estate.apps[app].credential(name).is_some() {
            return Err(format!("`{}` has a credential `{name}` already", self.estate.apps[app].name));
        }
        let new = NewCredential {
            name: name.to_owned(),
            title: title.to_owned(),
            summary: String::new(),
            client_id: None,
            client_secret: None,
            created_at: seed::ago(now, age),
        };
        // What is older than the propagation has reached the gateways long ago.
        let delay = self.options.propagation.saturating_sub(age);
        let key = self.estate.add_credential(now, app, new, delay);
        Ok(self.pair_of(key))
    }

    pub(super) fn pair_of(&self, key: Key<Credential>) -> Pair {
        let credential = &self.estate.credentials[key];
        Pair {
            id: credential.id.clone(),
            client_id: credential.client_id.clone(),
            client_secret: credential.client_secret.clone(),
        }
    }
}

fn told(pair: &Pair) -> Value {
    json!({ "id": pair.id, "client_id": pair.client_id, "client_secret": pair.client_secret })
}

fn optional<'a>(action: &'a Value, name: &str) -> Option<&'a str> {
    action.get(name).and_then(Value::as_str)
}

fn required<'a>(action: &'a Value, name: &str) -> Result<&'a str, String> {
    optional(action, name).filter(|text| !text.is_empty()).ok_or_else(|| format!("`{name}` is missing"))
}

fn age(action: &Value) -> Result<SignedDuration, String> {
    match action.get("age") {
        None => Ok(SignedDuration::ZERO),
        Some(Value::String(text)) => twin::parse_duration(text).map_err(|error| error.to_string()),
        Some(_) => Err("`age` is not a text like `300d`".to_owned()),
    }
}
