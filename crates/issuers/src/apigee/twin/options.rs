//! What kind of organisation the twin plays.

use jiff::SignedDuration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    X,
    Edge,
}

/// Size and age of the estate, and the habits in which real organisations differ. The platform's own traps are on by
/// default: the cache of the gateway, the lag of analytics, products that wait for approval.
#[derive(Debug, Clone)]
pub struct Options {
    pub generation: Generation,
    /// Developers to begin with.
    pub developers: u32,
    /// AppGroups, or companies on Edge.
    pub groups: u32,
    /// Apps of each developer and group.
    pub apps: u32,
    /// Keys in each app.
    pub credentials: u32,
    /// How old every key is at the start.
    pub age: SignedDuration,
    /// Each key is older than `age` by a random share of this.
    pub age_spread: SignedDuration,
    /// Decides every generated name, id and secret, but for the key of the service account.
    pub seed: u64,
    /// Some products give nothing to a new key before somebody approves it.
    pub pending_products: bool,
    /// The account may not approve products (403).
    pub approval_refused: bool,
    /// How long the gateway goes on with what it knows of a key that it has accepted.
    pub gateway_cache: SignedDuration,
    /// How long the gateway goes on to refuse a key that it did not know.
    pub negative_cache: SignedDuration,
    /// How long a change takes to reach the gateway at all.
    pub replication_lag: SignedDuration,
    /// How far analytics is behind the gateway.
    pub analytics_lag: SignedDuration,
    /// The account may not read analytics (403).
    pub no_analytics: bool,
    /// Calls that the gateway refuses do not show in analytics.
    pub refused_unseen: bool,
    /// The account may not see groups (403).
    pub no_groups: bool,
    /// `expires_in` of a new token, in seconds by the twin's clock.
    pub token_expires_in: u32,
    /// Keys that one app can hold; one more is refused.
    pub keys_max: Option<u32>,
    /// Entries that one page of apps can hold on X.
    pub page_max: u32,
    /// Errors of X have no details.
    pub no_details: bool,
    /// Objects have members that no document mentions.
    pub unknown_fields: bool,
    /// A change of status is answered 200 with the object instead of 204.
    pub action_200: bool,
    /// Edge as a private cloud: lists know no pages.
    pub private_cloud: bool,
    /// Edge without a login endpoint: name and password with every call.
    pub basic_only: bool,
    /// A key without products opens nothing on Edge (`features.keymanagement.disable.unbounded.permissions`).
    pub bounded: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            generation: Generation::X,
            developers: 0,
            groups: 0,
            apps: 0,
            credentials: 1,
            age: SignedDuration::ZERO,
            age_spread: SignedDuration::ZERO,
            seed: 1,
            pending_products: true,
            approval_refused: false,
            gateway_cache: SignedDuration::from_secs(180),
            negative_cache: SignedDuration::ZERO,
            replication_lag: SignedDuration::ZERO,
            analytics_lag: SignedDuration::from_mins(10),
            no_analytics: false,
            refused_unseen: false,
            no_groups: false,
            token_expires_in: 1799,
            keys_max: None,
            page_max: 1000,
            no_details: false,
            unknown_fields: false,
            action_200: false,
            private_cloud: false,
            basic_only: false,
            bounded: false,
        }
    }
}
