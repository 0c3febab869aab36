//! What kind of tenant the twin plays.

use jiff::SignedDuration;

/// The platform's own traps are on by default: a refused sign-on is answered with status 200 and the error inside, and
/// single sign-on keeps people from using passwords.
#[derive(Debug, Clone)]
pub struct Options {
    /// The next generation, with personal access tokens, instead of the classic platform.
    pub next_generation: bool,
    /// Service accounts to begin with.
    pub accounts: u32,
    /// How old their passwords are at the start.
    pub age: SignedDuration,
    /// Life of a new token.
    pub token_life: SignedDuration,
    /// How a refused sign-on is answered.
    pub refusal: Refusal,
    /// How a call with a wrong token is answered.
    pub denial: Denial,
    /// People may sign on with a password: there is no single sign-on.
    pub basic_login: bool,
    /// Passwords are reset by an administrator alone.
    pub password_by_person: bool,
    /// The documented path of the sign-on is not there, only the one that scripts use.
    pub scripts_path: bool,
    /// Decides every generated name, id and secret.
    pub seed: u64,
}

/// Shapes of a refused sign-on, none of which is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 200 with `message` alone.
    Inside,
    /// 200 with the envelope of the rest of the API, `errors` true.
    Envelope,
    /// 401.
    Status,
}

/// Shapes of the answer to a wrong token: nobody has published which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// 401.
    A,
    /// 403.
    B,
    /// 200 with the envelope, `errors` true.
    C,
    /// 302 to the sign-in page.
    D,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            next_generation: false,
            accounts: 1,
            age: SignedDuration::ZERO,
            token_life: SignedDuration::from_hours(24),
            refusal: Refusal::Inside,
            denial: Denial::A,
            basic_login: false,
            password_by_person: false,
            scripts_path: false,
            seed: 1,
        }
    }
}
