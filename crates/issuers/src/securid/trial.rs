//! Whether a key works, and with which rights. A 403 says little on this platform: it stands for a wrong clock, a
//! lifetime that is too long, a missing role and a key that is gone alike. So one refusal is never believed.

use driver::{DriverError, HttpResponse, Kind, Trial};
use jiff::{SignedDuration, Timestamp};
use secret::Secret;
use serde_json::{Value, json};
use url::Url;

use super::{
    client::{Client, own_words, unclear},
    config::{Audience, Key, Role},
    key_file::{ClientFile, KeyFile},
};

/// Short, since it is used at once; the platform allows an hour.
const LIFETIME: SignedDuration = SignedDuration::from_secs(300);
/// The second try is as plain as can be.
const LIFETIME_AGAIN: SignedDuration = SignedDuration::from_secs(60);
pub(super) const LIFETIME_MAX: SignedDuration = SignedDuration::from_secs(3600);

const LOG: &str = "v1/adminlog/exportlogs";
/// The permission for [`LOG`], which every licence has.
const LOG_PERMISSION: &str = "rsa.audit.admin";
const HIGH_RISK_USERS: &str = "v2/users/highrisk";

const TRYING: &str = "trying the key";

/// The claims of a token that a legacy key signs.
pub(super) fn key_claims(file: &KeyFile, now: Timestamp, lifetime: SignedDuration) -> Value {
    let iat = now.as_second();
    json!({ "sub": file.handle.as_str(), "aud": file.audience, "iat": iat, "exp": iat + lifetime.as_secs() })
}

/// The claims with which an OAuth client proves itself.
pub(super) fn client_claims(
    file: &ClientFile,
    audience: &str,
    nonce: String,
    now: Timestamp,
    lifetime: SignedDuration,
) -> Value {
    let (id, iat) = (file.handle.as_str(), now.as_second());
    json!({ "iss": id, "sub": id, "aud": audience, "iat": iat, "exp": iat + lifetime.as_secs(), "jti": nonce })
}

pub(super) fn audience(client: &Client, file: &ClientFile) -> String {
    match client.at.assertion_audience {
        Audience::TokenEndpoint => format!("{}/token", file.issuer.as_str()),
        Audience::Issuer => file.issuer.as_str().to_owned(),
    }
}

fn unsigned(why: &'static str) -> DriverError {
    DriverError::refused(Kind::Invalid, why)
}

/// How one call with the key went.
enum Called {
    Well,
    /// Refused in the platform's own words.
    Refused(String),
}

/// Tries an Administration key: the administration log of the last minute, which either role may read; then, where a
/// role is wanted, the list of high-risk users, which only a Super Administrator's may.
pub(super) async fn try_key(client: &Client, file: &KeyFile, key: Option<&Key>) -> Result<Trial, DriverError> {
    let first = call(client, file, LOG, LIFETIME).await?;
    let refused = match first {
        Called::Well => return rights(client, file, key).await,
        Called::Refused(_) => match call(client, file, LOG, LIFETIME_AGAIN).await? {
            Called::Well => return rights(client, file, key).await,
            Called::Refused(why) => why,
        },
    };
    // Perhaps only the log is refused.
    Ok(match call(client, file, HIGH_RISK_USERS, LIFETIME_AGAIN).await? {
        Called::Well => Trial::Unfit(format!("the key works, and may not read the administration log: \"{refused}\"")),
        Called::Refused(_) => Trial::Refused(format!("403, \"{refused}\"")),
    })
}

/// The role, where one is wanted: what the platform lets the key do, not what somebody clicked.
async fn rights(client: &Client, file: &KeyFile, key: Option<&Key>) -> Result<Trial, DriverError> {
    let Some(wanted) = key.and_then(|key| key.role) else { return Ok(Trial::Accepted) };
    let proved = match call(client, file, HIGH_RISK_USERS, LIFETIME).await? {
        Called::Well => Role::Super,
        Called::Refused(_) => Role::HelpDesk,
    };
    if proved == wanted {
        return Ok(Trial::Accepted);
    }
    let (wanted, proved) = (wanted.title(), proved.title());
    Ok(Trial::Unfit(format!("the key works with the role {proved}, and {wanted} is wanted: change its role")))
}

async fn call(client: &Client, file: &KeyFile, path: &str, lifetime: SignedDuration) -> Result<Called, DriverError> {
    let url = address(client, path)?;
    let mut again = true;
    loop {
        let token = file.key.sign(None, &key_claims(file, client.now(), lifetime)).map_err(unsigned)?;
        let (response, clock_moved) = client.get(url.clone(), Some(&token)).await?;
        match read(&response)? {
            // What we signed was dated by a clock that the answer shows to be wrong.
            Called::Refused(_) if clock_moved && again => again = false,
            called => return Ok(called),
        }
    }
}

fn read(response: &HttpResponse) -> Result<Called, DriverError> {
    let is_object = serde_json::from_slice::<Value>(&response.body.0).is_ok_and(|body| body.is_object());
    match (response.status, own_words(response)) {
        (200, _) if is_object => Ok(Called::Well),
        (401 | 403, Some(words)) => Ok(Called::Refused(words)),
        // A page of something in between proves nothing about the key.
        _ => Err(unclear(TRYING, response)),
    }
}

fn address(client: &Client, path: &str) -> Result<Url, DriverError> {
    let mut url = client.at.endpoint.join(path)?;
    if path == LOG {
        let since = client.now().saturating_sub(SignedDuration::from_secs(60)).unwrap_or(Timestamp::MIN);
        let since = since.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string();
        let query = [("pageSize", "1"), ("pageNumber", "0"), ("startTimeAfter", since.as_str())];
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Tries an OAuth client: it must be given a token with the permissions that are wanted, and the token must be taken.
pub(super) async fn try_client(client: &Client, file: &ClientFile, key: Option<&Key>) -> Result<Trial, DriverError> {
    let scope = key.map(|key| key.permissions.join(" ")).unwrap_or_default();
    let mut again = true;
    loop {
        let (response, clock_moved) = ask_for_token(client, file, &scope).await?;
        let body: Value = serde_json::from_slice(&response.body.0).unwrap_or_default();
        let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
        let words = own_words(&response);
        match (response.status, words) {
            (200, _) => return use_token(client, &scope, &body).await,
            (400 | 401, Some(_)) if clock_moved && again => again = false,
            (400 | 401, Some(words)) if error == "invalid_scope" => {
                return Ok(Trial::Unfit(format!("the client works, and lacks a permission of `{scope}`: \"{words}\"")));
            }
            (400 | 401, Some(words)) if matches!(error, "invalid_client" | "invalid_grant" | "unauthorized_client") => {
                return Ok(Trial::Refused(format!("{}, \"{words}\"", response.status)));
            }
            _ => return Err(unclear("asking for an access token", &response)),
        }
    }
}

async fn ask_for_token(client: &Client, file: &ClientFile, scope: &str) -> Result<(HttpResponse, bool), DriverError> {
    let claims = client_claims(file, &audience(client, file), client.nonce(), client.now(), LIFETIME);
    let assertion = file.key.sign(Some(&file.kid), &claims).map_err(unsigned)?;
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", file.handle.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.expose_text().unwrap_or_default()),
    ];
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    client.post_form(file.issuer.join("token")?, &form).await
}

async fn use_token(client: &Client, scope: &str, body: &Value) -> Result<Trial, DriverError> {
    let token = body.get("access_token").and_then(Value::as_str).map(Secret::from_text);
    let Some(token) = token else {
        return Err(DriverError::refused(Kind::Protocol, "asking for an access token: 200, but without one"));
    };
    if !scope.split(' ').any(|permission| permission == LOG_PERMISSION) {
        return Ok(Trial::Accepted);
    }
    let (response, _) = client.get(address(client, LOG)?, Some(&token)).await?;
    match read(&response)? {
        Called::Well => Ok(Trial::Accepted),
        Called::Refused(why) => {
            Ok(Trial::Unfit(format!("its access token may not read the administration log: {why}")))
        }
    }
}
