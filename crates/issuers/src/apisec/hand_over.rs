//! What people do: change a password in the console, or make a personal access token.

use domain::{Ask, Handle};
use driver::{DriverError, Entropy, HandedOver, Kind};
use secret::{Secret, SecretMap};
use serde::Deserialize;

use super::{
    PASSWORD, TOKEN, USERNAME,
    claims::Claims,
    config::{Account, Checked},
    password::bearable,
};

pub(super) fn password_instructions(config: &Checked, account: &Account) -> Vec<String> {
    vec![
        format!("Sign in to {} as an administrator of the organisation `{}`.", config.endpoint, config.tenant),
        format!("Open Users, choose `{}` and reset its password.", account.username),
        "Choose a new password of 24 characters or more, of letters, digits, `-` and `_`: the vendor's scripts break \
         on quotes, backslashes, `$` and blanks."
            .to_owned(),
        "The old password is dead at that moment, tokens that it bought live on: hand the new one over at once, bare \
         or as {\"username\": ..., \"password\": ...}."
            .to_owned(),
    ]
}

pub(super) fn token_instructions(
    config: &Checked,
    account: &Account,
    ask: &Ask,
    handle: Option<&Handle>,
) -> Vec<String> {
    let sign_in = format!("Sign in to the tenant `{}` as the owner of `{}`.", config.tenant, account.name);
    match ask {
        Ask::Issue { .. } => vec![
            sign_in,
            "Open Settings, Personal Access Tokens, and create one with the same scope as the one that is in use."
                .to_owned(),
            "Leave the one in use alone: both are valid until you are asked to remove it.".to_owned(),
            "Hand the token over as it is shown, once: it begins with `eyJ`.".to_owned(),
        ],
        Ask::Revoke { .. } => {
            let which = handle.map_or_else(|| "the older one".to_owned(), |handle| format!("`{handle}`"));
            vec![
                sign_in,
                format!(
                    "Open Settings, Personal Access Tokens, and remove {which} (named by when it was made and ends)."
                ),
                "Remove no other: the newer one is in use.".to_owned(),
            ]
        }
    }
}

/// A bare password, or the account's user name with it.
pub(super) fn read_password(
    account: &Account,
    content: &Secret,
    entropy: &dyn Entropy,
) -> Result<HandedOver, DriverError> {
    let text = content.expose_text().ok_or_else(|| invalid("it is not text"))?.trim();
    let pair: Option<Pair> = if text.starts_with('{') { serde_json::from_str(text).ok() } else { None };
    if text.starts_with('{') && pair.is_none() {
        return Err(invalid("it begins like JSON, and is not {\"username\": ..., \"password\": ...}"));
    }
    if pair.as_ref().is_some_and(|pair| pair.username != account.username) {
        return Err(invalid(&format!("it names another user than `{}`", account.username)));
    }
    let password = pair.map_or_else(|| Secret::from_text(text), |pair| Secret::from_text(pair.password));
    bearable(password.expose_text().unwrap_or_default()).map_err(invalid)?;
    // The platform has no name for a password, and one of ours must tell nothing of it.
    let handle = format!("password-{:016x}", entropy.next());
    Ok(HandedOver { handle: parse(&handle)?, secret: password_map(account, password), expires_at: None })
}

pub(super) fn read_token(config: &Checked, content: &Secret) -> Result<HandedOver, DriverError> {
    let text = content.expose_text().ok_or_else(|| invalid("it is not text"))?.trim();
    let token = Secret::from_text(text);
    let claims =
        Claims::of(&token).ok_or_else(|| invalid("it is no personal access token, which begins with `eyJ`"))?;
    match &claims.tenant {
        Some(tenant) if *tenant != config.tenant => {
            return Err(invalid(&format!("it belongs to another tenant than `{}`", config.tenant)));
        }
        Some(_) => {}
        None => return Err(invalid("it names no tenant, as a personal access token does")),
    }
    let handle = token_handle(&claims).ok_or_else(|| invalid("it says neither who it is nor when it was made"))?;
    Ok(HandedOver { handle: parse(&handle)?, secret: token_map(token), expires_at: claims.expires_at })
}

/// The token's own id, or when it was made and when it ends: what its owner sees, and nothing of its signature.
fn token_handle(claims: &Claims) -> Option<String> {
    if let Some(id) = claims.id.as_deref().filter(|id| Handle::parse(id).is_ok()) {
        return Some(id.to_owned());
    }
    let made = claims.issued_at?;
    Some(claims.expires_at.map_or_else(|| format!("pat {made:.0}"), |ends| format!("pat {made:.0} to {ends:.0}")))
}

pub(super) fn password_map(account: &Account, password: Secret) -> SecretMap {
    let username = Secret::from_text(account.username.clone());
    SecretMap::new([(USERNAME.to_owned(), username), (PASSWORD.to_owned(), password)])
}

pub(super) fn token_map(token: Secret) -> SecretMap {
    SecretMap::new([(TOKEN.to_owned(), token)])
}

fn parse(handle: &str) -> Result<Handle, DriverError> {
    Handle::parse(handle).map_err(|error| invalid(&format!("its id cannot be used: {error}")))
}

fn invalid(why: &str) -> DriverError {
    DriverError::refused(Kind::Invalid, why)
}

/// Carries a secret, so it does not derive Debug.
#[derive(Deserialize)]
struct Pair {
    username: String,
    password: String,
}
