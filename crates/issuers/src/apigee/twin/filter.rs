//! Which apps a client asks for, among all of an organisation of X.

use super::{
    Refusal, Request,
    estate::{App, Revision, Status, Who},
};

/// What `GET /apps` is to show.
pub(super) struct Wanted<'a> {
    approved: bool,
    /// Apps with no key of this status are left out.
    pub key_status: Status,
    pub rows: Option<usize>,
    ids: Option<Vec<&'a str>>,
    product: Option<&'a str>,
    filter: Filter<'a>,
}

/// The parameter `filter`: one name and its value.
enum Filter<'a> {
    /// The documents tell of no apps of groups unless they are asked for.
    Developers,
    Groups,
    Group(&'a str),
    Developer(&'a str),
    AppName(&'a str),
    AppId(&'a str),
    ConsumerKey(&'a str),
    Product(&'a str),
}

impl<'a> Wanted<'a> {
    pub(super) fn read(request: &'a Request<'_>) -> Result<Self, Refusal> {
        let wrong = |name: &str, value: &str| {
            Refusal::new(400, "developer.service.InvalidParameters", format!("{name} {value} is not valid"))
        };
        let rows = request.get("rows").map(|text| text.parse().map_err(|_| wrong("rows", text))).transpose()?;
        let key_status = match request.get("keyStatus").unwrap_or("approved") {
            "approved" => Status::Approved,
            "revoked" => Status::Revoked,
            other => return Err(wrong("keyStatus", other)),
        };
        let filter = match request.get("filter") {
            Some(text) => Filter::parse(text).ok_or_else(|| wrong("filter", text))?,
            None => Filter::Developers,
        };
        let ids = request.get("ids").map(|ids| ids.split(',').map(str::trim).collect());
        let approved = request.get("status").unwrap_or("approved") == "approved";
        Ok(Self { approved, key_status, rows, ids, product: request.get("apiProduct"), filter })
    }

    pub(super) fn takes(&self, who: &Who, name: &str, app: &App, revision: Revision) -> bool {
        let mut keys = app.keys.iter().filter(|key| key.is_there(revision));
        app.approved == self.approved
            && keys.any(|key| key.status == self.key_status)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&app.id.as_str()))
            && self.product.is_none_or(|product| has_product(app, product, revision))
            && self.filter.takes(who, name, app, revision)
    }
}

impl<'a> Filter<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        Some(match (name.trim(), value.trim()) {
            ("appType", "AppGroup") => Self::Groups,
            ("appType", "Developer") => Self::Developers,
            ("appGroup", group) => Self::Group(group),
            ("developerEmail", email) => Self::Developer(email),
            ("appName", app) => Self::AppName(app),
            ("appId", id) => Self::AppId(id),
            ("consumerKey", key) => Self::ConsumerKey(key),
            ("apiProduct", product) => Self::Product(product),
            _ => return None,
        })
    }

    fn takes(&self, who: &Who, name: &str, app: &App, revision: Revision) -> bool {
        match self {
            Self::Developers => !who.group,
            Self::Groups => who.group,
            Self::Group(group) => who.group && who.name == *group,
            Self::Developer(email) => !who.group && who.name == *email,
            Self::AppName(wanted) => !who.group && name == *wanted,
            Self::AppId(id) => !who.group && app.id == *id,
            Self::ConsumerKey(key) => {
                !who.group && app.keys.iter().any(|it| it.is_there(revision) && it.consumer_key == *key)
            }
            Self::Product(product) => !who.group && has_product(app, product, revision),
        }
    }
}

fn has_product(app: &App, product: &str, revision: Revision) -> bool {
    let mut keys = app.keys.iter().filter(|key| key.is_there(revision));
    keys.any(|key| key.products.iter().any(|(name, _)| name == product))
}
