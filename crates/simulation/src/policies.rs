//! Configuration, as the engine asks for it: one policy a credential, which may change at any moment.

use std::{fmt, sync::Arc};

use domain::{CredentialId, Timestamp};
use engine::{Applied, Policies};

use crate::stage::Stage;

pub(crate) struct Configured(pub(crate) Arc<Stage>);

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Configured")
    }
}

impl Policies for Configured {
    fn applied(&self, credential: &CredentialId, _now: Timestamp) -> Option<Applied> {
        // Strays and people's own names have no policy of ours.
        let number: usize = credential.as_str().rsplit_once("/key")?.1.parse().ok()?;
        let policy = self.0.world().policies.get(number)?.clone();
        Some(Applied::plain(policy, None))
    }
}
