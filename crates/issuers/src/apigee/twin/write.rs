//! Writes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use twin::{FaultKind, Reply};

use super::{
    Apigee, Outcome, Refusal, Request,
    address::Target,
    estate::{App, Key, NewKey, Parent, Reaches, Status, Who},
    options::Generation,
    read::unknown_key,
};

/// How late a change shows that shows late.
const LAG: SignedDuration = SignedDuration::from_secs(60);

impl Apigee {
    pub(super) fn write(&mut self, now: Timestamp, method: &str, target: &Target, request: &Request<'_>) -> Outcome {
        match (method, target) {
            ("POST", Target::Developers) => self.create_developer(now, request),
            ("POST", Target::Developer(email)) => {
                let who = Who { group: false, name: email.clone() };
                let active = request.get("action").ok_or_else(|| Refusal::invalid("action is missing"))? == "active";
                self.parent(&who)?;
                if let Some(parent) = self.estate.parents.get_mut(&who) {
                    parent.active = active;
                }
                Ok(Reply::empty(204))
            }
            ("POST", Target::OwnApps(who)) => self.create_app(now, who, request),
            ("POST" | "PUT", Target::App(who, app)) => self.write_app(now, method, who, app, request),
            ("DELETE", Target::App(who, app)) => self.delete_app(now, who, app, request),
            ("POST", Target::Keys(who, app)) => self.create_key(now, who, app, request),
            ("POST" | "PUT", Target::Key(who, app, key)) => self.change_key(now, who, app, key, request),
            ("DELETE", Target::Key(who, app, key)) => {
                self.find_app(who, app)?;
                let reaches = self.reaches(now, request.fault);
                let removed = self.estate.key(who, app, key).map(|key| self.key_object(key)).ok_or_else(unknown_key)?;
                self.estate.remove_key(who, app, key, reaches);
                Ok(Reply::json(200, &removed))
            }
            ("POST", Target::Product(who, app, key, product)) => {
                self.switch_product(now, who, app, key, product, request)
            }
            ("DELETE", Target::Product(who, app, key, product)) => {
                self.take_product(now, who, app, key, product, request)
            }
            _ => Err(Refusal::method()),
        }
    }

    fn reaches(&self, now: Timestamp, fault: Option<FaultKind>) -> Reaches {
        let lag = match fault {
            Some(FaultKind::Lies) => return Reaches::Never,
            Some(FaultKind::Lag) => self.options.replication_lag.saturating_add(LAG),
            _ => self.options.replication_lag,
        };
        if lag.is_positive() { Reaches::At(now.saturating_add(lag).unwrap_or(Timestamp::MAX)) } else { Reaches::Now }
    }

    fn create_developer(&mut self, now: Timestamp, request: &Request<'_>) -> Outcome {
        let body = request.json_body()?;
        let email = text(&body, "email")?.ok_or_else(|| Refusal::invalid("email is missing"))?;
        // X knows lower case only.
        let name = if self.options.generation == Generation::X { email.to_lowercase() } else { email };
        let who = Who { group: false, name };
        if self.estate.parents.contains_key(&who) {
            let message = format!("Developer {} already exists", who.name);
            return Err(Refusal::new(409, "developer.service.DeveloperAlreadyExists", message));
        }
        self.estate.changed();
        let parent = Parent {
            id: self.random.uuid(),
            first_name: text(&body, "firstName")?.unwrap_or_default(),
            last_name: text(&body, "lastName")?.unwrap_or_default(),
            active: true,
            created_at: now,
            apps: Default::default(),
        };
        let object = self.developer_object(&who.name, &parent);
        self.estate.parents.insert(who, parent);
        Ok(Reply::json(201, &object))
    }

    /// The app, and one key that the platform makes with it.
    fn create_app(&mut self, now: Timestamp, who: &Who, request: &Request<'_>) -> Outcome {
        let body = request.json_body()?;
        self.parent(who)?;
        let name = text(&body, "name")?.ok_or_else(|| Refusal::invalid("name is missing"))?;
        if self.estate.app(who, &name).is_some() {
            let message = format!("App with name {name} already exists");
            return Err(Refusal::new(409, "developer.service.AppAlreadyExists", message));
        }
        self.estate.changed();
        let app = App {
            id: self.random.uuid(),
            approved: true,
            attributes: Vec::new(),
            callback_url: String::new(),
            scopes: texts(&body, "scopes")?,
            created_at: now,
            modified_at: now,
            keys: Vec::new(),
        };
        if let Some(parent) = self.estate.parents.get_mut(who) {
            parent.apps.insert(name.clone(), app);
        }
        self.generate_key(now, who, &name, &body, request)?;
        self.whole_app(201, who, &name)
    }

    fn whole_app(&self, status: u16, who: &Who, app: &str) -> Outcome {
        let (parent, object) = (self.parent(who)?, self.find_app(who, app)?);
        Ok(Reply::json(status, &self.app_object(who, parent, app, object, self.estate.revision(), None)))
    }

    /// With `action` it changes the status. Otherwise it replaces attributes and callback by those of the request,
    /// be they absent, and a POST or a list of products makes one more key: the platform's own trap.
    fn write_app(&mut self, now: Timestamp, method: &str, who: &Who, app: &str, request: &Request<'_>) -> Outcome {
        self.find_app(who, app)?;
        let body = request.json_body()?;
        let action = request.get("action").map(str::to_owned);
        if let Some(action) = action {
            self.estate.changed();
            if let Some(object) = self.estate.app_mut(who, app) {
                object.approved = action == "approve";
            }
            return Ok(Reply::empty(204));
        }
        if method == "POST" || body.contains_key("apiProducts") {
            self.generate_key(now, who, app, &body, request)?;
        } else {
            self.overwrite(now, who, app, &body)?;
        }
        self.whole_app(200, who, app)
    }

    fn overwrite(&mut self, now: Timestamp, who: &Who, app: &str, body: &Map<String, Value>) -> Result<(), Refusal> {
        let (attributes, callback) = (attributes(body)?.unwrap_or_default(), text(body, "callbackUrl")?);
        self.estate.changed();
        if let Some(object) = self.estate.app_mut(who, app) {
            object.attributes = attributes;
            object.callback_url = callback.unwrap_or_default();
            object.modified_at = now;
        }
        Ok(())
    }

    fn generate_key(
        &mut self,
        now: Timestamp,
        who: &Who,
        app: &str,
        body: &Map<String, Value>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        let products = self.products(texts(body, "apiProducts")?)?;
        let life = number(body, "keyExpiresIn")?.filter(|milliseconds| *milliseconds > 0);
        self.refuse_one_too_many(who, app)?;
        self.overwrite(now, who, app, body)?;
        let new = NewKey {
            consumer_key: super::seed::generated_key(&mut self.random),
            consumer_secret: self.random.hex(),
            issued_at: whole_millisecond(now),
            expires_at: life.and_then(|life| now.checked_add(SignedDuration::from_millis(life)).ok()),
            products,
            attributes: Vec::new(),
            scopes: texts(body, "scopes")?,
        };
        let reaches = self.reaches(now, request.fault);
        self.estate.add_key(who, app, new, reaches);
        Ok(())
    }

    fn products(&self, names: Vec<String>) -> Result<Vec<(String, Status)>, Refusal> {
        let status = |name: String| match self.estate.status_of_new(&name, self.options.pending_products) {
            Some(status) => Ok((name, status)),
            None => {
                let message = format!("API Product [{name}] does not exist for tenant [{}]", super::ORGANIZATION);
                Err(Refusal::new(400, "keymanagement.service.apiproduct_doesnot_exist", message))
            }
        };
        names.into_iter().map(status).collect()
    }

    fn refuse_one_too_many(&self, who: &Who, app: &str) -> Result<(), Refusal> {
        let now = self.estate.revision();
        let have = self.find_app(who, app)?.keys.iter().filter(|key| key.is_there(now)).count();
        match self.options.keys_max {
            Some(most) if have >= most as usize => {
                let message = format!("App {app} has {have} keys, which is the maximum");
                Err(Refusal::new(400, "keymanagement.service.KeyLimitExceeded", message))
            }
            _ => Ok(()),
        }
    }

    fn delete_app(&mut self, now: Timestamp, who: &Who, app: &str, request: &Request<'_>) -> Outcome {
        let reply = self.whole_app(200, who, app)?;
        let keys: Vec<String> = self.find_app(who, app)?.keys.iter().map(|key| key.consumer_key.clone()).collect();
        let reaches = self.reaches(now, request.fault);
        for key in keys {
            self.estate.remove_key(who, app, &key, reaches);
        }
        if let Some(parent) = self.estate.parents.get_mut(who) {
            parent.apps.remove(app);
        }
        Ok(reply)
    }

    /// Takes the value of the request; without products, whatever it says.
    fn create_key(&mut self, now: Timestamp, who: &Who, app: &str, request: &Request<'_>) -> Outcome {
        self.find_app(who, app)?;
        let body = request.json_body()?;
        let (key, secret) = (text(&body, "consumerKey")?, text(&body, "consumerSecret")?);
        let (Some(consumer_key), Some(consumer_secret)) = (key, secret) else {
            return Err(Refusal::invalid("consumerKey and consumerSecret are required"));
        };
        for value in [&consumer_key, &consumer_secret] {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if value.is_empty() || value.len() > 2048 || !value.chars().all(plain) {
                return Err(Refusal::invalid("consumerKey and consumerSecret hold letters, digits, _ and - only"));
            }
        }
        if !self.estate.is_free(&consumer_key) {
            let code = "keymanagement.service.ConsumerKeyAlreadyExists";
            return Err(Refusal::new(409, code, "ConsumerKey already exists"));
        }
        self.refuse_one_too_many(who, app)?;
        let x = self.options.generation == Generation::X;
        let life = number(&body, "expiresInSeconds")?.filter(|seconds| x && *seconds > 0);
        let new = NewKey {
            consumer_key,
            consumer_secret,
            issued_at: whole_millisecond(now),
            expires_at: life.and_then(|life| now.checked_add(SignedDuration::from_secs(life)).ok()),
            products: Vec::new(),
            attributes: attributes(&body)?.filter(|_| x).unwrap_or_default(),
            scopes: if x { texts(&body, "scopes")? } else { Vec::new() },
        };
        let reaches = self.reaches(now, request.fault);
        match self.estate.add_key(who, app, new, reaches).map(std::ptr::from_ref) {
            Some(_) => {
                let key = self.find_app(who, app)?.keys.last().ok_or_else(unknown_key)?;
                Ok(Reply::json(201, &self.key_object(key)))
            }
            None => Err(unknown_key()),
        }
    }

    /// Adds products and replaces attributes and scopes, or changes the status.
    fn change_key(&mut self, now: Timestamp, who: &Who, app: &str, key: &str, request: &Request<'_>) -> Outcome {
        self.find_app(who, app)?;
        self.estate.key(who, app, key).ok_or_else(unknown_key)?;
        let body = request.json_body()?;
        let of_appgroup = who.group && self.options.generation == Generation::X;
        let action = if of_appgroup { text(&body, "action")? } else { request.get("action").map(str::to_owned) };
        if let Some(action) = action {
            return self.switch_key(now, who, app, key, &action, request);
        }
        let added = self.products(texts(&body, "apiProducts")?)?;
        let more = body.get("appGroupAppKey").and_then(Value::as_object).filter(|_| of_appgroup).unwrap_or(&body);
        let attributes = attributes(more)?;
        let scopes = more.contains_key("scopes").then(|| texts(more, "scopes")).transpose()?;
        let reaches = self.reaches(now, request.fault);
        self.estate.change_key(who, app, key, reaches, |key| {
            for (name, status) in added {
                if key.products.iter().all(|(have, _)| *have != name) {
                    key.products.push((name, status));
                }
            }
            key.attributes = attributes.unwrap_or(std::mem::take(&mut key.attributes));
            key.scopes = scopes.unwrap_or(std::mem::take(&mut key.scopes));
        });
        self.key_now(who, app, key)
    }

    fn key_now(&self, who: &Who, app: &str, key: &str) -> Outcome {
        let key = self.estate.key(who, app, key).ok_or_else(unknown_key)?;
        Ok(Reply::json(200, &self.key_object(key)))
    }

    fn switch_key(
        &mut self,
        now: Timestamp,
        who: &Who,
        app: &str,
        key: &str,
        action: &str,
        request: &Request<'_>,
    ) -> Outcome {
        let status = status_of(action)?;
        let reaches = self.reaches(now, request.fault);
        self.estate.change_key(who, app, key, reaches, |key: &mut Key| key.status = status);
        if self.options.action_200 { self.key_now(who, app, key) } else { Ok(Reply::empty(204)) }
    }

    fn switch_product(
        &mut self,
        now: Timestamp,
        who: &Who,
        app: &str,
        key: &str,
        product: &str,
        request: &Request<'_>,
    ) -> Outcome {
        self.find_app(who, app)?;
        let there = self.estate.key(who, app, key).ok_or_else(unknown_key)?;
        if there.products.iter().all(|(name, _)| name != product) {
            let message = format!("API Product [{product}] does not exist for the key");
            return Err(Refusal::new(404, "keymanagement.service.apiproduct_doesnot_exist", message));
        }
        if self.options.approval_refused {
            return Err(Refusal::forbidden("apigee.appkeys.manage"));
        }
        let status = status_of(request.get("action").unwrap_or_default())?;
        let reaches = self.reaches(now, request.fault);
        self.estate.change_key(who, app, key, reaches, |key| {
            for (name, have) in &mut key.products {
                if name == product {
                    *have = status;
                }
            }
        });
        match self.options.generation {
            Generation::X => Ok(Reply::json(200, &json!({}))),
            Generation::Edge => Ok(Reply::empty(204)),
        }
    }

    fn take_product(
        &mut self,
        now: Timestamp,
        who: &Who,
        app: &str,
        key: &str,
        product: &str,
        request: &Request<'_>,
    ) -> Outcome {
        self.find_app(who, app)?;
        let there = self.estate.key(who, app, key).ok_or_else(unknown_key)?;
        if there.products.iter().all(|(name, _)| name != product) {
            let message = "APIProduct is not associated with consumer key";
            return Err(Refusal::new(500, "keymanagement.service.InternalError", message));
        }
        let reaches = self.reaches(now, request.fault);
        self.estate.change_key(who, app, key, reaches, |key| key.products.retain(|(name, _)| name != product));
        self.key_now(who, app, key)
    }
}

fn status_of(action: &str) -> Result<Status, Refusal> {
    match action {
        "approve" => Ok(Status::Approved),
        "revoke" => Ok(Status::Revoked),
        other => Err(Refusal::invalid(format!("action {other} is not valid"))),
    }
}

/// Times are told in milliseconds.
pub(super) fn whole_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A text member; absent and null are the same.
fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid(format!("{name} is not a string"))),
    }
}

fn texts(body: &Map<String, Value>, name: &str) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid(format!("{name} is not a list of strings"));
    let Some(value) = body.get(name) else { return Ok(Vec::new()) };
    let items = value.as_array().ok_or_else(wrong)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

/// A number, as one or as a text.
fn number(body: &Map<String, Value>, name: &str) -> Result<Option<i64>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| Refusal::invalid(format!("{name}: {text}"))),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| Refusal::invalid(format!("{name} is not a number"))),
    }
}

fn attributes(body: &Map<String, Value>) -> Result<Option<Vec<(String, String)>>, Refusal> {
    let wrong = || Refusal::invalid("attributes is not a list of name and value");
    let Some(value) = body.get("attributes") else { return Ok(None) };
    let items = value.as_array().ok_or_else(wrong)?;
    let member = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let pair = |item: &Value| Some((member(item, "name")?, member(item, "value").unwrap_or_default()));
    items.iter().map(|item| pair(item).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
}
