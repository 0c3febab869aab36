//! The calls as they are described, each read and checked.

use std::collections::BTreeMap;

use driver::Method;
use jiff::SignedDuration;
use serde::de::DeserializeOwned;

use super::{
    config::{
        Config, Described, EachAnswer, IssueAnswer, ListAnswer, LookUpAnswer, RenameAnswer, RequestTable, RevokeAnswer,
        UsageAnswer, VerifyAnswer, described, typed,
    },
    list::List,
    period::period,
    pointer::Pointer,
    request::Request,
    scopes::Scopes,
    template::{Place, Template},
};

/// Those that are described.
#[derive(Debug)]
pub(super) struct Calls {
    pub list: Option<List>,
    pub look_up: Option<LookUp>,
    pub issue: Option<Issue>,
    pub revoke: Option<Revoke>,
    pub rename: Option<Rename>,
    pub disable: Option<Request>,
    pub enable: Option<Request>,
    pub verify: Option<Verify>,
    pub usage: Option<Usage>,
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

impl Calls {
    pub(super) fn check(config: &Config, scopes: &Scopes) -> Result<Self, String> {
        let look_up = part("look_up", &config.look_up, |request, answer| look_up(request, answer, scopes))?;
        let issue = part("issue", &config.issue, |request, answer| issue(request, answer, scopes))?;
        if let Some(issue) = &issue {
            check_already(issue, look_up.as_ref(), !config.secret.is_empty())?;
        }
        Ok(Self {
            list: list(config, scopes)?,
            look_up,
            issue,
            revoke: part("revoke", &config.revoke, |request, answer| revoke(request, answer, scopes))?,
            rename: part("rename", &config.rename, |request, answer| rename(request, answer, scopes))?,
            disable: switch("disable", config.disable.clone(), scopes)?,
            enable: switch("enable", config.enable.clone(), scopes)?,
            verify: part("verify", &config.verify, |request, answer| verify(request, answer, scopes))?,
            usage: part("usage", &config.usage, |request, answer| usage(request, answer, scopes))?,
        })
    }
}

fn list(config: &Config, scopes: &Scopes) -> Result<Option<List>, String> {
    let list =
        part("list", &config.list, |request, answer: ListAnswer| List::check(request, answer, scopes.base.clone()))?;
    let each = part("each", &config.each, |request, answer: EachAnswer| {
        let request = Request::check("each", request, Method::Get, &scopes.app())?;
        Ok((request, pointer("each.items", &answer.items)?))
    })?;
    match (list, each) {
        (Some(list), each) => list.with_each(each).map(Some),
        (None, Some(_)) => Err("`each` goes through what `list` shows, and that is missing".to_owned()),
        (None, None) => Ok(None),
    }
}

/// Reads one described call, and checks it.
fn part<A: DeserializeOwned, T>(
    key: &str,
    table: &Option<toml::Table>,
    check: impl FnOnce(RequestTable, A) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let Some(table) = table else { return Ok(None) };
    let Described { request, answer } = described(key, table.clone())?;
    check(request, answer).map(Some)
}

pub(super) fn pointer(key: &str, text: &str) -> Result<Pointer, String> {
    let pointer = Pointer::parse(text).map_err(|why| format!("`{key}` is \"{}\", which {why}", text.escape_debug()))?;
    if pointer.looks_outside() {
        Err(format!("`{key}` looks at an item around it, and there is none"))
    } else {
        Ok(pointer)
    }
}

pub(super) fn optional(key: &str, text: Option<String>) -> Result<Option<Pointer>, String> {
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
    must_change(&request)?;
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
    must_name_one(&request)?;
    Ok(LookUp {
        request,
        gone: refusals("look_up.gone", answer.gone)?,
        name: optional("look_up.name", answer.name)?,
        title: optional("look_up.title", answer.title)?,
    })
}

fn revoke(request: RequestTable, answer: RevokeAnswer, scopes: &Scopes) -> Result<Revoke, String> {
    let request = Request::check("revoke", request, Method::Delete, &scopes.version())?;
    must_change_one(&request)?;
    Ok(Revoke { request, gone: refusals("revoke.gone", answer.gone)? })
}

fn rename(request: RequestTable, answer: RenameAnswer, scopes: &Scopes) -> Result<Rename, String> {
    let request = Request::check("rename", request, Method::Patch, &scopes.version().public(["name", "title"]))?;
    must_change_one(&request)?;
    Ok(Rename { request, conflict: refusals("rename.conflict", answer.conflict.unwrap_or_else(conflict))? })
}

fn switch(key: &'static str, table: Option<toml::Table>, scopes: &Scopes) -> Result<Option<Request>, String> {
    let Some(table) = table else { return Ok(None) };
    let request = Request::check(key, typed(key, table)?, Method::Post, &scopes.version())?;
    must_change_one(&request)?;
    Ok(Some(request))
}

/// A change that does not say of which version could be one of all of them.
fn must_change_one(request: &Request) -> Result<(), String> {
    must_change(request)?;
    must_name_one(request)
}

fn must_change(request: &Request) -> Result<(), String> {
    let key = request.key;
    if request.reads() {
        return Err(format!(
            "`{key}.method` is GET, which is repeated when it fails; a call that changes something must not be"
        ));
    }
    Ok(())
}

fn must_name_one(request: &Request) -> Result<(), String> {
    let key = request.key;
    if request.names("id") { Ok(()) } else { Err(format!("`{key}` does not say of which version: it names no {{id}}")) }
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
    must_name_one(&request)?;
    Ok(Usage {
        request,
        last_used: pointer("usage.last_used", &answer.last_used)?,
        lag: period("usage.lag", answer.lag.as_deref().unwrap_or("0s"))?,
    })
}
