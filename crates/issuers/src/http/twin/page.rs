//! What a person does on the portal's page.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{App, Portal, later};

impl Portal {
    /// The actions, each an object with `action` and what it needs:
    ///
    /// | `action` | needs | may have |
    /// | --- | --- | --- |
    /// | `create_app` | `app` | `owner` |
    /// | `create_key` | `app` | `age`, as `300d` |
    /// | `delete_key` | `client_id` | |
    /// | `issue_by_hand` | `names` | |
    /// | `remove_by_hand` | `names`, `content` | |
    ///
    /// `create_key` answers `client_id` and `client_secret`; `issue_by_hand` answers the same as `content`, two lines
    /// in the form in which the page offers them for copying.
    pub(super) fn act(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let text = |name: &str| action.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let required = |name: &str| text(name).ok_or_else(|| format!("`{name}` is missing"));
        match required("action")? {
            "create_app" => {
                let name = required("app")?;
                if self.app(name).is_some() {
                    return Err(format!("there is an application `{name}` already"));
                }
                let owner = text("owner").unwrap_or("owner@example.com").to_owned();
                self.apps.push(App { name: name.to_owned(), owner });
                Ok(json!({}))
            }
            "create_key" => {
                let age = text("age").map(twin::parse_duration).transpose().map_err(|error| error.to_string())?;
                let made = self.make(now, required("app")?, age.unwrap_or_default())?;
                Ok(json!({ "client_id": made.0, "client_secret": made.1 }))
            }
            "delete_key" => self.remove(now, required("client_id")?),
            "issue_by_hand" => {
                let app = action.pointer("/names/0").and_then(Value::as_str).ok_or("`names` is missing")?;
                let (client_id, client_secret) = self.make(now, app, SignedDuration::ZERO)?;
                Ok(json!({ "content": format!("client_id={client_id}\nclient_secret={client_secret}\n") }))
            }
            "remove_by_hand" => {
                let content = required("content")?;
                let id = content.lines().find_map(|line| line.strip_prefix("client_id="));
                self.remove(now, id.ok_or("`content` has no client_id")?)
            }
            unknown => Err(format!("unknown action `{unknown}`")),
        }
    }

    fn make(&mut self, now: Timestamp, app: &str, age: SignedDuration) -> Result<(String, String), String> {
        let app = self.app(app).ok_or_else(|| format!("there is no application `{app}`"))?;
        let at = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let delay = self.options.propagation;
        let at = self.add(app, String::new(), at, delay);
        let key = self.keys.get(at).ok_or("it was not kept")?;
        Ok((key.client_id.clone(), key.client_secret.clone()))
    }

    fn remove(&mut self, now: Timestamp, client_id: &str) -> Result<Value, String> {
        let delay = self.options.propagation;
        let found = self.keys.iter_mut().find(|key| key.client_id == client_id && key.is_there(now));
        let key = found.ok_or_else(|| format!("there is no key `{client_id}`"))?;
        key.removed_at = Some(now);
        key.accepted_until = Some(later(now, delay));
        Ok(json!({}))
    }
}
