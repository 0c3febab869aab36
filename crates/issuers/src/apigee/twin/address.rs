//! What a path names.

use twin::Call;

use super::{estate::Who, options::Generation};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Token,
    Environments,
    Stats { environment: String },
    Developers,
    Developer(String),
    Groups,
    Group(String),
    Apps,
    AppById(String),
    OwnApps(Who),
    App(Who, String),
    Keys(Who, String),
    Key(Who, String, String),
    Product(Who, String, String, String),
}

/// `Err` with the name of another organisation.
pub(super) fn parse(generation: Generation, organization: &str, path: &str) -> Option<Result<Target, String>> {
    let segments: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect::<Option<_>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let rest = match segments.as_slice() {
        ["token"] if generation == Generation::X => return Some(Ok(Target::Token)),
        ["oauth", "token"] if generation == Generation::Edge => return Some(Ok(Target::Token)),
        ["v1", "organizations", rest @ ..] => rest,
        ["v1", "o", rest @ ..] if generation == Generation::Edge => rest,
        _ => return None,
    };
    let (org, rest) = rest.split_first()?;
    let target = below(generation, rest)?;
    Some(if *org == organization { Ok(target) } else { Err((*org).to_owned()) })
}

fn below(generation: Generation, rest: &[&str]) -> Option<Target> {
    let groups = match generation {
        Generation::X => "appgroups",
        Generation::Edge => "companies",
    };
    let own = |text: &str| text.to_owned();
    Some(match *rest {
        ["environments" | "e"] => Target::Environments,
        ["environments" | "e", environment, "stats", _] => Target::Stats { environment: own(environment) },
        ["developers"] => Target::Developers,
        ["developers", email] => Target::Developer(own(email)),
        ["apps"] => Target::Apps,
        ["apps", id] => Target::AppById(own(id)),
        [word] if word == groups => Target::Groups,
        [word, name] if word == groups => Target::Group(own(name)),
        [word, name, "apps", ref rest @ ..] if word == "developers" || word == groups => {
            below_owner(Who { group: word == groups, name: own(name) }, rest)?
        }
        _ => return None,
    })
}

fn below_owner(who: Who, rest: &[&str]) -> Option<Target> {
    let own = |text: &str| text.to_owned();
    Some(match *rest {
        [] => Target::OwnApps(who),
        [app] => Target::App(who, own(app)),
        [app, "keys"] | [app, "keys", "create"] => Target::Keys(who, own(app)),
        [app, "keys", key] => Target::Key(who, own(app), own(key)),
        [app, "keys", key, "apiproducts", product] => Target::Product(who, own(app), own(key), own(product)),
        _ => return None,
    })
}

/// The route of a call, for faults.
pub(super) fn route(target: Option<&Target>, call: &Call) -> &'static str {
    let switches = call.query.contains("action=") || String::from_utf8_lossy(&call.body).contains("\"action\"");
    let approves = call.query.contains("approve") || String::from_utf8_lossy(&call.body).contains("\"approve\"");
    match (call.method.as_str(), target) {
        (_, Some(Target::Token)) => "login",
        ("GET", Some(Target::Environments | Target::Stats { .. })) => "usage",
        ("GET", Some(Target::Key(..) | Target::AppById(_))) => "read",
        ("GET", Some(_)) => "list",
        ("DELETE", Some(Target::Key(..))) => "revoke",
        ("POST", Some(Target::Key(..))) if switches && !approves => "other",
        ("POST", Some(Target::Keys(..) | Target::Key(..) | Target::Product(..))) => "issue",
        ("POST" | "PUT", Some(Target::App(..))) if !switches => "issue",
        _ => "other",
    }
}

/// `None` when it is no percent-encoded UTF-8.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
