//! The platform as it is described: every template and pointer read, everything held against everything else.

use std::{collections::BTreeMap, path::Path, time::Duration};

use domain::{Handle, IssuerFacts};
use driver::{InvalidSettings, Method, SecretSource};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use url::Url;

use super::{
    calls::{Calls, Issue, optional, pointer},
    config::{Config, CredentialTable, Described, GeneratorTable, HandedOverTable, LoginAnswer, LoginWord, described},
    endpoint::endpoint,
    facts::{Given, facts},
    list::List,
    people::Instructions,
    period::period,
    pointer::Pointer,
    request::{Request, is_header_name, pairs},
    scopes::Scopes,
    secrets::Generator,
    template::{Place, Scope, Template},
};

#[derive(Debug)]
pub(super) struct Platform {
    pub facts: IssuerFacts,
    pub endpoint: Url,
    pub timeout: Duration,
    pub error: Option<Pointer>,
    pub username: Option<String>,
    pub variables: BTreeMap<String, String>,
    pub login: Login,
    pub credentials: Vec<Known>,
    pub calls: Calls,
    pub generators: BTreeMap<String, Generator>,
    pub instructions: Instructions,
    pub handed_over: Option<HandedOverTable>,
}

#[derive(Debug)]
pub(super) enum Login {
    None,
    Basic,
    Headers(Vec<(String, Template)>),
    Token(Box<TokenLogin>),
}

#[derive(Debug)]
pub(super) struct TokenLogin {
    pub request: Request,
    pub token: Pointer,
    pub expires_in: Option<Pointer>,
    pub lifetime: Option<SignedDuration>,
    pub send: Vec<(String, Template)>,
}

/// A credential that configuration names.
#[derive(Debug)]
pub(super) struct Known {
    pub table: CredentialTable,
    pub version: Option<(Handle, Timestamp)>,
}

/// The secrets of the configuration, fetched.
#[derive(Debug)]
pub(super) struct Keys {
    pub password: Option<Secret>,
    pub secrets: BTreeMap<String, Secret>,
}

impl Config {
    pub(super) fn fetch(&self, base_dir: &Path) -> Result<Keys, InvalidSettings> {
        let secrets = self.secrets.iter();
        let secrets =
            secrets.map(|(name, source)| Ok((name.clone(), fetch(&format!("secrets.{name}"), source, base_dir)?)));
        Ok(Keys {
            password: self.password.as_ref().map(|source| fetch("password", source, base_dir)).transpose()?,
            secrets: secrets.collect::<Result<_, InvalidSettings>>()?,
        })
    }

    /// Fetches no secret, calls nobody.
    pub(super) fn describe(self) -> Result<Platform, InvalidSettings> {
        self.described().map_err(InvalidSettings)
    }

    fn described(self) -> Result<Platform, String> {
        let scopes = Scopes::of(&self)?;
        let calls = Calls::check(&self, &scopes)?;
        let instructions =
            Instructions::check(self.instructions.unwrap_or_default(), &scopes.version().public(["title"]))?;
        if let Some(table) = &self.handed_over {
            super::people::check(table)?;
        }
        let given = Given {
            credentials: !self.credentials.is_empty(),
            secret: !self.secret.is_empty(),
            handed_over: self.handed_over.is_some(),
            told_to_issue: !instructions.issue.is_empty(),
            told_to_revoke: !instructions.revoke.is_empty(),
            ..given(&calls)
        };
        let has_pair = self.username.is_some() && self.password.is_some();
        let timeout = period("timeout", self.timeout.as_deref().unwrap_or("30s"))?;
        Ok(Platform {
            facts: facts(&self.facts, given)?,
            endpoint: endpoint(&self.endpoint)?,
            timeout: Duration::try_from(timeout).unwrap_or_default().max(Duration::from_secs(1)),
            error: optional("error", self.error)?,
            username: self.username,
            variables: self.variables,
            login: match self.login {
                Some(table) => login(described("login", table)?, &scopes.base, has_pair)?,
                None => Login::None,
            },
            credentials: known_credentials(self.credentials)?,
            generators: generators(self.secret, calls.issue.as_ref())?,
            calls,
            instructions,
            handed_over: self.handed_over,
        })
    }
}

fn given(calls: &Calls) -> Given {
    let issue = calls.issue.as_ref();
    let sends = |placeholder: &str| issue.is_some_and(|issue| issue.request.names(placeholder));
    Given {
        list: calls.list.is_some(),
        issue: issue.is_some(),
        revoke: calls.revoke.is_some(),
        rename: calls.rename.is_some(),
        disable: calls.disable.is_some(),
        enable: calls.enable.is_some(),
        usage: calls.usage.is_some(),
        marker_left: sends("marker"),
        marker_listed: calls.list.as_ref().is_some_and(List::shows_markers),
        attempt_sent: sends("attempt"),
        expiry_told: issue.is_some_and(|issue| issue.expires_at.is_some() || issue.expires_in.is_some()),
        name_given: sends("name"),
        name_looked_up: calls.look_up.as_ref().is_some_and(|look_up| look_up.name.is_some()),
        ..Given::default()
    }
}

fn generators(
    tables: BTreeMap<String, GeneratorTable>,
    issue: Option<&Issue>,
) -> Result<BTreeMap<String, Generator>, String> {
    let generator = |(name, table): (String, GeneratorTable)| {
        // What we choose and never send would be delivered and refused.
        if issue.is_some_and(|issue| !issue.request.names(&name)) {
            return Err(format!("`secret.{name}` is chosen, but `issue` does not send it"));
        }
        let generator = Generator::check(&name, table)?;
        Ok((name, generator))
    };
    tables.into_iter().map(generator).collect()
}

fn login(described: Described<LoginAnswer>, base: &Scope, has_pair: bool) -> Result<Login, String> {
    let Described { request, answer } = described;
    if answer.kind != LoginWord::Token && (request.path.is_some() || answer.token.is_some()) {
        return Err("`login.kind` must be \"token\" where a call logs in".to_owned());
    }
    let scope = if answer.kind == LoginWord::Token { base.clone().secret(["token"]) } else { base.clone() };
    if let Some(name) = answer.send.keys().find(|name| !is_header_name(name)) {
        return Err(format!("`login.send` has \"{}\", which is no name of a header", name.escape_debug()));
    }
    let send = pairs(answer.send, |text| {
        let complain = |why: String| format!("`login.send` {why}");
        let template = Template::parse(text).map_err(complain)?;
        template.check(&scope, Place::Inside).map_err(complain)?;
        Ok(template)
    })?;
    match answer.kind {
        LoginWord::Basic if !has_pair => {
            Err("`login.kind` is \"basic\", which needs `username` and `password`".to_owned())
        }
        LoginWord::Headers if send.is_empty() => Err("`login.kind` is \"headers\", but `send` names none".to_owned()),
        LoginWord::Basic => Ok(Login::Basic),
        LoginWord::Headers => Ok(Login::Headers(send)),
        LoginWord::Token => {
            let token = answer.token.ok_or("`login` lacks the key `token`: where the answer has it")?;
            let bearer = || Ok::<_, String>(vec![("Authorization".to_owned(), Template::parse("Bearer {token}")?)]);
            Ok(Login::Token(Box::new(TokenLogin {
                request: Request::check("login", request, Method::Post, base)?,
                token: pointer("login.token", &token)?,
                expires_in: optional("login.expires_in", answer.expires_in)?,
                lifetime: answer.lifetime.map(|text| period("login.lifetime", &text)).transpose()?,
                send: if send.is_empty() { bearer()? } else { send },
            })))
        }
    }
}

fn known_credentials(tables: Vec<CredentialTable>) -> Result<Vec<Known>, String> {
    let mut known: Vec<Known> = Vec::with_capacity(tables.len());
    for table in tables {
        let same = |one: &Known| one.table.app == table.app && one.table.credential == table.credential;
        if table.app.is_empty() || known.iter().any(same) {
            return Err(format!("`credentials` names \"{}\" twice, or names nothing", table.app.escape_debug()));
        }
        let wrong = |what: &str| format!("`credentials`: the {what} of \"{}\" is not one", table.app.escape_debug());
        let version = match (&table.id, &table.created_at) {
            (Some(id), Some(at)) => {
                let handle = Handle::parse(id).map_err(|_| wrong("id"))?;
                Some((handle, at.parse::<Timestamp>().map_err(|_| wrong("created_at"))?))
            }
            (None, None) => None,
            _ => {
                return Err(format!(
                    "`credentials`: \"{}\" has one of `id` and `created_at`",
                    table.app.escape_debug()
                ));
            }
        };
        known.push(Known { table, version });
    }
    Ok(known)
}

fn fetch(key: &str, source: &SecretSource, base_dir: &Path) -> Result<Secret, InvalidSettings> {
    let secret = source.read(base_dir).map_err(|error| InvalidSettings(format!("`{key}`: {error}")))?;
    match secret.expose_text() {
        Some("") => Err(InvalidSettings(format!("`{key}` is empty"))),
        Some(_) => Ok(secret),
        None => Err(InvalidSettings(format!("`{key}` is not UTF-8 text"))),
    }
}
