//! What the console hands out: the key file of an Administration API key, and what belongs to an OAuth client.
//!
//! People copy, paste and shorten. What can be put right is, once, here; what cannot is refused with the reason, and
//! never quoted: it may be a key all the same.

use domain::Handle;
use secret::{Secret, SecretMap};
use serde_json::{Map, Value};
use url::Url;

use super::{
    base::Base,
    config::{Checked, Form},
    jwt::{Jwk, SigningKey, read_pem},
};

pub(super) const CUSTOMER_NAME: &str = "customerName";
pub(super) const ACCESS_ID: &str = "accessID";
pub(super) const DESCRIPTION: &str = "description";
pub(super) const ACCESS_KEY: &str = "accessKey";
pub(super) const ADMIN_REST_API_URL: &str = "adminRestApiUrl";
/// The whole file as one field.
pub(super) const KEY_FILE: &str = "key_file";

pub(super) const ISSUER: &str = "issuer";
pub(super) const CLIENT_ID: &str = "client_id";
pub(super) const PRIVATE_KEY: &str = "private_key";

/// A key file of five fields, put right.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub handle: Handle,
    customer_name: String,
    description: Option<String>,
    /// The address as the file has it: what is signed is addressed to it, letter by letter.
    pub audience: String,
    pem: Secret,
    pub key: SigningKey,
}

impl KeyFile {
    /// Reads a file, or what was pasted.
    pub(super) fn read(content: &Secret, at: &Checked) -> Result<Self, String> {
        let file = Self::of_object(object(content)?)?;
        file.belongs_to(at)?;
        Ok(file)
    }

    /// Reads it back from what is held.
    pub(super) fn of_map(map: &SecretMap) -> Result<Self, String> {
        if let Some(file) = map.get(KEY_FILE) {
            return Self::of_object(object(file)?);
        }
        let mut fields = Map::new();
        for (name, value) in map.iter() {
            let text = value.expose_text().ok_or_else(|| format!("`{name}` is not text"))?;
            fields.insert(name.to_owned(), Value::from(text));
        }
        Self::of_object(fields)
    }

    fn of_object(fields: Map<String, Value>) -> Result<Self, String> {
        if fields.contains_key("kty") {
            return Err("it is the JSON Web Key of an OAuth client, not the key file of an Administration key".into());
        }
        let names = [CUSTOMER_NAME, ACCESS_ID, ACCESS_KEY, ADMIN_REST_API_URL];
        let missing: Vec<String> =
            names.iter().filter(|name| !fields.contains_key(**name)).map(|name| format!("`{name}`")).collect();
        if !missing.is_empty() {
            return Err(format!("it is not a key file: it lacks {}", missing.join(", ")));
        }
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(format!("`{name}` of the key file is not a text")),
        };
        let (key, pem) = read_pem(&text(ACCESS_KEY)?)?;
        let id = text(ACCESS_ID)?;
        let handle = Handle::parse(&id).map_err(|error| format!("`{ACCESS_ID}` of the key file is no id: {error}"))?;
        Ok(Self {
            handle,
            key,
            pem,
            customer_name: text(CUSTOMER_NAME)?,
            description: text(DESCRIPTION).ok(),
            audience: text(ADMIN_REST_API_URL)?,
        })
    }

    /// A file of another tenant would work, for another tenant; and one that names another address would have us send
    /// there what it signs.
    pub(super) fn belongs_to(&self, at: &Checked) -> Result<(), String> {
        if !self.customer_name.eq_ignore_ascii_case(&at.tenant) {
            let (theirs, ours) = (shown(&self.customer_name), &at.tenant);
            return Err(format!("it is the key file of {theirs}, and `{ours}` is the tenant of this issuer"));
        }
        let url = Url::parse(&self.audience).map_err(|_| format!("`{ADMIN_REST_API_URL}` is no address"))?;
        if Base::of_api(&url) != at.endpoint {
            let (theirs, ours) = (shown(url.host_str().unwrap_or_default()), at.endpoint.as_str());
            return Err(format!("its `{ADMIN_REST_API_URL}` is at {theirs}, and the issuer's `endpoint` is {ours}"));
        }
        Ok(())
    }

    /// As consumers get it, under the platform's own names.
    pub(super) fn to_map(&self, form: Form) -> SecretMap {
        let mut fields = vec![
            (CUSTOMER_NAME.to_owned(), Secret::from_text(self.customer_name.clone())),
            (ACCESS_ID.to_owned(), Secret::from_text(self.handle.as_str())),
            (ACCESS_KEY.to_owned(), self.pem.duplicate()),
            (ADMIN_REST_API_URL.to_owned(), Secret::from_text(self.audience.clone())),
        ];
        let description = self.description.clone().map(Secret::from_text);
        fields.extend(description.map(|description| (DESCRIPTION.to_owned(), description)));
        match form {
            Form::Fields => SecretMap::new(fields),
            Form::File => {
                let text = |value: &Secret| Value::from(value.expose_text().unwrap_or_default());
                let file: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
                let file = Secret::from_text(Value::Object(file).to_string());
                SecretMap::new([(KEY_FILE.to_owned(), file)])
            }
        }
    }
}

/// An OAuth client: where it asks for tokens, who it is, and its private key.
#[derive(Debug)]
pub(super) struct ClientFile {
    pub handle: Handle,
    pub issuer: Base,
    pub kid: String,
    jwk: Secret,
    pub key: SigningKey,
}

impl ClientFile {
    /// Reads one document with the three parts that the console shows.
    pub(super) fn read(content: &Secret, at: &Checked) -> Result<Self, String> {
        let file = Self::of_object(&object(content)?, at)?;
        match &at.oauth_issuer {
            Some(issuer) if *issuer == file.issuer => Ok(file),
            _ => Err(format!("its `{ISSUER}` is not the `oauth_issuer` of this issuer")),
        }
    }

    pub(super) fn of_map(map: &SecretMap, at: &Checked) -> Result<Self, String> {
        let mut fields = Map::new();
        for (name, value) in map.iter() {
            let text = value.expose_text().ok_or_else(|| format!("`{name}` is not text"))?;
            fields.insert(name.to_owned(), Value::from(text));
        }
        Self::of_object(&fields, at)
    }

    fn of_object(fields: &Map<String, Value>, at: &Checked) -> Result<Self, String> {
        let any = |names: &[&str]| names.iter().find_map(|name| fields.get(*name)).cloned();
        let text = |value: Option<Value>| value.and_then(|value| Some(value.as_str()?.trim().to_owned()));
        if fields.contains_key("kty") {
            return Err("it is the private key alone: hand over one JSON document with `issuer`, `client_id` and \
                        `private_key`, the content of the key's file"
                .to_owned());
        }
        if fields.contains_key(ACCESS_KEY) {
            return Err("it is the key file of an Administration key, not an OAuth client".to_owned());
        }
        let client_id = text(any(&[CLIENT_ID, "clientId", "clientID"])).ok_or("it lacks `client_id`")?;
        let handle = Handle::parse(&client_id).map_err(|error| format!("`client_id` is no id: {error}"))?;
        let issuer = match text(any(&[ISSUER, "issuerUrl", "issuer_url"])) {
            Some(text) => {
                let url = Url::parse(&text).map_err(|_| "`issuer` is no address".to_owned())?;
                Base::of_issuer(&url)
            }
            None => at.oauth_issuer.clone().ok_or("it lacks `issuer`")?,
        };
        let jwk = match any(&[PRIVATE_KEY, "privateKey", "jwk"]).ok_or("it lacks `private_key`")? {
            Value::String(text) => Secret::from_text(text),
            other => Secret::from_text(other.to_string()),
        };
        let parsed: Jwk = serde_json::from_slice(jwk.expose()).map_err(|_| "`private_key` is no JSON Web Key")?;
        let kid = parsed.kid.clone().ok_or("the JSON Web Key has no `kid`, which the platform asks for")?;
        Ok(Self { handle, issuer, kid, key: parsed.signing_key()?, jwk })
    }

    pub(super) fn to_map(&self) -> SecretMap {
        SecretMap::new([
            (ISSUER.to_owned(), Secret::from_text(self.issuer.as_str())),
            (CLIENT_ID.to_owned(), Secret::from_text(self.handle.as_str())),
            (PRIVATE_KEY.to_owned(), self.jwk.duplicate()),
        ])
    }
}

/// The object that was handed over. What is wrong is told by its place or by its kind.
fn object(content: &Secret) -> Result<Map<String, Value>, String> {
    let text = content.expose_text().ok_or("it is not text: hand over the file as it was downloaded")?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.starts_with("-----BEGIN") {
        return Err("it is a bare key: hand over the whole file, which begins with `{`".to_owned());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("it is JSON, but no object: hand over the whole file, which begins with `{`".to_owned()),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            Err(format!("it is no JSON (line {line}, column {column}): hand over the file as it was downloaded"))
        }
    }
}

/// A public part of what was handed over, where it looks like a name: in a file that somebody has mixed up, a secret may
/// stand anywhere.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !text.is_empty() && text.len() <= CHARS_MAX && text.chars().all(is_name) {
        format!("`{text}`")
    } else {
        "another one".to_owned()
    }
}
