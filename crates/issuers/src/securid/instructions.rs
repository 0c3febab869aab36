//! What a person does at the console, click by click.

use domain::{Ask, Handle};

use super::config::{ClientType, Key, Role};

const NEVER: &str =
    "Never click Regenerate: it ends the key in use in the same moment, and every consumer of it fails.";

pub(super) fn instructions(tenant: &str, key: &Key, ask: &Ask, handle: Option<&Handle>) -> Vec<String> {
    let mut lines =
        vec![format!("Sign in to the Cloud Administration Console of `{tenant}` as a Super Administrator.")];
    lines.extend(match (key.client_type, ask) {
        (ClientType::Legacy, Ask::Issue { .. }) => add_key(key, handle),
        (ClientType::Legacy, Ask::Revoke { .. }) => delete_key(handle),
        (ClientType::Oauth, Ask::Issue { .. }) => add_client(key, handle),
        (ClientType::Oauth, Ask::Revoke { .. }) => delete_client(handle),
    });
    lines
}

fn legacy_page() -> String {
    "Open Platform > API Access Management > Legacy API Keys (in older consoles: Platform > API Key Management)."
        .to_owned()
}

fn add_key(key: &Key, in_use: Option<&Handle>) -> Vec<String> {
    let role = key.role.unwrap_or(Role::HelpDesk).title();
    let mut lines = vec![
        legacy_page(),
        "Count the Administration keys. A tenant can have ten: where there are ten, stop here and tell who asked you."
            .to_owned(),
        NEVER.to_owned(),
    ];
    if let Some(handle) = in_use {
        lines
            .push(format!("Leave the key with the access ID {handle} as it is: it is in use until the new one works."));
    }
    lines.push(format!("Click Add, type `{}` as the description, and choose the role {role}.", key.name));
    lines.push("Save, and download the key file, named after its access ID.".to_owned());
    lines
        .push("Hand the file over as it is: `keyrota task complete ID --file FILE`. Then remove your copy.".to_owned());
    lines
}

fn delete_key(handle: Option<&Handle>) -> Vec<String> {
    let id = handle.map_or_else(|| "to be removed".to_owned(), |handle| format!("with the access ID {handle}"));
    vec![
        legacy_page(),
        format!("Find the key {id}. Go by the access ID alone: descriptions repeat and can be old."),
        NEVER.to_owned(),
        format!("Click Delete for the key {id}, and confirm. It works at once; nothing has to be published."),
        "Leave every other key as it is, above all the one of Authentication Manager.".to_owned(),
        "Say so: `keyrota task complete ID`. The key is then tried, and must be refused.".to_owned(),
    ]
}

fn add_client(key: &Key, in_use: Option<&Handle>) -> Vec<String> {
    let mut lines = vec!["Open Platform > API Access Management > OAuth Clients, and click Add API Client.".to_owned()];
    if let Some(handle) = in_use {
        lines.push(format!("Leave the client {handle} as it is: it is in use until the new one works."));
    }
    lines.push(format!("Type `{}` as the name, and choose the client type Admin API.", key.name));
    if !key.permissions.is_empty() {
        lines.push(format!("Choose these permissions and no others: {}.", key.permissions.join(", ")));
    }
    lines.push("Save, and download the private key.".to_owned());
    lines.push(
        "Put what the console shows into one JSON document: `issuer`, `client_id`, and as `private_key` the content of \
         the downloaded file."
            .to_owned(),
    );
    lines.push("Hand it over: `keyrota task complete ID --file FILE`. Then remove your copies.".to_owned());
    lines
}

fn delete_client(handle: Option<&Handle>) -> Vec<String> {
    let id = handle.map_or_else(|| "to be removed".to_owned(), |handle| format!("with the client ID {handle}"));
    vec![
        "Open Platform > API Access Management > OAuth Clients.".to_owned(),
        format!("Delete the client {id}, and confirm. Leave every other client as it is."),
        "Say so: `keyrota task complete ID`. The client is then tried, and must be refused.".to_owned(),
    ]
}
