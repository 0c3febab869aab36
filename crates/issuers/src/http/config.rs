//! The driver's keys in the configuration, as typed as serde can make them. What must fit together is checked in
//! [`super::described`].

use std::collections::BTreeMap;

use driver::{Method, SecretSource};
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// Any platform with an API over HTTP and JSON, or with none: told in requests, in where an answer holds what, and in
/// facts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Address to which the path of every request is added. Must be https, except for a loopback host.
    pub endpoint: String,
    /// For the login, and as `{username}` everywhere.
    pub username: Option<String>,
    /// For the login, as `{password}`.
    pub password: Option<SecretSource>,
    /// Texts of your own, as placeholders: { tenant = "acme" } is `{tenant}`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Secrets of your own, as placeholders in headers and bodies: { api_key = { env = "API_KEY" } } is `{api_key}`.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSource>,
    /// How long to wait for an answer. Default "30s".
    pub timeout: Option<String>,
    /// Where the platform's own errors say what is wrong, for example "/error/message". Where it is set, an answer
    /// without it is not the platform's word, and a success with it is none.
    pub error: Option<String>,
    /// What is true of the platform.
    pub facts: FactsTable,
    /// How calls say who we are. Left out: they need not.
    #[schemars(with = "Option<Described<LoginAnswer>>")]
    pub login: Option<toml::Table>,
    /// The call that shows every version there is.
    #[schemars(with = "Option<Described<ListAnswer>>")]
    pub list: Option<toml::Table>,
    /// Where `list` shows applications without their versions: the call that shows those of one.
    #[schemars(with = "Option<Described<EachAnswer>>")]
    pub each: Option<toml::Table>,
    /// Without `list`: the credentials that there are.
    #[serde(default)]
    pub credentials: Vec<CredentialTable>,
    /// The call that tells of one version.
    #[schemars(with = "Option<Described<LookUpAnswer>>")]
    pub look_up: Option<toml::Table>,
    /// The call that makes a version.
    #[schemars(with = "Option<Described<IssueAnswer>>")]
    pub issue: Option<toml::Table>,
    /// The call that ends one.
    #[schemars(with = "Option<Described<RevokeAnswer>>")]
    pub revoke: Option<toml::Table>,
    /// The call that gives a version another name.
    #[schemars(with = "Option<Described<RenameAnswer>>")]
    pub rename: Option<toml::Table>,
    /// The call that switches a version off.
    #[schemars(with = "Option<RequestTable>")]
    pub disable: Option<toml::Table>,
    /// The call that switches it on again.
    #[schemars(with = "Option<RequestTable>")]
    pub enable: Option<toml::Table>,
    /// The call that tries a secret.
    #[schemars(with = "Option<Described<VerifyAnswer>>")]
    pub verify: Option<toml::Table>,
    /// The call that tells the last use of a version.
    #[schemars(with = "Option<Described<UsageAnswer>>")]
    pub usage: Option<toml::Table>,
    /// With `facts.minting = "us"`: how each field is chosen.
    #[serde(default)]
    pub secret: BTreeMap<String, GeneratorTable>,
    /// What a person is to do, a sentence a line.
    pub instructions: Option<InstructionsTable>,
    /// What a person hands over: a JSON object, or lines of name=value.
    pub handed_over: Option<HandedOverTable>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FactsTable {
    #[serde(default)]
    pub overlap: OverlapWord,
    /// How many versions one application can have. Left out: no limit is known.
    pub live_max: Option<u32>,
    #[serde(default)]
    pub minting: MintingWord,
    /// What settles an issue whose answer was lost. Needed where the platform mints on call.
    pub idempotency: Option<IdempotencyWord>,
    #[serde(default)]
    pub issued_by: PerformerWord,
    #[serde(default)]
    pub ending: EndingWord,
    /// How long until a change holds everywhere: "10m".
    pub propagation: String,
    /// Versions have names that people know, and `rename` gives them back.
    #[serde(default)]
    pub names: bool,
    /// `usage` tells the last use of a version.
    #[serde(default)]
    pub usage: bool,
    /// `disable` and `enable` switch a version off and on.
    #[serde(default)]
    pub disable: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OverlapWord {
    /// Old and new live beside each other.
    #[default]
    Concurrent,
    /// The old one dies with the issue.
    Replace,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MintingWord {
    /// The platform chooses the secret.
    #[default]
    Issuer,
    /// We do.
    Us,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdempotencyWord {
    /// The same request with the same `{attempt}` gets the same answer, secret included.
    Token,
    /// The list shows the `{marker}` that the issue left.
    Marker,
    /// Nothing does.
    None,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PerformerWord {
    #[default]
    Machine,
    Person,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndingWord {
    /// `revoke` ends a version; or, where a new one replaces the old one, the issue does.
    #[default]
    Revoked,
    /// A person removes it.
    Person,
    /// It expires, and nothing ends it early.
    Expires,
}

/// What every request may have.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestTable {
    pub method: Option<MethodWord>,
    /// Added to `endpoint`; starts with `/`. May name placeholders, which stand for one segment or a part of it.
    pub path: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, placeholders in its texts.
    pub json: Option<Value>,
    /// The body as a form.
    pub form: Option<BTreeMap<String, String>>,
    /// The statuses that mean done. Default: every 2xx.
    #[serde(default)]
    pub accepted: Vec<u16>,
}

const REQUEST_KEYS: [&str; 7] = ["method", "path", "query", "headers", "json", "form", "accepted"];

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum MethodWord {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl From<MethodWord> for Method {
    fn from(word: MethodWord) -> Self {
        match word {
            MethodWord::Get => Self::Get,
            MethodWord::Post => Self::Post,
            MethodWord::Put => Self::Put,
            MethodWord::Patch => Self::Patch,
            MethodWord::Delete => Self::Delete,
        }
    }
}

/// A request, and what to read in its answer.
#[derive(Debug, Clone, JsonSchema)]
pub(super) struct Described<A> {
    #[schemars(flatten)]
    pub request: RequestTable,
    #[schemars(flatten)]
    pub answer: A,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginAnswer {
    pub kind: LoginWord,
    /// Pointer to the token in the answer. For `token`.
    pub token: Option<String>,
    /// Pointer to the number of seconds that the token lives. For `token`.
    pub expires_in: Option<String>,
    /// How long a token lives, where the answer does not say. Neither: a 401 will tell.
    pub lifetime: Option<String>,
    /// The headers that say who we are. Default for `token`: { Authorization = "Bearer {token}" }.
    #[serde(default)]
    pub send: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LoginWord {
    /// Name and password with every call.
    Basic,
    /// The headers in `send` with every call.
    Headers,
    /// A call answers a token, which goes with every other.
    Token,
}

/// Pointers are within an item of the list; `..` in front looks at the item around it, where `within` or `each` is used.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListAnswer {
    /// Pointer to the list in the answer; "" where the answer is one.
    pub items: String,
    /// Pointer to a list of versions within each item.
    pub within: Option<String>,
    /// Pointer to the name of the application.
    pub app: String,
    /// Pointer to what addresses use for it. Default: the name.
    pub app_id: Option<String>,
    /// Pointer to the name of the credential, or a name that all have. Default "key".
    pub credential: Option<String>,
    /// Pointer to a title for people. Default: the name.
    pub title: Option<String>,
    /// Pointer to the version's public id.
    pub id: String,
    /// Pointer to the time of its creation: RFC 3339, or seconds or milliseconds since 1970.
    pub created_at: String,
    pub expires_at: Option<String>,
    /// Pointer to where `issue` left the marker.
    pub marker: Option<String>,
    /// Pointer to the name of who answers for it.
    pub owner: Option<String>,
    pub owner_email: Option<String>,
    /// By pointer the values of which a version has one; others are left out: { "/status" = ["active"] }.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<Value>>,
    /// Pointer to the address of the next page, at the same host.
    pub next: Option<String>,
    /// What `{page}` begins with. Default 1. Pages end with the first that is empty.
    pub first_page: Option<u32>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EachAnswer {
    /// Pointer to the list of versions in the answer; "" where the answer is one.
    pub items: String,
}

/// A credential that no call lists.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialTable {
    pub app: String,
    /// Default "key".
    pub credential: Option<String>,
    pub title: Option<String>,
    /// What addresses use for the application. Default: its name.
    pub app_id: Option<String>,
    /// Public id of the version that is in use now.
    pub id: Option<String>,
    /// When that was made, RFC 3339. Belongs to `id`.
    pub created_at: Option<String>,
    pub owner: Option<String>,
    pub owner_email: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookUpAnswer {
    /// The statuses that mean that there is no such version.
    #[serde(default)]
    pub gone: Vec<u16>,
    /// Pointer to the version's name. Needed with `facts.names`.
    pub name: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueAnswer {
    /// Pointer to the new version's public id; or, where it is chosen by us, a text with placeholders.
    pub id: String,
    /// By name of a field the pointer to it.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Pointer to the time of creation. Default: the time of the answer.
    pub created_at: Option<String>,
    /// Pointer to the time at which it expires.
    pub expires_at: Option<String>,
    /// Pointer to the number of seconds until then.
    pub expires_in: Option<String>,
    /// The statuses that mean that something is in the way. Default 409.
    pub conflict: Option<Vec<u16>>,
    /// With `facts.minting = "us"`: the statuses that mean that the version is there already, which `look_up` confirms.
    #[serde(default)]
    pub already: Vec<u16>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeAnswer {
    /// The statuses that mean that it is gone already.
    #[serde(default)]
    pub gone: Vec<u16>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RenameAnswer {
    /// The statuses that mean that the name is taken. Default 409.
    pub conflict: Option<Vec<u16>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyAnswer {
    /// The statuses that mean that the secret is refused.
    pub refused: Vec<u16>,
    /// Whether the call needs our login, too. Default false.
    #[serde(default)]
    pub login: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageAnswer {
    /// Pointer to the time of the last use; nothing there: no use.
    pub last_used: String,
    /// How far what is told is behind. Default "0s".
    pub lag: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GeneratorTable {
    /// How many random bytes: at least 16 for what is secret.
    pub bytes: usize,
    pub encoding: EncodingWord,
    /// A text in front, for platforms that want one.
    pub prefix: Option<String>,
    /// An id, which may stand in addresses.
    #[serde(default)]
    pub public: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum EncodingWord {
    Base64url,
    Base64,
    Hex,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InstructionsTable {
    #[serde(default)]
    pub issue: Vec<String>,
    #[serde(default)]
    pub revoke: Vec<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandedOverTable {
    pub fields: Vec<String>,
    /// The field that is the version's public id.
    pub handle: String,
}

/// Takes a described call apart: what is asked, and what is read in the answer. The error names the key.
pub(super) fn described<A: DeserializeOwned>(key: &str, mut table: toml::Table) -> Result<Described<A>, String> {
    let request: toml::Table =
        REQUEST_KEYS.iter().filter_map(|name| Some(((*name).to_owned(), table.remove(*name)?))).collect();
    Ok(Described { request: typed(key, request)?, answer: typed(key, table)? })
}

pub(super) fn typed<A: DeserializeOwned>(key: &str, table: toml::Table) -> Result<A, String> {
    table.try_into().map_err(|error: toml::de::Error| {
        let message = error.message();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match (message.starts_with("unknown field "), quoted.split_first()) {
            (true, Some((unknown, known))) => {
                let known: Vec<&str> = known.iter().chain(&REQUEST_KEYS).copied().collect();
                format!("`{key}.{unknown}` means nothing; known are {}", known.join(", "))
            }
            _ => format!("`{key}`: {}", message.replacen("missing field", "it lacks the key", 1)),
        }
    })
}
