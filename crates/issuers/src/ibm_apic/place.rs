//! Where a credential lives: its consumer organisation and application, by id.

use std::{fmt, str::FromStr, sync::Arc};

use domain::{Handle, Marker, Owner, Parent};
use driver::{DriverError, Found, Kind, Subject};

use super::{
    address::{is_uuid, last_segments},
    api::{AppObject, ConsumerOrgObject, CredentialObject, UserObject},
};

/// The driver's own words for where a credential lives: `{organisation}/{application}`. Ids, because names change and
/// are used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locator {
    pub org_id: String,
    pub app_id: String,
}

impl Locator {
    pub(super) fn of(subject: &Subject) -> Result<Self, DriverError> {
        subject.locator.parse().map_err(|()| {
            DriverError::refused(
                Kind::Invalid,
                format!("`{}` is no locator of an application", subject.locator.escape_default()),
            )
        })
    }
}

impl FromStr for Locator {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (org_id, app_id) = text.split_once('/').ok_or(())?;
        if is_uuid(org_id) && is_uuid(app_id) {
            Ok(Self { org_id: org_id.to_owned(), app_id: app_id.to_owned() })
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org_id, self.app_id)
    }
}

#[derive(Debug)]
pub(super) struct Org {
    pub id: String,
    pub name: String,
    pub owner: Option<Owner>,
    pub enabled: bool,
}

impl Org {
    pub(super) fn read(object: ConsumerOrgObject) -> Result<Self, DriverError> {
        let id = id("consumer organisation", &object.name, object.id.as_deref(), object.url.as_deref())?;
        Ok(Self {
            id,
            name: object.name,
            owner: object.owner.map(owner),
            // Absent in a listing that does not show states of organisations; the application's own state is asked
            // for everywhere.
            enabled: object.state.is_none_or(|state| state == "enabled"),
        })
    }
}

/// An application in its organisation.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub org: Arc<Org>,
    pub app_id: String,
    pub app_name: String,
    pub parent: Parent,
}

impl Place {
    pub(super) fn read(org: Arc<Org>, app: &AppObject) -> Result<Self, DriverError> {
        let app_id = id("application", &app.name, app.id.as_deref(), app.url.as_deref())?;
        let enabled = org.enabled && app.state.as_deref() == Some("enabled");
        let parent = if enabled { Parent::Enabled } else { Parent::Disabled };
        Ok(Self { org, app_id, app_name: app.name.clone(), parent })
    }

    pub(super) fn locator(&self) -> Locator {
        Locator { org_id: self.org.id.clone(), app_id: self.app_id.clone() }
    }

    pub(super) fn found(&self, credential: CredentialObject) -> Result<Found, DriverError> {
        let handle = handle(&credential.name, credential.id.as_deref(), credential.url.as_deref())?;
        let Some(created_at) = credential.created_at else {
            let message = format!("the credential `{}` came without its time of creation", credential.name);
            return Err(DriverError::refused(Kind::Protocol, message));
        };
        Ok(Found {
            names: vec![self.org.name.clone(), self.app_name.clone(), credential.name.clone()],
            title: credential.title.unwrap_or(credential.name),
            handle,
            locator: self.locator().to_string(),
            kind: "",
            marker: credential.summary.as_deref().and_then(Marker::find),
            created_at,
            expires_at: None,
            owner: self.org.owner.clone(),
            parent: self.parent,
            protected: false,
            minted_from: None,
        })
    }
}

pub(super) fn handle(name: &str, id_field: Option<&str>, url: Option<&str>) -> Result<Handle, DriverError> {
    let id = id("credential", name, id_field, url)?;
    Handle::parse(&id).map_err(|error| DriverError::refused(Kind::Protocol, format!("the id `{id}`: {error}")))
}

/// The organisation and the application in an application's own address.
pub(super) fn ids_of_app(app: &AppObject) -> Option<[&str; 2]> {
    let ids @ [org_id, app_id] = last_segments(app.url.as_deref()?)?;
    (is_uuid(org_id) && is_uuid(app_id)).then_some(ids)
}

/// An object's id, from the field or else from its address, whose last segment is the same.
fn id(noun: &str, name: &str, field: Option<&str>, url: Option<&str>) -> Result<String, DriverError> {
    let from_url = || url.and_then(last_segments).map(|[id]| id);
    match field.or_else(from_url).filter(|id| is_uuid(id)) {
        Some(id) => Ok(id.to_owned()),
        None => Err(DriverError::refused(Kind::Protocol, format!("the {noun} `{name}` came without its id"))),
    }
}

fn owner(user: UserObject) -> Owner {
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (first, last) = (given(user.first_name), given(user.last_name));
    let full = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = given(Some(full)).or(given(user.username)).or(given(user.name)).unwrap_or_default();
    Owner { name, email: given(user.email) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_owner(json: &str, name: &str, email: Option<&str>) {
        let user = serde_json::from_str(json).unwrap();
        assert_eq!(owner(user), Owner { name: name.to_owned(), email: email.map(str::to_owned) });
    }

    #[test]
    fn an_owner_has_the_best_name_there_is() {
        check_owner(
            r#"{"first_name":"Jane","last_name":"Doe","username":"jd","email":"j@x.test"}"#,
            "Jane Doe",
            Some("j@x.test"),
        );
        check_owner(r#"{"first_name":"Jane","last_name":" ","email":""}"#, "Jane", None);
        check_owner(r#"{"first_name":null,"last_name":"","username":"jd","extra":[1]}"#, "jd", None);
    }

    #[test]
    fn a_locator_is_two_ids() {
        const ID: &str = "0b1e7a54-93c1-4f0e-8d7a-0123456789ab";
        assert_eq!(format!("{ID}/{ID}").parse::<Locator>().unwrap().to_string(), format!("{ID}/{ID}"));
        for text in ["", "/", ID, &format!("{ID}/"), &format!("{ID}/{ID}/{ID}"), &format!("../{ID}")] {
            assert!(text.parse::<Locator>().is_err(), "{text}");
        }
    }
}
