//! Telling consumers that do not look by themselves.

use std::sync::Arc;

use db::Outcome;
use domain::VersionNumber;

use super::{StepEnd, Work};
use crate::News;

impl Work<'_> {
    /// A consumer that cannot be reached is tried again, after the others that wait to be told. The old version lives on
    /// until it was, for what it would fetch is the new one; what others know waits for nobody.
    pub(super) async fn tell(&self, version: VersionNumber, consumer: &Arc<str>) -> Result<Outcome, StepEnd> {
        let Some(teller) = self.applied.teller(consumer) else {
            return Err(StepEnd::Park(format!("nothing says how the consumer `{consumer}` is told")));
        };
        let news = News {
            credential: &self.entry.observed.credential,
            consumer,
            rotation: &self.rotation,
            version,
            destinations: &self.applied.policy.deliver,
            at: self.engine.now(self.issuer),
        };
        teller.tell(&news).await.map_err(StepEnd::Elsewhere)?;
        Ok(Outcome::Told { consumer: consumer.clone() })
    }
}
