//! The console, and the Super Administrator in front of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{SecurId, before, keys::Kind};

impl SecurId {
    /// The actions, each an object with `action` and what it needs. A key is named by `access_id`, or by its description
    /// as `name`:
    ///
    /// | `action` | needs | may have | answers |
    /// | --- | --- | --- | --- |
    /// | `add_key` | `name` | `role` (`help_desk` or `super`), `age` | the key file |
    /// | `regenerate_key` | the key | | the new key file; the old one is dead at once |
    /// | `delete_key` | the key | | `{}` |
    /// | `set_role` | the key, `role` | | `{}` |
    /// | `describe_key` | the key, `description` | | `{}`; seen in the file after the next regeneration |
    /// | `download_key` | the key | | the key file as it was handed out: what a person may still have |
    /// | `add_client` | `name` | `key_type` (`RSA` or `EC`), `permissions` | issuer, client id and private key |
    /// | `delete_client` | `client_id` | | `{}` |
    /// | `issue_by_hand` | `names`: tenant, `legacy` or `oauth`, and the description | | `content`: what is handed over |
    /// | `remove_by_hand` | `names`, `content` | | `{}` |
    pub(super) fn at_the_console(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        match required(action, "action")? {
            "add_key" => {
                let super_admin = role(action)?.unwrap_or(false);
                let added_at = match action.get("age").and_then(Value::as_str) {
                    Some(age) => before(now, twin::parse_duration(age).map_err(|error| error.to_string())?),
                    None => now,
                };
                let index = self.add_key(required(action, "name")?, super_admin, false, added_at)?;
                self.told(now, "API_KEY_ADDED", index)
            }
            "regenerate_key" => {
                let index = self.key_at(action)?;
                let material = self.dealer.deal(Kind::Rsa)?;
                if let Some(key) = self.keys.get_mut(index) {
                    key.material = material;
                    key.description_in_file.clone_from(&key.description);
                }
                self.told(now, "API_KEY_REGENERATED", index)
            }
            "download_key" => {
                let index = self.key_at(action)?;
                Ok(self.keys.get(index).map(|key| self.key_file(key)).unwrap_or_default())
            }
            "delete_key" => {
                let index = self.key_at(action)?;
                self.told(now, "API_KEY_DELETED", index)?;
                if let Some(key) = self.keys.get_mut(index) {
                    key.deleted_at = Some(now);
                }
                Ok(json!({}))
            }
            "set_role" => {
                let index = self.key_at(action)?;
                let super_admin = role(action)?.ok_or("the console wants `role`")?;
                if let Some(key) = self.keys.get_mut(index) {
                    key.super_admin = super_admin;
                }
                self.told(now, "API_KEY_ROLE_CHANGED", index)?;
                Ok(json!({}))
            }
            "describe_key" => {
                let index = self.key_at(action)?;
                let description = required(action, "description")?;
                if let Some(key) = self.keys.get_mut(index) {
                    description.clone_into(&mut key.description);
                }
                Ok(json!({}))
            }
            "add_client" => self.console_adds_client(now, action),
            "delete_client" => {
                let id = required(action, "client_id")?;
                let there = self.clients.iter_mut().find(|one| one.client_id == id && one.deleted_at.is_none());
                there.ok_or_else(|| format!("the tenant has no client `{id}`"))?.deleted_at = Some(now);
                Ok(json!({}))
            }
            "issue_by_hand" => self.issue_by_hand(now, action),
            "remove_by_hand" => {
                let content: Value = serde_json::from_str(required(action, "content")?).unwrap_or_default();
                let (what, id) = match content.get("accessID") {
                    Some(id) => (json!({ "action": "delete_key", "access_id": id }), "key"),
                    None => (json!({ "action": "delete_client", "client_id": content.get("client_id") }), "client"),
                };
                self.at_the_console(now, &what).map_err(|error| format!("the {id} of this content: {error}"))
            }
            other => Err(format!("the console has no action `{other}`")),
        }
    }

    /// Another one beside the one of this description, with the same rights.
    fn issue_by_hand(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let names = action.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let name = names.last().and_then(Value::as_str).ok_or("the console wants `names`")?;
        let made = if names.iter().any(|name| name == "oauth") {
            let like = self.clients.iter().find(|client| client.name == name);
            let permissions = like.map(|client| client.permissions.clone()).unwrap_or_default();
            let index = self.add_client(name, Kind::Rsa, permissions, now)?;
            self.clients.get(index).map(|client| self.client_file(client)).unwrap_or_default()
        } else {
            let super_admin = self.keys.iter().any(|key| key.description == name && key.super_admin);
            let index = self.add_key(name, super_admin, false, now)?;
            self.told(now, "API_KEY_ADDED", index)?
        };
        Ok(json!({ "content": made.to_string() }))
    }

    fn console_adds_client(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let kind = match action.get("key_type").and_then(Value::as_str).unwrap_or("RSA") {
            "RSA" => Kind::Rsa,
            "EC" => Kind::Ec,
            other => return Err(format!("`key_type` is \"{other}\"; it can be RSA or EC")),
        };
        let permissions = action.get("permissions").and_then(Value::as_array).into_iter().flatten();
        let permissions = permissions.filter_map(|one| Some(one.as_str()?.to_owned())).collect();
        let index = self.add_client(required(action, "name")?, kind, permissions, now)?;
        Ok(self.clients.get(index).map(|client| self.client_file(client)).unwrap_or_default())
    }

    /// Writes the log, and hands out the key file.
    fn told(&mut self, now: Timestamp, activity_key: &str, index: usize) -> Result<Value, String> {
        let key = self.keys.get(index).ok_or("the key is gone")?;
        let (id, name, file) = (key.access_id.clone(), key.description.clone(), self.key_file(key));
        self.record(now, activity_key, &format!("{activity_key} {id}"), Some((&id, &name)));
        Ok(file)
    }

    fn key_at(&self, action: &Value) -> Result<usize, String> {
        let (by, wanted) = match action.get("access_id").and_then(Value::as_str) {
            Some(id) => ("access ID", id),
            None => ("description", required(action, "name")?),
        };
        let is_it = |key: &super::AdminKey| {
            let text = if by == "access ID" { &key.access_id } else { &key.description };
            key.is_there() && text == wanted
        };
        self.keys.iter().position(is_it).ok_or_else(|| format!("the tenant has no key with the {by} `{wanted}`"))
    }
}

fn required<'a>(action: &'a Value, name: &str) -> Result<&'a str, String> {
    action.get(name).and_then(Value::as_str).ok_or_else(|| format!("the console wants `{name}`"))
}

fn role(action: &Value) -> Result<Option<bool>, String> {
    match action.get("role").and_then(Value::as_str) {
        None => Ok(None),
        Some("help_desk") => Ok(Some(false)),
        Some("super") => Ok(Some(true)),
        Some(other) => Err(format!("`role` is \"{other}\"; it can be help_desk or super")),
    }
}
