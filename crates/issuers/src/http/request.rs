//! A request as configuration describes it.

use std::collections::BTreeMap;

use driver::{Body, DriverError, HttpRequest, Kind, Method};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    config::RequestTable,
    template::{Fillings, Place, Scope, Template},
};

#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The key in the configuration, for errors.
    pub key: &'static str,
    pub method: Method,
    segments: Vec<Template>,
    query: Vec<(String, Template)>,
    headers: Vec<(String, Template)>,
    content: Content,
    /// The statuses that mean done; without any, every 2xx does.
    accepted: Vec<u16>,
}

#[derive(Debug, Clone)]
enum Content {
    None,
    Json(JsonTemplate),
    Form(Vec<(String, Template)>),
}

#[derive(Debug, Clone)]
enum JsonTemplate {
    Text(Template),
    List(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
    /// A number, a truth value, null.
    Fixed(Value),
}

impl Request {
    /// The error names the key: `issue.path`.
    pub(super) fn check(key: &'static str, table: RequestTable, usual: Method, scope: &Scope) -> Result<Self, String> {
        let at = |sub: &str, place: Place, text: &str| {
            let complain = |why: String| format!("`{key}.{sub}` {why}");
            let template = Template::parse(text).map_err(complain)?;
            template.check(scope, place).map_err(complain)?;
            Ok::<_, String>(template)
        };
        let content = match (table.json, table.form) {
            (Some(_), Some(_)) => return Err(format!("`{key}.form` stands instead of `json`, not beside it")),
            (Some(json), None) => Content::Json(JsonTemplate::check(json, &|text| at("json", Place::Inside, text))?),
            (None, Some(form)) => Content::Form(pairs(form, |text| at("form", Place::Inside, text))?),
            (None, None) => Content::None,
        };
        let method = table.method.map_or(usual, Into::into);
        if method == Method::Get && !matches!(content, Content::None) {
            return Err(format!("`{key}.method` is GET, which carries no body"));
        }
        if let Some(status) = table.accepted.iter().find(|status| !(100..600).contains(*status)) {
            return Err(format!("`{key}.accepted` has {status}, which is no HTTP status"));
        }
        if let Some(name) = table.headers.keys().find(|name| !is_header_name(name)) {
            return Err(format!("`{key}.headers` has \"{}\", which is no name of a header", name.escape_debug()));
        }
        let path = table.path.ok_or_else(|| format!("`{key}` lacks the key `path`"))?;
        Ok(Self {
            key,
            method,
            segments: segments(key, &path, |text| at("path", Place::Address, text))?,
            query: pairs(table.query, |text| at("query", Place::Address, text))?,
            headers: pairs(table.headers, |text| at("headers", Place::Inside, text))?,
            content,
            accepted: table.accepted,
        })
    }

    pub(super) fn is_accepted(&self, status: u16) -> bool {
        if self.accepted.is_empty() { (200..300).contains(&status) } else { self.accepted.contains(&status) }
    }

    pub(super) fn reads(&self) -> bool {
        self.method == Method::Get
    }

    /// Whether the placeholder stands anywhere in it.
    pub(super) fn names(&self, placeholder: &str) -> bool {
        let in_pairs = |pairs: &[(String, Template)]| pairs.iter().any(|(_, template)| template.names(placeholder));
        self.segments.iter().any(|segment| segment.names(placeholder))
            || in_pairs(&self.query)
            || in_pairs(&self.headers)
            || match &self.content {
                Content::None => false,
                Content::Json(json) => json.names(placeholder),
                Content::Form(form) => in_pairs(form),
            }
    }

    pub(super) fn fill(&self, endpoint: &Url, fillings: &Fillings<'_>) -> Result<HttpRequest, DriverError> {
        let mut url = self.address(endpoint, fillings)?;
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, &value.fill(fillings)?);
        }
        let mut request = HttpRequest::new(self.method, url).header("accept", "application/json");
        match &self.content {
            Content::None => {}
            Content::Json(json) => request = request.json(&json.fill(fillings)?),
            Content::Form(form) => {
                let mut encoded = form_urlencoded::Serializer::new(String::new());
                for (name, value) in form {
                    encoded.append_pair(name, &value.fill(fillings)?);
                }
                request = request.header("content-type", "application/x-www-form-urlencoded");
                request.body = Body(encoded.finish().into());
            }
        }
        request.custom_headers = headers(self.key, &self.headers, fillings)?;
        Ok(request)
    }

    /// A value is one segment whatever it is made of: a `/` in it is escaped, and one that would climb is refused.
    fn address(&self, endpoint: &Url, fillings: &Fillings<'_>) -> Result<Url, DriverError> {
        let mut url = endpoint.clone();
        let mut segments = Vec::new();
        for template in &self.segments {
            let segment = template.fill(fillings)?;
            if matches!(segment.as_str(), "" | "." | "..") || segment.chars().any(char::is_control) {
                let message = format!("`{}.path` would have the segment \"{}\"", self.key, segment.escape_debug());
                return Err(DriverError::refused(Kind::Invalid, message));
            }
            segments.push(segment);
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Ok(url)
    }
}

/// Headers with their values; a value that would break out of its line is refused.
pub(super) fn headers(
    key: &str,
    templates: &[(String, Template)],
    fillings: &Fillings<'_>,
) -> Result<Vec<(String, String)>, DriverError> {
    let filled = templates.iter().map(|(name, template)| {
        let value = template.fill(fillings)?;
        if value.chars().any(char::is_control) {
            let message = format!("`{key}`: the value for the header {name} has control characters");
            return Err(DriverError::refused(Kind::Invalid, message));
        }
        Ok((name.clone(), value))
    });
    filled.collect()
}

fn segments(key: &str, path: &str, parse: impl Fn(&str) -> Result<Template, String>) -> Result<Vec<Template>, String> {
    let inner = path.strip_prefix('/').ok_or_else(|| format!("`{key}.path` does not start with `/`"))?;
    if inner.contains(['?', '#']) {
        return Err(format!("`{key}.path` has a question mark or a hash; what follows one belongs into `query`"));
    }
    let segments: Vec<&str> = if inner.is_empty() { Vec::new() } else { inner.split('/').collect() };
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err(format!("`{key}.path` has an empty segment, or one that climbs"));
    }
    segments.into_iter().map(parse).collect()
}

pub(super) fn pairs(
    table: BTreeMap<String, String>,
    parse: impl Fn(&str) -> Result<Template, String>,
) -> Result<Vec<(String, Template)>, String> {
    table.into_iter().map(|(name, text)| Ok((name, parse(&text)?))).collect()
}

pub(super) fn is_header_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

impl JsonTemplate {
    fn check(value: Value, parse: &impl Fn(&str) -> Result<Template, String>) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(parse(&text)?),
            Value::Array(items) => {
                Self::List(items.into_iter().map(|item| Self::check(item, parse)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let field = |(name, value)| Ok::<_, String>((name, Self::check(value, parse)?));
                Self::Object(fields.into_iter().map(field).collect::<Result<_, _>>()?)
            }
            fixed => Self::Fixed(fixed),
        })
    }

    fn names(&self, placeholder: &str) -> bool {
        match self {
            Self::Text(template) => template.names(placeholder),
            Self::List(items) => items.iter().any(|item| item.names(placeholder)),
            Self::Object(fields) => fields.iter().any(|(_, value)| value.names(placeholder)),
            Self::Fixed(_) => false,
        }
    }

    fn fill(&self, fillings: &Fillings<'_>) -> Result<Value, DriverError> {
        Ok(match self {
            Self::Text(template) => Value::String(template.fill(fillings)?),
            Self::List(items) => Value::Array(items.iter().map(|item| item.fill(fillings)).collect::<Result<_, _>>()?),
            Self::Object(fields) => {
                let field =
                    |(name, value): &(String, Self)| Ok::<_, DriverError>((name.clone(), value.fill(fillings)?));
                Value::Object(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            Self::Fixed(value) => value.clone(),
        })
    }
}
