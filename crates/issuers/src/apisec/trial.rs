//! Trying a token, and what its refusal proves.
//!
//! Nobody has published how the platform refuses a token: in words of its own, or by a redirect or a page. Maintenance
//! and whatever stands in between speak in redirects and pages, too, and must not make a live token look dead. So one of
//! those counts only while the platform takes another token that is known to be good.

use driver::{DriverError, Effect, HttpRequest, Kind, Method, Trial};
use secret::Secret;

use super::{
    answer::{Body, Intent, failure, speaks_of_the_account},
    client::{Client, Purpose, REFUSED_PAUSE, SignOn, refused, with_token},
    config::{Account, Generation},
};

const DOING: &str = "trying the token";

/// What the platform says to a token.
enum Said {
    Yes,
    /// In its own words.
    No(String),
    /// Something that may not be about the token at all.
    Page(String),
}

impl Client {
    /// Tries a token of `account` on the cheapest call that wants one.
    pub(super) async fn try_token(&self, account: &Account, token: &Secret) -> Result<Trial, DriverError> {
        let mut said = self.ask(token).await?;
        if let Said::Page(words) = &said {
            self.must_take_a_good_token(account, token, words).await?;
            // What was in the way of the first answer may be out of it by now.
            said = self.ask(token).await?;
        }
        Ok(match said {
            Said::Yes => {
                self.remember(token);
                Trial::Accepted
            }
            Said::No(words) | Said::Page(words) => Trial::Refused(words),
        })
    }

    /// One answer to one token.
    async fn ask(&self, token: &Secret) -> Result<Said, DriverError> {
        let response = self.send(with_token(HttpRequest::new(Method::Get, self.cheap_read()), token)?).await?;
        let failed = || failure(DOING, Intent::Read, &response, &[token]);
        let body = Body::of(&response);
        let words = refused(response.status, &body, &[token]);
        let ng = self.config.generation == Generation::Ng;
        match (response.status, body) {
            (200..=299, Body::Fine) => Ok(Said::Yes),
            (200..=299, Body::Silent) if ng => Ok(Said::Yes),
            // An error inside a success is about the token only if it says so.
            (200..=299, Body::Error(error)) if speaks_of_the_account(&error) || error.contains("token") => {
                Ok(Said::No(words))
            }
            (200..=299, Body::Error(_)) => Err(failed()),
            (401 | 403, body) if !matches!(body, Body::Foreign) || response.body.0.is_empty() => Ok(Said::No(words)),
            (401 | 403 | 200..=399, _) => Ok(Said::Page(words)),
            _ => Err(failed()),
        }
    }

    /// The control: a token that was taken before, or a fresh one, is taken on the same call.
    async fn must_take_a_good_token(&self, account: &Account, tried: &Secret, words: &str) -> Result<(), DriverError> {
        if let Some(good) = self.known_good(tried)
            && matches!(self.ask(&good).await?, Said::Yes)
        {
            return Ok(());
        }
        let (why, retry_after) = match self.fresh(account).await {
            Ok(SignOn::Minted(minted)) => match self.ask(&minted.token).await? {
                Said::Yes => {
                    self.remember(&minted.token);
                    return Ok(());
                }
                Said::No(words) | Said::Page(words) => (format!("a fresh token is not taken either ({words})"), None),
            },
            // Not again and again, or the platform locks the account.
            Ok(SignOn::Refused(words)) => (format!("no other token can be had ({words})"), Some(REFUSED_PAUSE)),
            Err(error) => (format!("no other token can be had ({})", error.message), error.retry_after),
        };
        let message = format!("{DOING}: {words}, which proves nothing: {why}");
        Err(DriverError { retry_after, ..DriverError::new(Kind::Unavailable, Effect::NotApplied, message) })
    }

    /// A fresh token, bought with the newest password that can be known here.
    async fn fresh(&self, account: &Account) -> Result<SignOn, DriverError> {
        let set = account.set.read().await;
        match set.as_ref().or(account.password.as_ref()) {
            Some(password) => self.sign_on(account, password, Purpose::Try).await,
            None => {
                let why = format!("no password of `{}` is configured", account.name);
                Err(DriverError::refused(Kind::Invalid, why))
            }
        }
    }
}
