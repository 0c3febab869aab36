//! The token endpoint of a proxy, and the tokens that apps get from it.
//!
//! Its path is a convention that most proxies follow. A token is as good as the key that it was given to: the gateway
//! asks for the status of that key at every call.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twin::{Call, Reply};

use super::{Apigee, ORGANIZATION, estate::Status, gateway::Refused, seed::generated_key};

const PATH: &str = "/oauth/client_credential/accesstoken";
const LIFE_SECONDS: i64 = 3599;

/// The key that each token was given to, and the token's end.
#[derive(Default)]
pub(super) struct AppTokens(HashMap<String, (String, Timestamp)>);

impl AppTokens {
    pub(super) fn key_of(&self, now: Timestamp, token: &str) -> Result<String, Refused> {
        let (key, ends) = self.0.get(token).ok_or(Refused::UnknownToken)?;
        if now < *ends { Ok(key.clone()) } else { Err(Refused::TokenEnded) }
    }
}

/// Name and password of a client.
struct Client {
    key: String,
    secret: String,
}

pub(super) fn asks_for_a_token(call: &Call) -> bool {
    call.method == "POST" && call.path.trim_end_matches('/') == PATH
}

impl Apigee {
    pub(super) fn app_token(&mut self, now: Timestamp, call: &Call) -> Reply {
        let fields = || {
            let query = url::form_urlencoded::parse(call.query.as_bytes());
            query.chain(url::form_urlencoded::parse(&call.body))
        };
        let field = |name: &str| fields().find(|(have, _)| have == name).map(|(_, value)| value.into_owned());
        if field("grant_type").as_deref() != Some("client_credentials") {
            let words = "Required param : grant_type";
            return Reply::json(400, &json!({ "ErrorCode": "invalid_request", "Error": words }));
        }
        let of_form = || Some(Client { key: field("client_id")?, secret: field("client_secret")? });
        let Some(client) = of_header(call).or_else(of_form) else { return invalid_client("ClientId is Invalid") };
        let approved = self.judge(now, &client.key, "/");
        if approved.is_ok() || !self.options.refused_unseen {
            self.traffic.record(&client.key, now);
        }
        if approved.is_err() {
            return invalid_client("ClientId is Invalid");
        }
        self.give(now, &client).unwrap_or_else(|| invalid_client("Client credentials are invalid"))
    }

    /// `None` for a wrong secret.
    fn give(&mut self, now: Timestamp, client: &Client) -> Option<Reply> {
        let (who, name) = self.estate.place_of(&client.key)?;
        let app = self.estate.app(who, name)?;
        let key = app.keys.iter().rev().find(|key| key.consumer_key == client.key)?;
        if key.consumer_secret != client.secret {
            return None;
        }
        let approved = key.products.iter().filter(|(_, status)| *status == Status::Approved);
        let products: Vec<&str> = approved.map(|(product, _)| product.as_str()).collect();
        let token = generated_key(&mut self.random);
        let answer = json!({
            "access_token": token,
            "token_type": "BearerToken",
            "expires_in": LIFE_SECONDS.to_string(),
            "issued_at": now.as_millisecond().to_string(),
            "client_id": client.key,
            "application_name": app.id,
            "api_product_list": format!("[{}]", products.join(", ")),
            "api_product_list_json": products,
            "organization_name": ORGANIZATION,
            "developer.email": if who.group { "" } else { &who.name },
            "scope": key.scopes.join(" "),
            "status": "approved",
            "refresh_token_expires_in": "0",
            "refresh_count": "0",
        });
        let ends = now.saturating_add(SignedDuration::from_secs(LIFE_SECONDS)).unwrap_or(Timestamp::MAX);
        self.app_tokens.0.insert(token, (client.key.clone(), ends));
        Some(Reply::json(200, &answer))
    }
}

fn of_header(call: &Call) -> Option<Client> {
    let pair = call.header("authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    let (key, secret) = pair.split_once(':')?;
    Some(Client { key: key.to_owned(), secret: secret.to_owned() })
}

fn invalid_client(words: &str) -> Reply {
    Reply::json(401, &json!({ "ErrorCode": "invalid_client", "Error": words }))
}
