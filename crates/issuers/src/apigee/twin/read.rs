//! Reads: objects, and lists in their several ways of paging.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use twin::{FaultKind, Reply};

use super::{
    Apigee, ENVIRONMENTS, Outcome, Refusal, Request,
    address::Target,
    estate::{Parent, Revision, Who},
    filter::Wanted,
    options::Generation,
};

/// A stale list shows the organisation as it was so many changes ago.
const STALE_BY: Revision = 3;
const DEVELOPERS_A_PAGE: usize = 1000;
const OWN_APPS_A_PAGE: usize = 100;

impl Apigee {
    pub(super) fn read(&self, now: Timestamp, target: &Target, request: &Request<'_>) -> Outcome {
        let body = match target {
            Target::Environments => json!(ENVIRONMENTS),
            Target::Stats { environment } => return self.stats(now, environment, request),
            Target::Developers => self.developers(request)?,
            Target::Developer(email) => self.developer_object(email, self.developer(email)?),
            Target::Groups => self.groups(request)?,
            Target::Group(name) => {
                let who = Who { group: true, name: name.clone() };
                self.group_object(name, self.parent(&who)?)
            }
            Target::Apps => self.all_apps(request)?,
            Target::AppById(id) => {
                let mut apps = self.estate.apps();
                let (who, parent, name, app) = apps.find(|(_, _, _, app)| app.id == *id).ok_or_else(|| {
                    Refusal::new(404, "developer.service.AppDoesNotExist", format!("App with id {id} does not exist"))
                })?;
                self.app_object(who, parent, name, app, self.estate.revision(), None)
            }
            Target::OwnApps(who) => self.own_apps(who, request)?,
            Target::App(who, app) => {
                let parent = self.parent(who)?;
                let object = self.find_app(who, app)?;
                // Asked for by its name it is no list, and no older than a key that is asked for by its own.
                self.app_object(who, parent, app, object, self.estate.revision(), None)
            }
            Target::Key(who, app, key) => {
                self.find_app(who, app)?;
                self.key_object(self.estate.key(who, app, key).ok_or_else(unknown_key)?)
            }
            Target::Token | Target::Keys(..) | Target::Product(..) => return Err(Refusal::method()),
        };
        Ok(Reply::json(200, &body))
    }

    /// The state that a list shows.
    fn shown(&self, request: &Request<'_>) -> Revision {
        let now = self.estate.revision();
        match request.fault {
            Some(FaultKind::StaleList) => now.saturating_sub(STALE_BY).max(self.planted),
            _ => now,
        }
    }

    fn developers(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let developers: BTreeMap<&str, &Parent> = self.owners(false).collect();
        if request.flag("expand") {
            if request.get("count").or(request.get("startKey")).is_some() {
                let message = "expand cannot be used together with count or startKey";
                return Err(Refusal::new(400, "developer.service.InvalidParameters", message));
            }
            let objects = developers.iter().take(DEVELOPERS_A_PAGE);
            let objects: Vec<Value> = objects.map(|(email, parent)| self.developer_object(email, parent)).collect();
            return Ok(json!({ "developer": objects }));
        }
        let emails = self.keyed(developers.keys().copied(), request, DEVELOPERS_A_PAGE)?;
        if self.options.generation == Generation::Edge {
            return Ok(json!(emails));
        }
        let objects: Vec<Value> = emails.iter().map(|email| json!({ "email": email })).collect();
        Ok(if objects.is_empty() { json!({}) } else { json!({ "developer": objects }) })
    }

    fn own_apps(&self, who: &Who, request: &Request<'_>) -> Result<Value, Refusal> {
        let parent = self.parent(who)?;
        let (member, names) = if who.group && self.options.generation == Generation::X {
            return self.group_apps(who, parent, request);
        } else {
            ("app", self.keyed(parent.apps.keys().map(String::as_str), request, OWN_APPS_A_PAGE)?)
        };
        if !request.flag("expand") && self.options.generation == Generation::Edge {
            return Ok(json!(names));
        }
        let revision = self.shown(request);
        let apps = names.iter().filter_map(|name| parent.apps.get_key_value(*name));
        let apps = apps.map(|(name, app)| match request.flag("expand") {
            true => self.app_object(who, parent, name, app, revision, None),
            false => json!({ "appId": app.id, "name": name }),
        });
        Ok(json!({ member: apps.collect::<Vec<_>>() }))
    }

    /// The first entry of a page is the last of the page before it.
    fn keyed<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        request: &Request<'_>,
        most: usize,
    ) -> Result<Vec<&'a str>, Refusal> {
        if self.options.private_cloud {
            return Ok(names.collect());
        }
        let count = match request.get("count") {
            None => most,
            Some(text) => text.parse::<usize>().map(|count| count.min(most)).map_err(|_| {
                Refusal::new(400, "developer.service.InvalidParameters", format!("count {text} is not a number"))
            })?,
        };
        let start = request.get("startKey").unwrap_or_default();
        Ok(names.skip_while(|name| *name < start).take(count).collect())
    }

    fn owners(&self, groups: bool) -> impl Iterator<Item = (&str, &Parent)> {
        let of_kind = self.estate.parents.iter().filter(move |(who, _)| who.group == groups);
        of_kind.map(|(who, parent)| (who.name.as_str(), parent))
    }

    fn groups(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        if self.options.no_groups {
            return Err(Refusal::forbidden("apigee.appgroups.list"));
        }
        let all: Vec<(&str, &Parent)> = self.owners(true).collect();
        if self.options.generation == Generation::Edge {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            let objects: Vec<Value> = all.iter().map(|(name, parent)| self.group_object(name, parent)).collect();
            return Ok(if request.flag("expand") { json!({ "company": objects }) } else { json!(names) });
        }
        let page = self.tokened(all, request, |(name, _)| name)?;
        let objects: Vec<Value> = page.items.iter().map(|(name, parent)| self.group_object(name, parent)).collect();
        Ok(page.body("appGroups", objects))
    }

    fn group_apps(&self, who: &Who, parent: &Parent, request: &Request<'_>) -> Result<Value, Refusal> {
        let revision = self.shown(request);
        let page = self.tokened(parent.apps.iter().collect(), request, |(name, _)| name)?;
        let apps = page.items.iter().map(|(name, app)| self.app_object(who, parent, name, app, revision, None));
        let apps = apps.collect();
        Ok(page.body("appGroupApps", apps))
    }

    /// Of X; what is not asked for is approved, and a developer's.
    fn all_apps(&self, request: &Request<'_>) -> Result<Value, Refusal> {
        let wanted = Wanted::read(request)?;
        let revision = self.shown(request);
        let shown = self.estate.apps().filter(|(who, _, name, app)| wanted.takes(who, name, app, revision));
        let shown: Vec<_> = match request.get("startKey") {
            Some(start) => shown.skip_while(|(_, _, _, app)| app.id != start).collect(),
            None => shown.collect(),
        };
        let mut page = self.tokened(shown, request, |(_, _, _, app)| &app.id)?;
        if let Some(rows) = wanted.rows {
            // The older way of paging: whoever counts rows goes on by `startKey`.
            page.items.truncate(rows);
            page.next = None;
        }
        let (expand, with_keys) = (request.flag("expand"), request.flag("includeCred"));
        let objects = page.items.iter().map(|(who, parent, name, app)| {
            if !expand {
                return json!({ "appId": app.id });
            }
            let mut object = self.app_object(who, parent, name, app, revision, Some(wanted.key_status));
            if let (false, Some(object)) = (with_keys, object.as_object_mut()) {
                object.remove("credentials");
            }
            object
        });
        let objects = objects.collect();
        Ok(page.body("app", objects))
    }

    fn tokened<T>(&self, items: Vec<T>, request: &Request<'_>, id: impl Fn(&T) -> &str) -> Result<Page<T>, Refusal> {
        let most = self.options.page_max as usize;
        let size = match request.get("pageSize").map(str::parse::<usize>) {
            None => most,
            Some(Ok(size)) if (1..=1000).contains(&size) => size.min(most),
            Some(_) => return Err(Refusal::new(400, "invalid_argument", "pageSize must be from 1 to 1000")),
        };
        let mut start = 0;
        if let Some(token) = request.get("pageToken") {
            let last = token.strip_prefix("after:").unwrap_or_default();
            let found = items.iter().position(|item| id(item) == last);
            start = found.ok_or_else(|| Refusal::new(400, "invalid_argument", "pageToken is not valid"))? + 1;
        }
        let total = items.len();
        let items: Vec<T> = items.into_iter().skip(start).take(size).collect();
        let more = start + items.len() < total;
        let next = items.last().filter(|_| more).map(|last| format!("after:{}", id(last)));
        Ok(Page { items, next, total })
    }

    fn developer(&self, email: &str) -> Result<&Parent, Refusal> {
        self.parent(&Who { group: false, name: email.to_owned() })
    }
}

struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    total: usize,
}

impl<T> Page<T> {
    fn body(&self, member: &str, objects: Vec<Value>) -> Value {
        let mut body = Map::new();
        body.insert("totalSize".to_owned(), json!(self.total));
        if !objects.is_empty() {
            body.insert(member.to_owned(), json!(objects));
        }
        if let Some(next) = &self.next {
            body.insert("nextPageToken".to_owned(), json!(next));
        }
        Value::Object(body)
    }
}

pub(super) fn unknown_key() -> Refusal {
    Refusal::new(404, "keymanagement.service.InvalidClientIdForGivenApp", "Invalid consumer key for Given App")
}
