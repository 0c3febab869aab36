//! Which object a path names, and which route of the fault list a call takes.

use twin::Call;

/// A path, taken apart. Names are as they stand in the path: names or ids, percent-decoded, not yet looked up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Provider organisation and catalog, where the path has them.
    pub org: Option<String>,
    pub catalog: Option<String>,
    pub target: Target,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Token,
    IdentityProviders { admin: bool },
    Orgs,
    Org,
    Catalogs,
    Catalog,
    Settings,
    ConsumerOrgs,
    CatalogApps,
    GatewayServices,
    GatewayService(String),
    UserRegistry(String),
    User { registry: String, user: String },
    ConsumerOrg(String),
    OrgApps(String),
    App { org: String, app: String },
    Credentials { org: String, app: String },
    Credential { org: String, app: String, credential: String },
    Act { org: String, app: String, credential: String, action: Action },
    Events,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Reset,
    ResetSecret,
    VerifySecret,
}

impl Address {
    /// `None` when nothing is there. One slash at the end does not matter, which is how the address of a credential
    /// without its name becomes the address of all of them.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut segments = path.split('/').map(decoded).collect::<Option<Vec<_>>>()?;
        if segments.iter().any(String::is_empty) {
            return None;
        }
        let under_api = segments.first().is_some_and(|first| first == "api");
        if under_api {
            segments.remove(0);
        }
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["analytics", _service, "orgs", org, "events"] => Some(Self::of(Some(org), None, Target::Events)),
            ["analytics", _service, "catalogs", org, catalog, "events"] => {
                Some(Self::of(Some(org), Some(catalog), Target::Events))
            }
            segments if under_api => platform(segments),
            _ => None,
        }
    }

    fn of(org: Option<&str>, catalog: Option<&str>, target: Target) -> Self {
        Self { org: org.map(str::to_owned), catalog: catalog.map(str::to_owned), target }
    }

    pub(super) fn route(&self, method: &str) -> &'static str {
        match (&self.target, method) {
            (Target::Token, "POST") => "login",
            (Target::Events, "GET") => "usage",
            (Target::Credentials { .. }, "POST") => "issue",
            (Target::Credentials { .. } | Target::Credential { .. }, "DELETE") => "revoke",
            (Target::Credential { .. }, "PATCH") => "rename",
            (Target::Act { action: Action::VerifySecret, .. }, "POST") => "verify",
            (
                Target::Orgs
                | Target::Catalogs
                | Target::ConsumerOrgs
                | Target::CatalogApps
                | Target::OrgApps(_)
                | Target::Credentials { .. },
                "GET",
            ) => "list",
            (Target::IdentityProviders { .. }, _) => "other",
            (_, "GET") => "read",
            _ => "other",
        }
    }
}

pub(super) fn route(call: &Call) -> &'static str {
    Address::parse(&call.path).map_or("other", |address| address.route(&call.method))
}

fn platform(segments: &[&str]) -> Option<Address> {
    let own = str::to_owned;
    let (org, catalog, target) = match *segments {
        ["token"] => (None, None, Target::Token),
        ["cloud", "provider", "identity-providers"] => (None, None, Target::IdentityProviders { admin: false }),
        ["cloud", "admin", "identity-providers"] => (None, None, Target::IdentityProviders { admin: true }),
        ["orgs"] => (None, None, Target::Orgs),
        ["orgs", org] => (Some(org), None, Target::Org),
        ["orgs", org, "catalogs"] => (Some(org), None, Target::Catalogs),
        ["catalogs", org, catalog] => (Some(org), Some(catalog), Target::Catalog),
        ["catalogs", org, catalog, "settings"] => (Some(org), Some(catalog), Target::Settings),
        ["catalogs", org, catalog, "consumer-orgs"] => (Some(org), Some(catalog), Target::ConsumerOrgs),
        ["catalogs", org, catalog, "apps"] => (Some(org), Some(catalog), Target::CatalogApps),
        ["catalogs", org, catalog, "configured-gateway-services"] => {
            (Some(org), Some(catalog), Target::GatewayServices)
        }
        ["configured-gateway-services", org, catalog, id] => {
            (Some(org), Some(catalog), Target::GatewayService(own(id)))
        }
        ["user-registries", org, registry] => (Some(org), None, Target::UserRegistry(own(registry))),
        ["user-registries", org, registry, "users", user] => {
            (Some(org), None, Target::User { registry: own(registry), user: own(user) })
        }
        ["consumer-orgs", org, catalog, consumer] => (Some(org), Some(catalog), Target::ConsumerOrg(own(consumer))),
        ["consumer-orgs", org, catalog, consumer, "apps"] => (Some(org), Some(catalog), Target::OrgApps(own(consumer))),
        ["apps", org, catalog, consumer, app, ref rest @ ..] => {
            (Some(org), Some(catalog), below_app(own(consumer), own(app), rest)?)
        }
        _ => return None,
    };
    Some(Address::of(org, catalog, target))
}

fn below_app(org: String, app: String, rest: &[&str]) -> Option<Target> {
    Some(match *rest {
        [] => Target::App { org, app },
        ["credentials"] => Target::Credentials { org, app },
        ["credentials", credential] => Target::Credential { org, app, credential: credential.to_owned() },
        ["credentials", credential, action] => {
            let action = match action {
                "reset" => Action::Reset,
                "reset-client-secret" => Action::ResetSecret,
                "verify-client-secret" => Action::VerifySecret,
                _ => return None,
            };
            Target::Act { org, app, credential: credential.to_owned(), action }
        }
        _ => return None,
    })
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
