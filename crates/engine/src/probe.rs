//! Trying a version where a consumer would use it: one configured request with the credential's fields filled in.

use std::{fmt::Debug, sync::Arc};

use driver::{DriverError, Effect, Http, HttpRequest, Kind, Trial};
use secret::SecretMap;

/// The probe of a policy.
pub trait ProbeTemplate: Send + Sync + Debug {
    /// The call with the secret filled in. The error is a sentence without the secret.
    fn request(&self, secret: &SecretMap) -> Result<HttpRequest, String>;

    /// Everything that it says: two that try differently read differently. For digests alone, since a constant in it may
    /// be secret.
    fn in_full(&self) -> String;

    /// The status that means accepted. 401 and 403 mean refused; anything else proves nothing.
    fn expect(&self) -> u16;
}

/// A trial leaves nothing in doubt, whatever became of its answer: it can be made again.
pub(crate) fn changed_nothing(error: DriverError) -> DriverError {
    DriverError { effect: Effect::NotApplied, ..error }
}

/// # Errors
/// When the answer says neither accepted nor refused: a gateway that is away must not look like a refusal.
pub(crate) async fn try_out(
    http: &Arc<dyn Http>,
    template: &dyn ProbeTemplate,
    secret: &SecretMap,
) -> Result<Trial, DriverError> {
    let request = template.request(secret).map_err(|why| DriverError::refused(Kind::Invalid, why))?;
    let response = http.send(request).await.map_err(|error| changed_nothing(error.into()))?;
    match response.status {
        status if status == template.expect() => Ok(Trial::Accepted),
        status @ (401 | 403) => Ok(Trial::Refused(format!("the verify address answered {status}"))),
        429 => {
            let mut error = DriverError::refused(Kind::Throttled, "the verify address answered 429");
            error.retry_after = response.retry_after();
            Err(error)
        }
        status => Err(DriverError::refused(
            Kind::Unavailable,
            format!("the verify address answered {status} instead of {}", template.expect()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use driver::{HttpError, HttpFailure, HttpResponse, Method};
    use futures_util::FutureExt as _;

    use super::*;

    #[derive(Debug)]
    struct Broken(HttpFailure);

    #[async_trait]
    impl Http for Broken {
        async fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
            Err(HttpError { failure: self.0, effect: Effect::Unknown, detail: "half an answer".to_owned() })
        }
    }

    #[derive(Debug)]
    struct Ping;

    impl ProbeTemplate for Ping {
        fn request(&self, _secret: &SecretMap) -> Result<HttpRequest, String> {
            let url = "https://gateway.test/ping".parse().map_err(|_| "no address".to_owned())?;
            Ok(HttpRequest::new(Method::Get, url))
        }

        fn expect(&self) -> u16 {
            200
        }

        fn in_full(&self) -> String {
            "GET https://gateway.test/ping".to_owned()
        }
    }

    #[test]
    fn half_an_answer_to_a_trial_leaves_nothing_in_doubt() {
        for failure in [HttpFailure::Broken, HttpFailure::Timeout, HttpFailure::TooLarge] {
            let http: Arc<dyn Http> = Arc::new(Broken(failure));
            let secret = SecretMap::new([]);
            let error = try_out(&http, &Ping, &secret).now_or_never().unwrap().unwrap_err();
            assert_eq!(error.effect, Effect::NotApplied, "{failure:?}");
        }
    }
}
