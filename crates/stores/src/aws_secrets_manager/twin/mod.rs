//! AWS Secrets Manager with STS, simulated: one account, one region, and what surrounds a program there.
//!
//! Written from the service's model and documents; it shares no type with the driver beside it. It is stricter than
//! the emulator that the tests also talk to: signatures are checked, a version never changes, `AWSCURRENT` cannot be
//! taken away, sizes and numbers are limited, what is not found is a 400, a marked secret is out of reach.

mod identity;
mod secrets;
mod signature;

use std::{cell::Cell, collections::BTreeSet, fmt};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use twin::{Call, FaultKind, Random, Reply, Twin};

use self::{
    identity::Identity,
    secrets::{Kept, Member, Secrets, Version},
};

pub const REGION: &str = "eu-central-1";
pub const ACCOUNT: &str = "111122223333";

pub struct SecretsManager {
    identity: Identity,
    secrets: Secrets,
    /// Actions that no policy allows, for example `secretsmanager:GetSecretValue`.
    denied: BTreeSet<String>,
    requests: Cell<u64>,
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretsManager({} secrets)", self.secrets.0.len())
    }
}

/// A refusal on its way into the envelope of its service.
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn status(&self) -> u16 {
        match self.code {
            "InternalServiceError" => 500,
            "ServiceUnavailableException" => 503,
            _ => 400,
        }
    }
}

impl SecretsManager {
    /// An account without a secret. The seed decides every key.
    pub fn new(seed: u64) -> Self {
        Self {
            identity: Identity::new(Random::new(seed)),
            secrets: Secrets::default(),
            denied: BTreeSet::new(),
            requests: Cell::new(0),
        }
    }

    fn envelope(&self, status: u16, body: &Value) -> Reply {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        let mut reply = Reply::json(status, body).header("x-amzn-requestid", format!("{number:032x}"));
        for (name, value) in &mut reply.headers {
            if name == "content-type" {
                "application/x-amz-json-1.1".clone_into(value);
            }
        }
        reply
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        // Some answers have a namespace in front of the name.
        let code = if self.requests.get().is_multiple_of(2) { "" } else { "com.amazonaws.secretsmanager#" };
        let body = json!({ "__type": format!("{code}{}", refusal.code), "Message": refusal.message });
        self.envelope(refusal.status(), &body)
    }

    fn call(&mut self, now: Timestamp, operation: &str, call: &Call) -> Result<Value, Refusal> {
        let caller = self.identity.authenticate(now, call, "secretsmanager")?.arn.clone();
        if call.header("content-type") != Some("application/x-amz-json-1.1") {
            return Err(Refusal::new("SerializationException", "the content type is not that of JSON 1.1"));
        }
        let body: Value = serde_json::from_slice(&call.body)
            .map_err(|_| Refusal::new("SerializationException", "the body is not JSON"))?;
        let with_tags = operation == "CreateSecret" && body.get("Tags").is_some();
        for action in [Some(operation), with_tags.then_some("TagResource")].into_iter().flatten() {
            let action = format!("secretsmanager:{action}");
            if self.denied.contains(&action) {
                let name =
                    body.get("SecretId").or_else(|| body.get("Name")).and_then(Value::as_str).unwrap_or_default();
                let message = format!("User: {caller} is not authorized to perform: {action} on resource: {name}");
                return Err(Refusal::new("AccessDeniedException", message));
            }
        }
        match operation {
            "CreateSecret" => self.secrets.create(now, &body),
            "PutSecretValue" => self.secrets.put(now, &body),
            "DescribeSecret" => self.secrets.describe(&body),
            "GetSecretValue" => self.secrets.value(&body),
            "UpdateSecretVersionStage" => self.secrets.move_label(&body),
            "TagResource" => self.secrets.tag(&body),
            _ => Err(Refusal::new("UnknownOperationException", "")),
        }
    }

    fn act(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        let word = |member: &str| {
            let text = action.get(member).and_then(Value::as_str);
            text.map(str::to_owned).ok_or_else(|| format!("`{member}` is missing"))
        };
        match word("action")?.as_str() {
            "deny" => drop(self.denied.insert(word("iam_action")?)),
            "allow_all" => self.denied.clear(),
            "role" => {
                let external_id = action.get("external_id").and_then(Value::as_str).map(str::to_owned);
                self.identity.roles.insert(word("arn")?, external_id);
            }
            "web_token" => self.identity.web_tokens.push(word("token")?),
            "container" => self.identity.container_token = Some(word("token")?),
            "instance" => self.identity.instance_role = Some(word("role")?),
            "session_life" => {
                let seconds = action.get("seconds").and_then(Value::as_i64).ok_or("`seconds` is missing")?;
                self.identity.session_life = SignedDuration::from_secs(seconds);
            }
            "forget_sessions" => self.identity.keys.retain(|_, key| key.expires_at.is_none()),
            of_a_secret => {
                let name = word("name")?;
                if of_a_secret == "put" {
                    self.secrets.0.entry(name.clone()).or_default();
                }
                let kept = self.secrets.0.get_mut(&name).ok_or_else(|| format!("there is no secret `{name}`"))?;
                act_on(kept, now, of_a_secret, &word)?;
            }
        }
        Ok(json!({}))
    }
}

/// What somebody else does to one secret, at the console or by a program of their own.
fn act_on(
    kept: &mut Kept,
    now: Timestamp,
    action: &str,
    word: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    match action {
        "put" => {
            let (label, version, value) = (word("label")?, word("version")?, word("value")?);
            let outcome = kept.put(now, &version, (Member::SecretString, value), [label].into());
            outcome.map_err(|refusal| refusal.message)?;
        }
        "give" => kept.give(&word("label")?, &word("version")?),
        "enable_rotation" => kept.rotation_enabled = true,
        "own" => kept.owning_service = Some(word("service")?),
        // RotateSecret has been called, and its function has not brought a value yet.
        "begin_rotation" => {
            let version = word("version")?;
            kept.versions.insert(version.clone(), Version { created_at: now, labels: BTreeSet::new(), value: None });
            kept.give("AWSPENDING", &version);
        }
        "delete" => {
            let window = SignedDuration::from_hours(30 * 24);
            kept.deletion = Some((now, now.saturating_add(window).unwrap_or(Timestamp::MAX)));
        }
        "restore" => kept.deletion = None,
        "tag" => drop(kept.tags.insert(word("key")?, word("value")?)),
        other => return Err(format!("unknown action `{other}`")),
    }
    Ok(())
}

fn operation(call: &Call) -> Option<&str> {
    call.header("x-amz-target")?.strip_prefix("secretsmanager.")
}

impl Twin for SecretsManager {
    fn driver(&self) -> &'static str {
        "aws_secrets_manager"
    }

    /// It names no address.
    fn serve_at(&mut self, _base_url: &str, _gateway_url: &str) {}

    fn login(&self) -> Value {
        let lasting = self.identity.keys.iter().find(|(_, key)| key.expires_at.is_none());
        json!({
            "access_key_id": lasting.map(|(id, _)| id),
            "secret_access_key": lasting.map(|(_, key)| &key.secret),
            "region": REGION,
            "account_id": ACCOUNT,
        })
    }

    fn route(&self, call: &Call) -> &'static str {
        match operation(call) {
            Some("DescribeSecret" | "GetSecretValue") => "read",
            Some("CreateSecret" | "PutSecretValue") => "issue",
            Some("UpdateSecretVersionStage") => "rename",
            Some(_) => "other",
            None => "login",
        }
    }

    fn platform(&mut self, now: Timestamp, call: &Call, _fault: Option<FaultKind>) -> Reply {
        self.secrets.age(now);
        if call.path.starts_with("/latest/") {
            return self.identity.metadata(now, call);
        }
        if call.path.starts_with("/v2/credentials") {
            return self.identity.container(now, call);
        }
        match operation(call) {
            None => self.identity.sts(now, call),
            Some(operation) => match self.call(now, operation, call) {
                Ok(body) => self.envelope(200, &body),
                Err(refusal) => self.refuse(&refusal),
            },
        }
    }

    /// Nothing stands behind: applications read the secret itself.
    fn gateway(&mut self, _now: Timestamp, _call: &Call) -> Reply {
        Reply::empty(404)
    }

    fn error(&self, status: u16, message: &str) -> Reply {
        let code = match status {
            429 => "ThrottlingException",
            409 => "ResourceExistsException",
            503 => "ServiceUnavailableException",
            _ => "InternalServiceError",
        };
        self.refuse(&Refusal::new(code, message))
    }

    fn state(&self, now: Timestamp) -> Value {
        let secrets = self.secrets.0.iter().map(|(name, kept)| {
            let versions = kept.versions.iter().map(|(id, version)| {
                let value = version.value.as_ref().map(|(_, value)| value);
                json!({ "id": id, "labels": version.labels, "value": value })
            });
            json!({
                "name": name,
                "tags": kept.tags,
                "kms_key_id": kept.kms_key_id,
                "versions": versions.collect::<Vec<_>>(),
            })
        });
        json!({ "now": now.to_string(), "secrets": secrets.collect::<Vec<_>>() })
    }

    fn tamper(&mut self, now: Timestamp, action: &Value) -> Result<Value, String> {
        self.act(now, action)
    }
}
