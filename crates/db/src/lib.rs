//! The embedded database: what Keyrota knows and must not lose.
//!
//! A write is a [`Unit`]: statements that apply all or nothing, each guarded by the number of rows it must touch, and
//! nothing waits or computes inside a transaction. A read-compute-write is therefore a read and then a unit that
//! checks what was read; on conflict, look again. SQL stands only in this crate.
//!
//! The texts keep to what SQLite and PostgreSQL share: parameters `$1..$n`, times as integers of microseconds handed
//! in as parameters, booleans as 0 and 1.

mod campaigns;
mod connection;
mod consumers;
mod database;
mod decisions;
mod entry;
mod error;
mod evidence;
mod fate;
mod held_secrets;
mod inventory;
mod journal;
mod kept;
mod lock;
mod migrate;
mod open;
mod outbox;
mod pickup;
mod taken_over;
mod tasks;
mod unit;
mod value;
mod words;
mod writer;

pub use campaigns::{Campaign, Exposed, Exposure, Member, MemberFate, OpenCampaignError};
pub use consumers::{Holding, RecordReadError};
pub use database::{Db, Snapshot};
pub use decisions::{HistoryLine, Word};
pub use entry::{Entry, IssuerView, Issuers};
pub use error::{Fault, OpenError, ReadError, WriteError};
pub use evidence::JournalLine;
pub use fate::{Fate, Fates};
pub use held_secrets::Delivered;
pub use inventory::{Change, CredentialFacts, IssuerState, KnownCredential, KnownVersion, NewVersion};
pub use journal::{BeginError, InDoubt, Intent, Journal, JournalError, NewlyIssued, NewlyPrepared, Outcome};
pub use kept::{Discard, Kept, KeptContent, KeptError, KeptLabels, KeptVersion, NewKept, Promoted, Put};
pub use open::Access;
pub use outbox::{Addressed, AttemptError, Ended, Sent, Waiting};
pub use pickup::PickupLine;
pub use tasks::TaskLine;
pub use unit::{Rows, Unit};
pub use value::{FromColumn, Row, Value};
