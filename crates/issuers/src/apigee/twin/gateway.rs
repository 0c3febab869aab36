//! The gateway: a proxy that checks keys, and remembers them longer than one would like.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twin::{Call, Reply};

use super::{Apigee, app_token::asks_for_a_token, estate::Status, options::Generation};

/// What the gateway remembers of keys.
#[derive(Default)]
pub(super) struct Cache {
    /// Products of a key that was accepted, and until when it goes by them.
    accepted: HashMap<String, Remembered>,
    /// Keys that it refused, from when until when, and why.
    refused: HashMap<String, (Timestamp, Timestamp, Refused)>,
}

struct Remembered {
    from: Timestamp,
    until: Timestamp,
    app: String,
    products: Vec<(String, Status)>,
}

pub(super) fn fault(status: u16, words: &str, code: &str) -> Reply {
    Reply::json(status, &json!({ "fault": { "faultstring": words, "detail": { "errorcode": code } } }))
}

/// Why a key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    NotApproved,
    Resource,
    AppNotApproved,
    Inactive { group: bool },
    Expired,
    NotSent,
    UnknownToken,
    TokenEnded,
}

impl Refused {
    fn reply(self) -> Reply {
        let (words, code) = match self {
            Self::Unknown => ("Invalid ApiKey", "oauth.v2.InvalidApiKey"),
            Self::NotApproved => ("Invalid ApiKey", "oauth.v2.ApiKeyNotApproved"),
            Self::Resource => ("Invalid ApiKey for given resource", "oauth.v2.InvalidApiKeyForGivenResource"),
            Self::AppNotApproved => ("App is not approved", "keymanagement.service.invalid_client-app_not_approved"),
            Self::Inactive { group: false } => {
                ("Developer Status is not Active", "keymanagement.service.DeveloperStatusNotActive")
            }
            Self::Inactive { group: true } => {
                ("Company Status is not Active", "keymanagement.service.CompanyStatusNotActive")
            }
            Self::Expired => ("API key has expired", "keymanagement.service.consumer_key_expired"),
            Self::UnknownToken => ("Invalid access token", "keymanagement.service.invalid_access_token"),
            Self::TokenEnded => ("Access Token expired", "keymanagement.service.access_token_expired"),
            Self::NotSent => {
                ("Failed to resolve API Key variable request.header.x-api-key", "steps.oauth.v2.FailedToResolveAPIKey")
            }
        };
        fault(401, words, code)
    }
}

impl Apigee {
    /// Any path is a protected API that answers which app the key belongs to. A path that begins with the name of a
    /// product needs that product; every other one is served by any. Where no key is sent, a token of one does.
    pub(super) fn call_gateway(&mut self, now: Timestamp, call: &Call) -> Reply {
        if asks_for_a_token(call) {
            return self.app_token(now, call);
        }
        let of_token = || {
            let token = call.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
            self.app_tokens.key_of(now, token.ok_or(Refused::NotSent)?)
        };
        let key = match sent(call).map_or_else(of_token, Ok) {
            Ok(key) => key,
            Err(refused) => return refused.reply(),
        };
        let outcome = self.judge(now, &key, &call.path);
        if outcome.is_ok() || !self.options.refused_unseen {
            self.traffic.record(&key, now);
        }
        match outcome {
            Ok(app) => Reply::json(200, &json!({ "application": app })),
            Err(refused) => refused.reply(),
        }
    }

    /// What it has accepted it goes by for a while, also for other paths; what it refused it asks for anew, unless it is
    /// one of those that remember refusals, too.
    pub(super) fn judge(&mut self, now: Timestamp, key: &str, path: &str) -> Result<String, Refused> {
        if let Some(known) = self.cache.accepted.get(key).filter(|it| (it.from..it.until).contains(&now)) {
            self.covers(&known.products, path)?;
            return Ok(known.app.clone());
        }
        if let Some((_, _, why)) = self.cache.refused.get(key).filter(|(from, until, _)| (*from..*until).contains(&now))
        {
            return Err(*why);
        }
        let fresh = self.ask(now, key).and_then(|(app, products)| {
            self.covers(&products, path)?;
            Ok((app, products))
        });
        match fresh {
            Ok((app, products)) => {
                let until = later(now, self.options.gateway_cache);
                self.cache.accepted.insert(key.to_owned(), Remembered { from: now, until, app: app.clone(), products });
                Ok(app)
            }
            Err(why) => {
                let until = later(now, self.options.negative_cache);
                self.cache.refused.insert(key.to_owned(), (now, until, why));
                Err(why)
            }
        }
    }

    /// Status on all four levels, as the gateway knows it.
    fn ask(&self, now: Timestamp, key: &str) -> Result<(String, Vec<(String, Status)>), Refused> {
        let (parent, name, app, known) = self.estate.at_gateway(now, key).ok_or(Refused::Unknown)?;
        if known.status != Status::Approved {
            return Err(Refused::NotApproved);
        }
        if known.expires_at.is_some_and(|end| end <= now) {
            return Err(Refused::Expired);
        }
        if !app.approved {
            return Err(Refused::AppNotApproved);
        }
        if !parent.active {
            return Err(Refused::Inactive { group: parent.last_name.is_empty() });
        }
        Ok((name.to_owned(), known.products.clone()))
    }

    fn covers(&self, products: &[(String, Status)], path: &str) -> Result<(), Refused> {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let needed = self.estate.products.iter().find(|product| product.name == first);
        // On Edge, a key of no product opens everything unless the organisation forbids it.
        if products.is_empty() && self.options.generation == Generation::Edge && !self.options.bounded {
            return Ok(());
        }
        let mut approved = products.iter().filter(|(_, status)| *status == Status::Approved);
        let covered = match needed {
            Some(product) => approved.any(|(name, _)| *name == product.name),
            None => approved.next().is_some(),
        };
        if covered { Ok(()) } else { Err(Refused::Resource) }
    }

    /// Whether the gateway would accept the key if it remembered nothing.
    pub(super) fn accepts(&self, now: Timestamp, key: &str) -> bool {
        self.ask(now, key).is_ok_and(|(_, products)| self.covers(&products, "/").is_ok())
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn sent(call: &Call) -> Option<String> {
    let header = ["x-api-key", "x-apikey", "apikey"].iter().find_map(|name| call.header(name)).map(str::to_owned);
    let of_query = || {
        let mut query = url::form_urlencoded::parse(call.query.as_bytes());
        query.find(|(name, _)| name == "apikey").map(|(_, value)| value.into_owned())
    };
    header.or_else(of_query).filter(|key| !key.is_empty())
}
