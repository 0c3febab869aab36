//! Keys, roles and sessions of the account, and the ways to get at them: STS, instance metadata, container endpoint.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twin::{Call, Random, Reply};
use url::form_urlencoded;

use super::{
    ACCOUNT, REGION, Refusal,
    signature::{Broken, Claim},
};

pub(super) struct Key {
    pub secret: String,
    /// With a session's key, it must come along.
    pub token: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub arn: String,
}

pub(super) struct Identity {
    pub keys: BTreeMap<String, Key>,
    /// By ARN, with the external id that it wants to hear.
    pub roles: BTreeMap<String, Option<String>>,
    /// What an identity provider has signed.
    pub web_tokens: Vec<String>,
    /// What the container must say; none: there is no such endpoint.
    pub container_token: Option<String>,
    /// The role of the instance; none: this is no instance.
    pub instance_role: Option<String>,
    pub session_life: SignedDuration,
    metadata_token: String,
    random: Random,
}

impl Identity {
    pub(super) fn new(mut random: Random) -> Self {
        let mut identity = Self {
            keys: BTreeMap::new(),
            roles: BTreeMap::new(),
            web_tokens: Vec::new(),
            container_token: None,
            instance_role: None,
            session_life: SignedDuration::from_hours(1),
            metadata_token: word(&mut random, 40),
            random,
        };
        let secret = word(&mut identity.random, 40);
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/svc-keyrota");
        identity.keys.insert("AKIAKEYROTAUSER00000".to_owned(), Key { secret, token: None, expires_at: None, arn });
        identity
    }

    /// Who calls, if the signature is right and the key still good.
    pub(super) fn authenticate(&self, now: Timestamp, call: &Call, service: &str) -> Result<&Key, Refusal> {
        let broken = |broken: Broken| match broken {
            Broken::Missing => Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token"),
            Broken::Incomplete(what) => Refusal::new("IncompleteSignatureException", format!("wrong: {what}")),
            Broken::Mismatch(canonical) => Refusal::new(
                "InvalidSignatureException",
                format!(
                    "The request signature we calculated does not match. The Canonical String should have been '{canonical}'"
                ),
            ),
            Broken::Time(message) => Refusal::new("InvalidSignatureException", message),
        };
        let claim = Claim::of(call).map_err(broken)?;
        let unknown = || {
            let message = "The security token included in the request is invalid.";
            Refusal::new("UnrecognizedClientException", message)
        };
        let key = self.keys.get(&claim.key_id).ok_or_else(unknown)?;
        if call.header("x-amz-security-token") != key.token.as_deref() {
            return Err(unknown());
        }
        claim.verify(call, &key.secret, REGION, service, now).map_err(broken)?;
        if key.expires_at.is_some_and(|end| now >= end) {
            let message = "The security token included in the request is expired";
            return Err(Refusal::new("ExpiredTokenException", message));
        }
        Ok(key)
    }

    pub(super) fn sts(&mut self, now: Timestamp, call: &Call) -> Reply {
        match self.answer_sts(now, call) {
            Ok(body) => xml(200, body),
            Err(refusal) => {
                let body = format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
                    refusal.code.trim_end_matches("Exception"),
                    refusal.message.replace('&', "&amp;").replace('<', "&lt;"),
                );
                xml(403, body)
            }
        }
    }

    fn answer_sts(&mut self, now: Timestamp, call: &Call) -> Result<String, Refusal> {
        let form: BTreeMap<String, String> = form_urlencoded::parse(&call.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let (role, session) = (field("RoleArn"), field("RoleSessionName"));
        match field("Action") {
            "GetCallerIdentity" => {
                let arn = &self.authenticate(now, call, "sts")?.arn;
                Ok(format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDA</UserId>\
                     <Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
                ))
            }
            "AssumeRole" => {
                let caller = self.authenticate(now, call, "sts")?.arn.clone();
                let known = self.roles.get(role);
                if known.is_none_or(|id| id.as_deref().is_some_and(|id| id != field("ExternalId"))) {
                    let message =
                        format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}");
                    return Err(Refusal::new("AccessDenied", message));
                }
                Ok(self.session_xml(now, role, session))
            }
            "AssumeRoleWithWebIdentity" => {
                if !self.web_tokens.iter().any(|token| token == field("WebIdentityToken")) {
                    return Err(Refusal::new(
                        "InvalidIdentityToken",
                        "No OpenIDConnect provider found in your account",
                    ));
                }
                if !self.roles.contains_key(role) {
                    let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
                    return Err(Refusal::new("AccessDenied", message));
                }
                Ok(self.session_xml(now, role, session))
            }
            other => Err(Refusal::new("InvalidAction", format!("Could not find operation {other}"))),
        }
    }

    fn session_xml(&mut self, now: Timestamp, role: &str, session: &str) -> String {
        let (id, end) = self.session(now, role, session);
        let key = self.keys.get(&id);
        let (secret, token) = key.map(|key| (key.secret.clone(), key.token.clone())).unwrap_or_default();
        format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{}</SessionToken>\
             <Expiration>{end}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            token.unwrap_or_default()
        )
    }

    fn session(&mut self, now: Timestamp, role: &str, session: &str) -> (String, Timestamp) {
        let id = format!("ASIA{}", word(&mut self.random, 16).to_uppercase());
        let end = now.saturating_add(self.session_life).unwrap_or(Timestamp::MAX);
        let name = role.rsplit('/').next().unwrap_or_default();
        let key = Key {
            secret: word(&mut self.random, 40),
            token: Some(format!("canary-session-{}", word(&mut self.random, 60))),
            expires_at: Some(end),
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"),
        };
        self.keys.insert(id.clone(), key);
        (id, end)
    }

    /// Instance metadata, version 2.
    pub(super) fn metadata(&mut self, now: Timestamp, call: &Call) -> Reply {
        const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";
        let Some(role) = self.instance_role.clone() else { return Reply::empty(404) };
        match (call.method.as_str(), call.path.as_str()) {
            ("PUT", "/latest/api/token") => match call.header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some(ttl) => plain(&self.metadata_token).header("x-aws-ec2-metadata-token-ttl-seconds", ttl),
                None => Reply::empty(400),
            },
            _ if call.header("x-aws-ec2-metadata-token") != Some(&self.metadata_token) => Reply::empty(401),
            ("GET", CREDENTIALS) => plain(&role),
            ("GET", path) if path.strip_prefix(CREDENTIALS) == Some(&role) => self.session_json(now, &role, "i-0123"),
            _ => Reply::empty(404),
        }
    }

    pub(super) fn container(&mut self, now: Timestamp, call: &Call) -> Reply {
        match &self.container_token {
            None => Reply::empty(404),
            Some(token) if call.header("authorization") != Some(token) => Reply::empty(403),
            Some(_) => self.session_json(now, "role/task", "task"),
        }
    }

    fn session_json(&mut self, now: Timestamp, role: &str, session: &str) -> Reply {
        let (id, end) = self.session(now, role, session);
        let key = self.keys.get(&id);
        Reply::json(
            200,
            &json!({
                "Code": "Success",
                "AccessKeyId": id,
                "SecretAccessKey": key.map(|key| &key.secret),
                "Token": key.map(|key| &key.token),
                "Expiration": end.to_string(),
            }),
        )
    }
}

fn plain(text: &str) -> Reply {
    Reply {
        status: 200,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.to_owned().into(),
    }
}

fn xml(status: u16, body: String) -> Reply {
    Reply { status, headers: vec![("content-type".to_owned(), "text/xml".to_owned())], body: body.into() }
}

fn word(random: &mut Random, length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |_| LETTERS.iter().cycle().nth((random.next_u64() % 36) as usize).copied().map_or('x', char::from);
    (0..length).map(letter).collect()
}
