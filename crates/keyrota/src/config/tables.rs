//! The keys of the file, as typed as serde can make them. What must fit together is checked afterwards.

use std::{collections::BTreeMap, path::PathBuf};

use driver::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

use super::period::Period;

/// Keys outside of any table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TopLevel {
    /// Folder of the embedded database, relative to this file. Default "keyrota-data".
    pub(super) data_dir: Option<PathBuf>,
    /// The key that seals every stored secret. Default { file = "root.key" }. Losing it loses every sealed secret.
    pub(super) root_key: Option<SecretSource>,
    /// Reserved for PostgreSQL; not in this release.
    pub(super) database: Option<SecretSource>,
}

/// Keys of every `[[issuer]]`, whatever its driver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    /// First segment of its credentials' identifiers.
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) budget: Option<BudgetTable>,
    /// Overrides the driver's fact: how long until a change holds everywhere.
    pub(super) propagation: Option<Period>,
    /// A private certificate authority (PEM), trusted beside those of the system.
    pub(super) ca_file: Option<PathBuf>,
}

/// What the platform lets us call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetTable {
    /// Calls at the same time. Default 32.
    pub(super) in_flight: Option<usize>,
    /// Calls a second. Default: no limit.
    pub(super) per_second: Option<f64>,
}

/// Keys of every `[[store]]`, whatever its driver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    pub(super) name: String,
    pub(super) driver: String,
    /// A policy with an environment delivers only to stores of the same one.
    pub(super) environment: Option<String>,
    /// A private certificate authority (PEM), trusted beside those of the system.
    pub(super) ca_file: Option<PathBuf>,
}

/// Keys of every `[[notifier]]`, whatever its channel.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifierTable {
    pub(super) name: String,
    pub(super) driver: String,
    /// A private certificate authority (PEM), trusted beside those of the system.
    pub(super) ca_file: Option<PathBuf>,
}

/// Keys of every `[[access_policy]]`: who may do what with the embedded store, in Vault's policy language.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessPolicyTable {
    /// As tokens name it. Names are compared in lower case, as Vault compares them.
    pub(super) name: String,
    /// The text, as HCL or JSON, relative to this file.
    pub(super) file: PathBuf,
}

/// What is wanted for the credentials that `match` selects. The first policy that matches applies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyTable {
    pub(super) name: String,
    /// A selector over `issuer/path/of/credential`: `*` stays within a segment, `**` crosses them.
    #[serde(rename = "match")]
    pub(super) selector: String,
    /// Must equal the environment of every store it delivers to.
    pub(super) environment: Option<String>,
    /// Age at which a successor is issued. Default "90d".
    pub(super) rotate_after: Option<Period>,
    /// Both versions live at least this long after promotion. Default "10d".
    pub(super) overlap: Option<Period>,
    #[serde(default)]
    pub(super) retire_when: RetireWhenWord,
    /// The silence that `retire_when = "quiet"` demands. Default "24h".
    pub(super) quiet_for: Option<Period>,
    /// Age past which an old version that still lives is escalated; it is never cut. Default: rotate_after and overlap
    /// together.
    pub(super) retire_after: Option<Period>,
    /// How long a person has for a step that only a person can do. Then it escalates; it never goes on without them.
    /// Default "7d".
    pub(super) task_within: Option<Period>,
    #[serde(default)]
    pub(super) mode: ModeWord,
    /// In mode "ask": the plan must be approved by somebody else than who made it.
    #[serde(default)]
    pub(super) four_eyes: bool,
    /// Where consumers read.
    #[serde(default)]
    pub(super) deliver: Vec<DeliverTable>,
    /// Who reads what is delivered.
    #[serde(default)]
    pub(super) consumers: Vec<ConsumerTable>,
    /// What to do about values changed by hand, labels moved, secrets gone. Default "report".
    #[serde(default)]
    pub(super) drift: DriftWord,
    pub(super) verify: Option<VerifyTable>,
    /// Who is told what happens: "owner", by the first notifier that reaches people by their addresses; or names of
    /// notifiers.
    #[serde(default)]
    pub(super) notify: Vec<String>,
    /// Who hears, beside them, of what is stuck or should have been done by now. As for `notify`.
    #[serde(default)]
    pub(super) escalate: Vec<String>,
    pub(super) schedule: Option<ScheduleTable>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RetireWhenWord {
    /// On evidence that nobody uses the old version.
    #[default]
    Quiet,
    /// When the overlap is over, on the policy author's word alone.
    OverlapOver,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeWord {
    /// Every step is performed when it is due.
    #[default]
    Automatic,
    /// A person approves the plan.
    Ask,
    /// The owner is told and does it.
    Notify,
    /// Nothing but looking.
    Observe,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliverTable {
    pub(super) store: String,
    /// May name `{issuer}`, `{consumer_org}`, `{app}` and `{credential}`.
    pub(super) path: String,
    /// The fields under the names that the application expects: { API_ID = "{client_id}" }. Left out: the platform's
    /// own. `{field:base64}` for what is not text; braces that are meant are written twice: `{{` and `}}`.
    pub(super) fields: Option<BTreeMap<String, String>>,
    /// One JSON document with fields filled in: { oauth = { id = "{client_id}" } }.
    pub(super) json: Option<serde_json::Value>,
    /// Lines of NAME="value": { API_ID = "{client_id}" }.
    pub(super) dotenv: Option<BTreeMap<String, String>>,
    /// A single value: "{client_secret}".
    pub(super) value: Option<String>,
    /// Under which field a store of fields keeps a document. Default "value".
    pub(super) field: Option<String>,
    /// The store, by name, through which the application reads, with its own identity: deliveries are read back there.
    pub(super) read_as: Option<String>,
}

/// An application that uses what is delivered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerTable {
    pub(super) name: String,
    /// Must equal the policy's.
    pub(super) environment: Option<String>,
    /// How often it reads again. Left out: each time it needs the secret, or when it is told.
    pub(super) polls: Option<Period>,
    /// How it is told of a new version.
    pub(super) tell: Option<TellTable>,
    /// It says which version it runs (`keyrota credential acknowledge`), and nothing is retired before it runs the new
    /// one.
    #[serde(default)]
    pub(super) acknowledges: bool,
}

/// One way to tell a consumer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TellTable {
    /// An address that is called, https or on loopback, with a signature by Standard Webhooks.
    pub(super) webhook: Option<String>,
    /// The key of the signature, `whsec_…`.
    pub(super) secret: Option<SecretSource>,
    /// A program and its arguments. What is new stands in KEYROTA_CREDENTIAL, KEYROTA_VERSION and KEYROTA_ROTATION.
    pub(super) command: Option<Vec<String>>,
    /// A file that is written anew.
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DriftWord {
    /// A destination that no longer holds what was delivered is reported.
    #[default]
    Report,
    /// It is delivered to once more.
    Repair,
}

/// A call that a live version must pass.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyTable {
    /// https, or http on loopback.
    pub(super) url: String,
    #[serde(default)]
    pub(super) method: VerifyMethodWord,
    /// Values may name the delivered fields, for example `{client_id}`; braces that are meant are written twice.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// The status that means accepted. Default 200.
    pub(super) expect: Option<u16>,
}

/// Header values may be secret.
impl std::fmt::Debug for VerifyTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyTable").field("expect", &self.expect).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(super) enum VerifyMethodWord {
    #[default]
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "POST")]
    Post,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleTable {
    /// Days and times, for example "Sat 02:00-06:00".
    pub(super) window: String,
    /// A name of the IANA database. Default "UTC".
    pub(super) timezone: Option<String>,
    /// Begin at a random moment within this time after the opening. Default "0s".
    pub(super) jitter: Option<Period>,
}
