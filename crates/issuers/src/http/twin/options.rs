//! What kind of portal this is.

use jiff::SignedDuration;

#[derive(Debug, Clone)]
pub struct Options {
    pub seed: u64,
    pub apps: usize,
    pub keys: usize,
    pub age: SignedDuration,
    pub propagation: SignedDuration,
    pub session: SignedDuration,
    pub page_size: usize,
    pub keys_max: usize,
    pub create: bool,
    pub delete: bool,
    pub labels: bool,
    pub usage: bool,
    pub last_key_goes: bool,
    pub repeats: bool,
    pub chosen: bool,
    pub switch: bool,
    pub checks: bool,
    /// A new key ends the others of its application.
    pub replaces: bool,
    pub key_life: Option<SignedDuration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            apps: 3,
            keys: 1,
            age: SignedDuration::from_hours(95 * 24),
            propagation: SignedDuration::ZERO,
            // As portals do that were made for people, who click.
            session: SignedDuration::from_mins(5),
            page_size: 10,
            keys_max: 5,
            create: true,
            delete: true,
            labels: true,
            usage: true,
            last_key_goes: false,
            repeats: false,
            chosen: false,
            switch: false,
            checks: false,
            replaces: false,
            key_life: None,
        }
    }
}
