//! What only some platforms can do, or leave to others: switching off, taking our value, having a person do it.

use async_trait::async_trait;
use domain::{Ask, Handle, Marker};
use driver::{Assisted, Disabler, DriverError, Entropy, HandedOver, Kind, Minter, NoEntropy, Subject, Ticket};
use secret::{Secret, SecretMap};

use crate::{
    event::{Fault, Verb},
    issuer::{ModelIssuer, chosen, index, secret, text},
    stage::World,
};

impl Minter for ModelIssuer {
    fn choose(&self, _: &Subject, _: &Marker, entropy: &dyn Entropy) -> Result<SecretMap, NoEntropy> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        Ok(chosen(&format!("s3cr3t-ours-{:032x}", u128::from_le_bytes(bytes))))
    }
}

#[async_trait]
impl Disabler for ModelIssuer {
    async fn disable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError> {
        self.switch(Verb::Disable, subject, handle, ticket).await
    }

    async fn enable(&self, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError> {
        self.switch(Verb::Enable, subject, handle, ticket).await
    }
}

impl ModelIssuer {
    async fn switch(&self, verb: Verb, subject: &Subject, handle: &Handle, ticket: &Ticket) -> Result<(), DriverError> {
        let credential = index(subject);
        let words = format!("{} c{credential} {handle}", if verb == Verb::Disable { "disable" } else { "enable" });
        let handle = handle.to_string();
        let switch = move |world: &mut World, _: Option<Fault>| {
            let gone = || DriverError::refused(Kind::NotFound, "there is no such version");
            let at = world.platform.by_handle(&handle).ok_or_else(gone)?;
            if !world.platform.minted[at].is_live(world.now) {
                return Err(gone());
            }
            if verb == Verb::Disable {
                world.before_our_disable(credential, at);
            }
            let now = world.now;
            let off = &mut world.platform.minted[at].disabled_at;
            *off = (verb == Verb::Disable).then(|| off.unwrap_or(now));
            Ok(())
        };
        self.stage.cross(verb, || words, Some((credential, ticket)), switch).await
    }
}

impl Assisted for ModelIssuer {
    fn instructions(&self, _: &Subject, ask: &Ask, _: Option<&Handle>) -> Vec<String> {
        vec![format!("{} it at the console", ask.word())]
    }

    fn read(&self, _: &Subject, content: &Secret) -> Result<HandedOver, DriverError> {
        let unreadable = || DriverError::refused(Kind::Invalid, "it is no file of this platform");
        let text = text(content);
        let (handle, value) = text.split_once(' ').ok_or_else(unreadable)?;
        let secret = secret(handle, value);
        let handle = Handle::parse(handle).map_err(|_| unreadable())?;
        Ok(HandedOver { handle, secret, expires_at: None })
    }
}
