//! How a simulated tenant is set up.

use jiff::SignedDuration;

#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    /// Administration keys at the start, the protected ones included.
    pub keys: u32,
    /// Keys that Authentication Manager made for itself.
    pub protected: u32,
    pub oauth_clients: u32,
    /// How old every key is at the start.
    pub age: SignedDuration,
    pub slots_max: u32,
    /// The audience of a token may be the host alone, as one public client sends it.
    pub lenient_audience: bool,
    /// `adminRestApiUrl` ends in `/v1`.
    pub url_v1: bool,
    /// Key files have their key on one line, with `\n` in letters.
    pub one_line: bool,
    /// The licence lacks everything but the audit group.
    pub audit_only: bool,
    /// Life of an access token, in seconds.
    pub token_expires_in: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            keys: 7,
            protected: 1,
            oauth_clients: 0,
            age: SignedDuration::from_hours(24 * 30),
            slots_max: 10,
            lenient_audience: false,
            url_v1: false,
            one_line: false,
            audit_only: false,
            token_expires_in: 3600,
        }
    }
}
