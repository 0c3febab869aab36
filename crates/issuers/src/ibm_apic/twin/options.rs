//! What kind of installation the twin plays.

use jiff::SignedDuration;

/// Size and age of the estate, and the habits in which real installations differ. Everything is off or zero by
/// default except the life of tokens.
#[derive(Debug, Clone)]
pub struct Options {
    /// Consumer organisations to begin with.
    pub consumer_orgs: u32,
    /// Applications in each consumer organisation.
    pub apps: u32,
    /// Credentials in each application. The first is the one that the platform makes with the application itself.
    pub credentials: u32,
    /// How old every credential is at the start.
    pub age: SignedDuration,
    /// Each credential is older than `age` by a random share of this.
    pub age_spread: SignedDuration,
    /// Decides every generated name, id and secret.
    pub seed: u64,
    /// How long a created, deleted or reset pair takes to reach the gateways.
    pub propagation: SignedDuration,
    /// How far analytics is behind the gateways.
    pub analytics_lag: SignedDuration,
    /// `expires_in` of a new token, in seconds by the twin's clock.
    pub token_expires_in: u32,
    /// An API key buys one token and is spent.
    pub api_key_single_use: bool,
    /// A login also answers a refresh token.
    pub refresh_tokens: bool,
    /// The first call with a new token is refused with 401, as if it had not arrived everywhere yet.
    pub fresh_token_refused: bool,
    /// The account may not list the applications of the whole catalog (403): clients have to walk.
    pub no_catalog_listing: bool,
    /// The account may not read analytics (403).
    pub no_analytics: bool,
    /// Credentials that one application can hold; one more is refused with 400.
    pub credentials_max: Option<u32>,
    /// The catalog hashes secrets: `client_secret_hashed` in reads, `hash_client_secret` in its settings.
    pub hashed: bool,
    /// Reads show `client_secret` in clear, as some installations do.
    pub leaky_reads: bool,
    /// Every object has members that no document mentions.
    pub unknown_fields: bool,
    /// What `expand` embeds has `id`, `name` and `title` only, a credential also its `client_id`.
    pub embedded_summaries: bool,
    /// DELETE answers 204 instead of 200 with an empty body.
    pub delete_204: bool,
    /// A name that is taken is answered with 400 instead of 409.
    pub duplicate_400: bool,
    /// A PATCH changes the title but silently leaves the name.
    pub names_fixed: bool,
    /// What `verify-client-secret` answers to a wrong pair: 400, or 401.
    pub verify_mismatch: u16,
    /// A create answers 302 to this address and makes nothing.
    pub redirect_creates: Option<String>,
}

impl Default for Options {
    /// An empty catalog of a well-behaved installation.
    fn default() -> Self {
        Self {
            consumer_orgs: 0,
            apps: 0,
            credentials: 1,
            age: SignedDuration::ZERO,
            age_spread: SignedDuration::ZERO,
            seed: 1,
            propagation: SignedDuration::ZERO,
            analytics_lag: SignedDuration::ZERO,
            token_expires_in: 28_800,
            api_key_single_use: false,
            refresh_tokens: false,
            fresh_token_refused: false,
            no_catalog_listing: false,
            no_analytics: false,
            credentials_max: None,
            hashed: false,
            leaky_reads: false,
            unknown_fields: false,
            embedded_summaries: false,
            delete_204: false,
            duplicate_400: false,
            names_fixed: false,
            verify_mismatch: 400,
            redirect_creates: None,
        }
    }
}
