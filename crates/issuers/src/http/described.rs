//! The platform as it is described: every template and pointer read, everything held against everything else.

use std::{collections::BTreeMap, path::Path, time::Duration};

use domain::{Handle, IssuerFacts};
use driver::{InvalidSettings, Method, SecretSource};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde::de::DeserializeOwned;
use url::Url;

use super::{
    config::{
        Config, CredentialTable, Described, EachAnswer, HandedOverTable, IssueAnswer, ListAnswer, LoginAnswer,
        LoginWord, LookUpAnswer, RenameAnswer, RequestTable, RevokeAnswer, UsageAnswer, VerifyAnswer, described, typed,
    },
    endpoint::endpoint,
    facts::{Given, facts},
    list::List,
    people::Instructions,
    period::period,
    pointer::Pointer,
    request::{Request, is_header_name, pairs},
    secrets::Generator,
    template::{Place, Scope, Template, is_name},
};

/// What the driver itself fills in about a version. A field of a secret of one of these names could not be told from it.
const ABOUT_A_VERSION: [&str; 10] =
    ["app", "app_id", "attempt", "credential", "id", "marker", "name", "replaces", "since", "title"];
/// And what it fills in beside that. No variable or secret of the configuration can have one of all these names.
const OF_THE_DRIVER: [&str; 4] = ["page", "password", "token", "username"];

#[derive(Debug)]
pub(super) struct Platform {
    pub facts: IssuerFacts,
    pub endpoint: Url,
    pub timeout: Duration,
    pub error: Option<Pointer>,
    pub username: Option<String>,
    pub variables: BTreeMap<String, String>,
    pub login: Login,
    pub list: Option<List>,
    pub credentials: Vec<Known>,
    pub look_up: Option<LookUp>,
    pub issue: Option<Issue>,
    pub revoke: Option<Revoke>,
    pub rename: Option<Rename>,
    pub disable: Option<Request>,
    pub enable: Option<Request>,
    pub verify: Option<Verify>,
    pub usage: Option<Usage>,
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

#[derive(Debug)]
pub(super) struct LookUp {
    pub request: Request,
    pub gone: Vec<u16>,
    pub name: Option<Pointer>,
    pub title: Option<Pointer>,
}

#[derive(Debug)]
pub(super) struct Issue {
    pub request: Request,
    pub id: IssuedId,
    pub fields: BTreeMap<String, Pointer>,
    pub created_at: Option<Pointer>,
    pub expires_at: Option<Pointer>,
    pub expires_in: Option<Pointer>,
    pub conflict: Vec<u16>,
    pub already: Vec<u16>,
}

#[derive(Debug)]
pub(super) enum IssuedId {
    Told(Pointer),
    Chosen(Template),
}

#[derive(Debug)]
pub(super) struct Revoke {
    pub request: Request,
    pub gone: Vec<u16>,
}

#[derive(Debug)]
pub(super) struct Rename {
    pub request: Request,
    pub conflict: Vec<u16>,
}

#[derive(Debug)]
pub(super) struct Verify {
    pub request: Request,
    pub refused: Vec<u16>,
    pub login: bool,
}

#[derive(Debug)]
pub(super) struct Usage {
    pub request: Request,
    pub last_used: Pointer,
    pub lag: SignedDuration,
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
        let endpoint = endpoint(&self.endpoint)?;
        let scopes = Scopes::of(&self)?;
        let issue = part("issue", self.issue, |request, answer| issue(request, answer, &scopes))?;
        let list =
            part("list", self.list, |request, answer: ListAnswer| List::check(request, answer, scopes.base.clone()))?;
        let each = part("each", self.each, |request, answer: EachAnswer| {
            let request = Request::check("each", request, Method::Get, &scopes.app())?;
            Ok((request, pointer("each.items", &answer.items)?))
        })?;
        let list = match (list, each) {
            (Some(list), each) => Some(list.with_each(each).map_err(InvalidSettings)?),
            (None, Some(_)) => {
                return Err(InvalidSettings("`each` goes through what `list` shows, and that is missing".to_owned()));
            }
            (None, None) => None,
        };
        let look_up = part("look_up", self.look_up, |request, answer| look_up(request, answer, &scopes))?;
        let revoke = part("revoke", self.revoke, |request, answer: RevokeAnswer| {
            let request = Request::check("revoke", request, Method::Delete, &scopes.version())?;
            Ok(Revoke { request, gone: refusals("revoke.gone", answer.gone)? })
        })?;
        let rename = part("rename", self.rename, |request, answer: RenameAnswer| {
            let request =
                Request::check("rename", request, Method::Patch, &scopes.version().public(["name", "title"]))?;
            Ok(Rename { request, conflict: refusals("rename.conflict", answer.conflict.unwrap_or_else(conflict))? })
        })?;
        let disable = self.disable.map(|table| switch("disable", table, &scopes)).transpose()?;
        let enable = self.enable.map(|table| switch("enable", table, &scopes)).transpose()?;
        let verify = part("verify", self.verify, |request, answer| verify(request, answer, &scopes))?;
        let usage = part("usage", self.usage, |request, answer| usage(request, answer, &scopes))?;
        let generators = self.secret.into_iter().map(|(name, table)| {
            let generator = Generator::check(&name, table)?;
            must_be_sent(issue.as_ref(), &name)?;
            Ok((name, generator))
        });
        let generators: BTreeMap<String, Generator> =
            generators.collect::<Result<_, String>>().map_err(InvalidSettings)?;
        if let Some(issue) = &issue {
            check_already(issue, look_up.as_ref(), !generators.is_empty()).map_err(InvalidSettings)?;
        }
        let instructions =
            Instructions::check(self.instructions.unwrap_or_default(), &scopes.version().public(["title"]))
                .map_err(InvalidSettings)?;
        if let Some(table) = &self.handed_over {
            super::people::check(table).map_err(InvalidSettings)?;
        }
        let given = Given {
            list: list.is_some(),
            credentials: !self.credentials.is_empty(),
            issue: issue.is_some(),
            revoke: revoke.is_some(),
            rename: rename.is_some(),
            disable: disable.is_some(),
            enable: enable.is_some(),
            usage: usage.is_some(),
            secret: !generators.is_empty(),
            handed_over: self.handed_over.is_some(),
            told_to_issue: !instructions.issue.is_empty(),
            told_to_revoke: !instructions.revoke.is_empty(),
            marker_left: issue.as_ref().is_some_and(|issue| issue.request.names("marker")),
            marker_listed: list.as_ref().is_some_and(List::shows_markers),
            attempt_sent: issue.as_ref().is_some_and(|issue| issue.request.names("attempt")),
            expiry_told: issue.as_ref().is_some_and(|issue| issue.expires_at.is_some() || issue.expires_in.is_some()),
            name_given: issue.as_ref().is_some_and(|issue| issue.request.names("name")),
            name_looked_up: look_up.as_ref().is_some_and(|look_up| look_up.name.is_some()),
        };
        let facts = facts(&self.facts, given).map_err(InvalidSettings)?;
        let base = scopes.base.clone();
        let (named, known) = (self.username.is_some(), self.password.is_some());
        let login = match self.login {
            Some(table) => login(described("login", table)?, &base, named && known).map_err(InvalidSettings)?,
            None => Login::None,
        };
        let timeout = period("timeout", self.timeout.as_deref().unwrap_or("30s")).map_err(InvalidSettings)?;
        Ok(Platform {
            facts,
            endpoint,
            timeout: Duration::try_from(timeout).unwrap_or_default().max(Duration::from_secs(1)),
            error: self.error.map(|text| pointer("error", &text)).transpose().map_err(InvalidSettings)?,
            username: self.username,
            variables: self.variables,
            login,
            list,
            credentials: known_credentials(self.credentials).map_err(InvalidSettings)?,
            look_up,
            issue,
            revoke,
            rename,
            disable,
            enable,
            verify,
            usage,
            generators,
            instructions,
            handed_over: self.handed_over,
        })
    }
}

/// What each request may name.
struct Scopes {
    base: Scope,
    public_fields: Vec<String>,
    secret_fields: Vec<String>,
    chosen: Vec<String>,
}

impl Scopes {
    fn of(config: &Config) -> Result<Self, InvalidSettings> {
        let own = config.variables.keys().map(|name| ("variables", name));
        for (key, name) in own.chain(config.secrets.keys().map(|name| ("secrets", name))) {
            if !is_name(name) || ABOUT_A_VERSION.iter().chain(&OF_THE_DRIVER).any(|taken| taken == name) {
                return Err(InvalidSettings(format!(
                    "`{key}.{name}` cannot be a placeholder of yours: the driver has one of this name, or it is no name"
                )));
            }
        }
        if let Some(name) = config.secrets.keys().find(|name| config.variables.contains_key(*name)) {
            return Err(InvalidSettings(format!("`secrets.{name}` stands in `variables`, too")));
        }
        let base = Scope::default()
            .public(config.variables.keys().map(String::as_str))
            .public(config.username.as_ref().map(|_| "username"))
            .secret(config.password.as_ref().map(|_| "password"))
            .secret(config.secrets.keys().map(String::as_str));
        let told = config.issue.as_ref().and_then(|issue| issue.get("fields")?.as_table());
        let handed = config.handed_over.iter().flat_map(|table| table.fields.iter().cloned());
        let (public_fields, chosen): (Vec<_>, Vec<_>) = config.secret.iter().partition(|(_, table)| table.public);
        let names =
            |fields: Vec<(&String, _)>| -> Vec<String> { fields.into_iter().map(|(name, _)| name.clone()).collect() };
        let chosen = names(chosen);
        let secret_fields =
            told.into_iter().flat_map(|fields| fields.keys().cloned()).chain(handed).chain(chosen.clone());
        let secret_fields: Vec<String> = secret_fields.collect();
        let public_fields = names(public_fields);
        for name in secret_fields.iter().chain(&public_fields) {
            if !is_name(name) || ABOUT_A_VERSION.contains(&name.as_str()) || base.knows(name) {
                return Err(InvalidSettings(format!(
                    "the field {{{name}}} cannot be told from a placeholder of the same name, or is no name"
                )));
            }
        }
        Ok(Self { base, public_fields, secret_fields, chosen })
    }

    fn app(&self) -> Scope {
        self.base.clone().public(["app", "app_id"])
    }

    fn credential(&self) -> Scope {
        self.app().public(["credential"])
    }

    fn version(&self) -> Scope {
        self.credential().public(["id"])
    }

    fn issue(&self) -> Scope {
        self.credential()
            .public(["name", "title", "marker", "attempt", "replaces"])
            .secret(self.chosen.iter().map(String::as_str))
            .public(self.public_fields.iter().map(String::as_str))
    }

    fn verify(&self) -> Scope {
        self.version()
            .secret(self.secret_fields.iter().map(String::as_str))
            .public(self.public_fields.iter().map(String::as_str))
    }
}

/// Reads one described call, and checks it.
fn part<A: DeserializeOwned, T>(
    key: &str,
    table: Option<toml::Table>,
    check: impl FnOnce(RequestTable, A) -> Result<T, String>,
) -> Result<Option<T>, InvalidSettings> {
    let Some(table) = table else { return Ok(None) };
    let Described { request, answer } = described(key, table)?;
    check(request, answer).map(Some).map_err(InvalidSettings)
}

pub(super) fn pointer(key: &str, text: &str) -> Result<Pointer, String> {
    let pointer = Pointer::parse(text).map_err(|why| format!("`{key}` is \"{}\", which {why}", text.escape_debug()))?;
    if pointer.looks_outside() {
        Err(format!("`{key}` looks at an item around it, and there is none"))
    } else {
        Ok(pointer)
    }
}

fn optional(key: &str, text: Option<String>) -> Result<Option<Pointer>, String> {
    text.map(|text| pointer(key, &text)).transpose()
}

fn conflict() -> Vec<u16> {
    vec![409]
}

/// Statuses by which a platform refuses in so many words. Those that speak of the login, of haste or of trouble never
/// say anything about a version.
fn refusals(key: &str, statuses: Vec<u16>) -> Result<Vec<u16>, String> {
    match statuses.iter().find(|status| !(400..500).contains(*status) || matches!(status, 401 | 407 | 408 | 429)) {
        Some(status) => Err(format!("`{key}` has {status}, which says nothing about a version")),
        None => Ok(statuses),
    }
}

fn issue(request: RequestTable, answer: IssueAnswer, scopes: &Scopes) -> Result<Issue, String> {
    let request = Request::check("issue", request, Method::Post, &scopes.issue())?;
    if request.reads() {
        return Err("`issue.method` is GET, which is repeated when it fails; a call that makes something must not be"
            .to_owned());
    }
    let id = if answer.id.contains('{') {
        let wrong = |why: String| format!("`issue.id` {why}");
        let template = Template::parse(&answer.id).map_err(wrong)?;
        template.check(&scopes.issue(), Place::Address).map_err(wrong)?;
        IssuedId::Chosen(template)
    } else {
        IssuedId::Told(pointer("issue.id", &answer.id)?)
    };
    if answer.fields.is_empty() && scopes.chosen.is_empty() {
        return Err("`issue` lacks the key `fields`: where in the answer the secret is".to_owned());
    }
    let field = |(name, text): (String, String)| {
        let found = pointer(&format!("issue.fields.{name}"), &text)?;
        Ok::<_, String>((name, found))
    };
    Ok(Issue {
        id,
        fields: answer.fields.into_iter().map(field).collect::<Result<_, _>>()?,
        created_at: optional("issue.created_at", answer.created_at)?,
        expires_at: optional("issue.expires_at", answer.expires_at)?,
        expires_in: optional("issue.expires_in", answer.expires_in)?,
        conflict: refusals("issue.conflict", answer.conflict.unwrap_or_else(conflict))?,
        already: refusals("issue.already", answer.already)?,
        request,
    })
}

/// What we choose and never send would be delivered and refused.
fn must_be_sent(issue: Option<&Issue>, field: &str) -> Result<(), String> {
    match issue {
        Some(issue) if !issue.request.names(field) => {
            Err(format!("`secret.{field}` is chosen, but `issue` does not send it"))
        }
        _ => Ok(()),
    }
}

fn check_already(issue: &Issue, look_up: Option<&LookUp>, by_us: bool) -> Result<(), String> {
    let usable =
        by_us && matches!(issue.id, IssuedId::Chosen(_)) && look_up.is_some_and(|look_up| !look_up.gone.is_empty());
    if issue.already.is_empty() || usable {
        return Ok(());
    }
    Err("`issue.already` needs a secret and an id that we choose, and a `look_up` that says what is gone".to_owned())
}

fn look_up(request: RequestTable, answer: LookUpAnswer, scopes: &Scopes) -> Result<LookUp, String> {
    let request = Request::check("look_up", request, Method::Get, &scopes.version())?;
    if !request.names("id") {
        return Err("`look_up` does not say which version: it names no {id}".to_owned());
    }
    Ok(LookUp {
        request,
        gone: refusals("look_up.gone", answer.gone)?,
        name: optional("look_up.name", answer.name)?,
        title: optional("look_up.title", answer.title)?,
    })
}

fn switch(key: &'static str, table: toml::Table, scopes: &Scopes) -> Result<Request, InvalidSettings> {
    let table: RequestTable = typed(key, table)?;
    Request::check(key, table, Method::Post, &scopes.version()).map_err(InvalidSettings)
}

fn verify(request: RequestTable, answer: VerifyAnswer, scopes: &Scopes) -> Result<Verify, String> {
    let request = Request::check("verify", request, Method::Get, &scopes.verify())?;
    let refused = answer.refused;
    if refused.is_empty() || refused.iter().any(|status| !(400..500).contains(status) || matches!(status, 408 | 429)) {
        return Err("`verify.refused` must be statuses from 400 to 499 that speak of the secret".to_owned());
    }
    if answer.login && refused.contains(&401) {
        return Err("`verify.refused` has 401, which with `login` could be our own login's".to_owned());
    }
    Ok(Verify { request, refused, login: answer.login })
}

fn usage(request: RequestTable, answer: UsageAnswer, scopes: &Scopes) -> Result<Usage, String> {
    let request = Request::check("usage", request, Method::Get, &scopes.version().public(["since"]))?;
    if !request.names("id") {
        return Err("`usage` does not say of which version: it names no {id}".to_owned());
    }
    Ok(Usage {
        request,
        last_used: pointer("usage.last_used", &answer.last_used)?,
        lag: period("usage.lag", answer.lag.as_deref().unwrap_or("0s"))?,
    })
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
