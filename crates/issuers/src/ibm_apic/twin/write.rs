//! What changes credentials: create, PATCH, DELETE, reset. And `verify-client-secret`, which is a POST as well.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{FaultKind, Reply};

use super::{
    ApiConnect, Outcome, Refusal, Request,
    address::{Action, Target},
    arena::Key,
    estate::{App, Credential, NewCredential, Reaches},
    query::Object,
    seed::{first_credential_title, name_from},
};

/// What the `lag` fault adds to the way of one change to the gateways.
const LAG: SignedDuration = SignedDuration::from_secs(30);

impl ApiConnect {
    pub(super) fn write(&mut self, now: Timestamp, method: &str, target: &Target, request: &Request<'_>) -> Outcome {
        match (method, target) {
            ("POST", Target::OrgApps(org)) => self.create_app(now, org, request),
            ("POST", Target::Credentials { org, app }) => {
                let app = self.find_app(org, app)?;
                self.create_credential(now, app, request)
            }
            ("DELETE", Target::Credentials { org, app }) => {
                let app = self.find_app(org, app)?;
                self.clear_credentials(now, app, request)
            }
            ("PATCH", Target::Credential { org, app, credential }) => {
                let key = self.find_credential(org, app, credential)?;
                self.patch_credential(now, key, request)
            }
            ("DELETE", Target::Credential { org, app, credential }) => {
                let key = self.find_credential(org, app, credential)?;
                self.estate.remove_credential(now, key, self.reaches(request.fault));
                Ok(self.deleted())
            }
            ("POST", Target::Act { org, app, credential, action }) => {
                let key = self.find_credential(org, app, credential)?;
                match action {
                    Action::Reset => Ok(self.reset(now, key, true)),
                    Action::ResetSecret => Ok(self.reset(now, key, false)),
                    Action::VerifySecret => self.verify_secret(key, request),
                }
            }
            _ => Err(Refusal::new(405, "The method is not allowed here.")),
        }
    }

    fn delay(&self, fault: Option<FaultKind>) -> SignedDuration {
        match fault {
            Some(FaultKind::Lag) => self.options.propagation.saturating_add(LAG),
            _ => self.options.propagation,
        }
    }

    fn reaches(&self, fault: Option<FaultKind>) -> Reaches {
        match fault {
            Some(FaultKind::Lies) => Reaches::Never,
            _ => Reaches::After(self.delay(fault)),
        }
    }

    fn deleted(&self) -> Reply {
        Reply::empty(if self.options.delete_204 { 204 } else { 200 })
    }

    fn taken(&self, message: String) -> Refusal {
        Refusal::new(if self.options.duplicate_400 { 400 } else { 409 }, message)
    }

    /// The application and the one credential that the platform makes with it, whose pair stands at the top level.
    fn create_app(&mut self, now: Timestamp, org: &str, request: &Request<'_>) -> Outcome {
        let org = self.find_org(org)?;
        let body = request.json_body()?;
        let (name, title) = wanted_names(&body)?;
        if self.estate.orgs[org].app(&name).is_some() {
            return Err(self.taken(format!("An application with the name '{name}' already exists.")));
        }
        let Some(app) = self.estate.add_app(org, &name, &title, now) else {
            return Err(self.taken(format!("An application with the name '{name}' already exists.")));
        };
        let first_title = first_credential_title(&title);
        let new = NewCredential {
            name: name_from(&first_title),
            title: first_title,
            summary: String::new(),
            client_id: text(&body, "client_id")?,
            client_secret: text(&body, "client_secret")?,
            created_at: now,
        };
        let key = self.estate.add_credential(now, app, new, self.delay(request.fault));
        let mut object = self.current_view().app_object(&self.estate.apps[app]);
        self.show_pair(&mut object, key);
        Ok(Reply::json(201, &Value::Object(object)))
    }

    fn create_credential(&mut self, now: Timestamp, app: Key<App>, request: &Request<'_>) -> Outcome {
        if let Some(elsewhere) = &self.options.redirect_creates {
            return Ok(Reply::empty(302).header("location", elsewhere.clone()));
        }
        let body = request.json_body()?;
        let (name, title) = wanted_names(&body)?;
        let client_id = text(&body, "client_id")?;
        self.refuse_taken_name(app, &name)?;
        self.refuse_taken_client_id(client_id.as_deref(), None)?;
        if let Some(most) = self.options.credentials_max
            && self.current_view().credentials_of(&self.estate.apps[app]).len() >= most as usize
        {
            let message = format!("The application already has {most} credentials, which is the maximum.");
            return Err(Refusal::new(400, message));
        }
        let new = NewCredential {
            name,
            title,
            summary: text(&body, "summary")?.unwrap_or_default(),
            client_id,
            client_secret: text(&body, "client_secret")?,
            created_at: now,
        };
        let key = self.estate.add_credential(now, app, new, self.delay(request.fault));
        let mut object = self.current_view().credential_object(key);
        self.show_pair(&mut object, key);
        Ok(Reply::json(201, &Value::Object(object)))
    }

    /// The one moment at which the secret is told.
    fn show_pair(&self, object: &mut Object, key: Key<Credential>) {
        let credential = &self.estate.credentials[key];
        object.insert("client_id".to_owned(), json!(credential.client_id));
        object.insert("client_secret".to_owned(), json!(credential.client_secret));
    }

    fn refuse_taken_name(&self, app: Key<App>, name: &str) -> Result<(), Refusal> {
        match self.estate.apps[app].credential(name) {
            Some(_) => Err(self.taken(format!("A credential with the name '{name}' already exists."))),
            None => Ok(()),
        }
    }

    fn refuse_taken_client_id(&self, client_id: Option<&str>, but: Option<Key<Credential>>) -> Result<(), Refusal> {
        match client_id {
            Some(id) if self.estate.client_id_is_taken(id, but) => {
                Err(self.taken("A credential with this client ID already exists.".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Members that describe the object's place and history are ignored, as documented.
    fn patch_credential(&mut self, now: Timestamp, key: Key<Credential>, request: &Request<'_>) -> Outcome {
        let body = request.json_body()?;
        if body.get("client_id").is_some_and(Value::is_null) {
            return Err(Refusal::new(400, "The property 'client_id' may not be null."));
        }
        let app = self.estate.credentials[key].app;
        let old = self.estate.credentials[key].names(self.estate.revision());
        let name = text(&body, "name")?.filter(|_| !self.options.names_fixed).unwrap_or_else(|| old.name.clone());
        let title = text(&body, "title")?.unwrap_or_else(|| old.title.clone());
        let (client_id, client_secret) = (text(&body, "client_id")?, text(&body, "client_secret")?);
        let summary = text(&body, "summary")?;
        if name != old.name {
            check_name(&name)?;
            self.refuse_taken_name(app, &name)?;
        }
        self.refuse_taken_client_id(client_id.as_deref(), Some(key))?;
        // Everything is in order: from here on nothing is refused, so that nothing is half done.
        if name != old.name || title != old.title {
            self.estate.rename_credential(now, key, &name, &title);
        }
        if client_id.is_some() || client_secret.is_some() {
            self.estate.change_pair(now, key, client_id, client_secret, self.delay(request.fault));
        }
        self.estate.set_summary(now, key, summary.as_deref());
        Ok(Reply::json(200, &self.current_view().credential(key, &request.query.shape())))
    }

    fn reset(&mut self, now: Timestamp, key: Key<Credential>, both: bool) -> Reply {
        let client_id = both.then(|| self.estate.generated());
        let client_secret = Some(self.estate.generated());
        self.estate.change_pair(now, key, client_id, client_secret, self.options.propagation);
        let mut object = self.current_view().credential_object(key);
        self.show_pair(&mut object, key);
        Reply::json(200, &Value::Object(object))
    }

    /// By the platform's own record, whatever the gateways have heard.
    fn verify_secret(&self, key: Key<Credential>, request: &Request<'_>) -> Outcome {
        let body = request.json_body()?;
        let credential = &self.estate.credentials[key];
        let (client_id, client_secret) = (text(&body, "client_id")?, text(&body, "client_secret")?);
        if client_id.as_deref() == Some(&*credential.client_id)
            && client_secret.as_deref() == Some(&*credential.client_secret)
        {
            return Ok(Reply::json(200, &json!({ "client_id": credential.client_id })));
        }
        Err(Refusal::new(self.options.verify_mismatch, "The client ID or the client secret does not match."))
    }

    /// What an address of one credential becomes when its name is empty: every pair of the application goes.
    fn clear_credentials(&mut self, now: Timestamp, app: Key<App>, request: &Request<'_>) -> Outcome {
        if request.query.get("confirm").is_none() {
            return Err(Refusal::new(400, "The parameter 'confirm' is required to remove all credentials."));
        }
        let there = self.current_view().credentials_of(&self.estate.apps[app]);
        for key in there {
            self.estate.remove_credential(now, key, self.reaches(request.fault));
        }
        Ok(self.deleted())
    }
}

/// Name and title, of which one is enough: the name is derived from the title.
fn wanted_names(body: &Object) -> Result<(String, String), Refusal> {
    let (name, title) = match (text(body, "name")?, text(body, "title")?) {
        (Some(name), Some(title)) => (name, title),
        (Some(name), None) => (name.clone(), name),
        (None, Some(title)) => (name_from(&title), title),
        (None, None) => return Err(Refusal::new(400, "The property 'title' is required.")),
    };
    check_name(&name)?;
    Ok((name, title))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
        return Err(Refusal::new(400, format!("The name '{}' is not valid.", name.escape_debug())));
    }
    Ok(())
}

/// A text member; absent and null are the same.
fn text(body: &Object, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::new(400, format!("The property '{name}' is not a string."))),
    }
}
