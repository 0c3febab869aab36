//! What the author of a driver needs: traits to implement, facts to declare, errors to answer, ports to the world.
//!
//! A driver is a folder in `issuers`, `stores` or `notifiers`. It reaches the world only through [`Ports`], keeps no state that
//! matters, and never decides: the planner does. Everything here is small and meant to stay so.

mod attempts;
mod calls;
mod error;
mod http;
mod issuer;
mod login;
mod notifier;
mod ports;
mod program;
mod settings;
mod store;
mod ticket;

pub use attempts::{Attempts, half_random};
pub use calls::{Budget, Calls};
pub use error::{DriverError, Effect, Kind};
pub use http::{Body, Http, HttpError, HttpFailure, HttpRequest, HttpResponse, Method};
pub use issuer::{
    Assisted, Declared, Disabler, Found, HandedOver, IssueRequest, Issued, Issuer, IssuerCheck, Listing, ListingStream,
    Lookup, Minter, Renamer, Revoked, Scope, Signer, Subject, Trial, UsageSource, Verifier,
};
pub use login::{Granted, SharedLogin};
pub use notifier::{Message, Notifier, NotifierFacts};
pub use ports::{Clock, Entropy, NoEntropy, Ports};
pub use settings::{InvalidSettings, PlainText, SecretSource, Settings, SourceTable};
pub use store::{
    AttemptKey, Delivery, Discarded, Form, Label, Labels, Mark, PolicyHost, SecretStore, StoreFacts, StoreState,
    StoreVersion, StoredVersion,
};
pub use ticket::Ticket;
