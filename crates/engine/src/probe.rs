//! Trying a version where a consumer would use it: one configured request with the credential's fields filled in.

use std::{fmt::Debug, sync::Arc};

use driver::{DriverError, Http, HttpRequest, Kind, Trial};
use secret::SecretMap;

/// The probe of a policy.
pub trait ProbeTemplate: Send + Sync + Debug {
    /// The call with the secret filled in. The error is a sentence without the secret.
    fn request(&self, secret: &SecretMap) -> Result<HttpRequest, String>;

    /// The status that means accepted. 401 and 403 mean refused; anything else proves nothing.
    fn expect(&self) -> u16;
}

/// # Errors
/// When the answer says neither accepted nor refused: a gateway that is away must not look like a refusal.
pub(crate) async fn try_out(
    http: &Arc<dyn Http>,
    template: &dyn ProbeTemplate,
    secret: &SecretMap,
) -> Result<Trial, DriverError> {
    let request = template.request(secret).map_err(|why| DriverError::refused(Kind::Invalid, why))?;
    let response = http.send(request).await?;
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
