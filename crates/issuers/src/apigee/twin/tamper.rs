//! What a person does at the console, while we look elsewhere.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Apigee,
    estate::{App, NewKey, Parent, Reaches, Status, Who},
    options::Generation,
    seed,
    stats::ago,
    write::whole_millisecond,
};

impl Apigee {
    /// The actions, each an object with `action` and what it needs. `developer` is an e-mail address, or a group as
    /// the state names it.
    ///
    /// | `action` | needs | may have |
    /// | --- | --- | --- |
    /// | `create_developer` | `developer` | |
    /// | `deactivate_developer`, `activate_developer` | `developer` | |
    /// | `create_app` | `developer`, `app` | `age` |
    /// | `delete_app`, `disable_app`, `enable_app` | `developer`, `app` | |
    /// | `create_credential` | `developer`, `app` | `name`, `age`, `expires_in`, `products` |
    /// | `delete_credential`, `revoke_credential`, `approve_credential` | `developer`, `app`, `name` | |
    /// | `approve_product`, `revoke_product` | `developer`, `app`, `name`, `product` | |
    ///
    /// `name` is the consumer key, `age` and `expires_in` are durations like `300d`. What makes a key answers it; the
    /// rest answers an empty object. The gateway hears of it at once, and remembers as it always does.
    pub(super) fn tamper_with(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let what = required(action, "action")?;
        let who = self.who(required(action, "developer")?);
        let age = duration(action, "age")?.unwrap_or_default();
        match what {
            "create_developer" => {
                self.estate.changed();
                let parent = Parent {
                    id: self.random.uuid(),
                    first_name: who.name.clone(),
                    last_name: if who.group { String::new() } else { "Newcomer".to_owned() },
                    active: true,
                    created_at: ago(now, age),
                    apps: Default::default(),
                };
                self.estate.parents.entry(who).or_insert(parent);
                return Ok(json!({}));
            }
            "deactivate_developer" | "activate_developer" => {
                self.estate.changed();
                let parent = self.estate.parents.get_mut(&who).ok_or_else(|| format!("no `{}`", who.name))?;
                parent.active = what == "activate_developer";
                return Ok(json!({}));
            }
            _ => {}
        }
        let app = required(action, "app")?;
        if what == "create_app" {
            let app_object = App {
                id: self.random.uuid(),
                approved: true,
                attributes: Vec::new(),
                callback_url: String::new(),
                scopes: Vec::new(),
                created_at: ago(now, age),
                modified_at: ago(now, age),
                keys: Vec::new(),
            };
            self.estate.changed();
            let parent = self.estate.parents.get_mut(&who).ok_or_else(|| format!("no `{}`", who.name))?;
            parent.apps.entry(app.to_owned()).or_insert(app_object);
            return Ok(json!({}));
        }
        self.estate.app(&who, app).ok_or_else(|| format!("`{}` has no app `{app}`", who.name))?;
        match what {
            "disable_app" | "enable_app" => {
                self.estate.changed();
                if let Some(app) = self.estate.app_mut(&who, app) {
                    app.approved = what == "enable_app";
                }
            }
            "delete_app" => {
                self.estate.changed();
                if let Some(parent) = self.estate.parents.get_mut(&who) {
                    parent.apps.remove(app);
                }
            }
            "create_credential" => return self.create_by_hand(now, &who, app, age, action),
            _ => self.tamper_with_key(what, &who, app, action)?,
        }
        Ok(json!({}))
    }

    fn create_by_hand(
        &mut self,
        now: Timestamp,
        who: &Who,
        app: &str,
        age: SignedDuration,
        action: &Value,
    ) -> Result<Value, String> {
        let life = duration(action, "expires_in")?;
        let issued_at = whole_millisecond(ago(now, age));
        let name = action.get("name").and_then(Value::as_str).map(str::to_owned);
        let products = match action.get("products").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => vec!["accounts-read".to_owned()],
        };
        let new = NewKey {
            consumer_key: name.unwrap_or_else(|| seed::generated_key(&mut self.random)),
            consumer_secret: self.random.hex(),
            issued_at,
            expires_at: life.and_then(|life| issued_at.checked_add(life).ok()),
            products: products.into_iter().map(|name| (name, Status::Approved)).collect(),
            attributes: Vec::new(),
            scopes: Vec::new(),
        };
        if !self.estate.is_free(&new.consumer_key) {
            return Err(format!("the key `{}` exists already", new.consumer_key));
        }
        let answer = json!({ "consumer_key": new.consumer_key, "consumer_secret": new.consumer_secret });
        self.estate.add_key(who, app, new, Reaches::Now);
        Ok(answer)
    }

    fn tamper_with_key(&mut self, what: &str, who: &Who, app: &str, action: &Value) -> Result<(), String> {
        let key = required(action, "name")?;
        self.estate.key(who, app, key).ok_or_else(|| format!("the app has no key `{key}`"))?;
        match what {
            "delete_credential" => drop(self.estate.remove_key(who, app, key, Reaches::Now)),
            "revoke_credential" | "approve_credential" => {
                let status = if what == "revoke_credential" { Status::Revoked } else { Status::Approved };
                self.estate.change_key(who, app, key, Reaches::Now, |key| key.status = status);
            }
            "approve_product" | "revoke_product" => {
                let product = required(action, "product")?;
                let status = if what == "approve_product" { Status::Approved } else { Status::Revoked };
                self.estate.change_key(who, app, key, Reaches::Now, |key| {
                    let mut products = key.products.iter_mut();
                    if let Some((_, have)) = products.find(|(name, _)| name == product) {
                        *have = status;
                    }
                });
            }
            unknown => return Err(format!("unknown action `{unknown}`")),
        }
        Ok(())
    }

    fn who(&self, level: &str) -> Who {
        let word = if self.options.generation == Generation::X { "appgroup:" } else { "company:" };
        match level.strip_prefix(word) {
            Some(name) => Who { group: true, name: name.to_owned() },
            None => Who { group: false, name: level.to_owned() },
        }
    }
}

fn required<'a>(action: &'a Value, name: &str) -> Result<&'a str, String> {
    let text = action.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("`{name}` is missing"))
}

fn duration(action: &Value, name: &str) -> Result<Option<SignedDuration>, String> {
    match action.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => twin::parse_duration(text).map(Some).map_err(|error| error.to_string()),
        Some(_) => Err(format!("`{name}` is not a text like `300d`")),
    }
}
