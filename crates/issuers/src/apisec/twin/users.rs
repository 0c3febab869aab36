//! Who may sign on, and what was handed out.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use twin::Random;

/// A service account, or a person.
pub(super) struct User {
    /// What comes before the `@`.
    pub name: String,
    /// `Org//name@example.com`, as the platform writes it.
    pub username: String,
    pub service: bool,
    pub active: bool,
    pub two_factor: bool,
    pub admin: bool,
    /// The last one is in force.
    pub passwords: Vec<Password>,
}

pub(super) struct Password {
    pub id: String,
    pub text: String,
    pub since: Timestamp,
}

pub(super) struct Token {
    pub id: String,
    pub text: String,
    pub user: usize,
    /// Made by a person in the console, with a scope and a tenant of its own.
    pub personal: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub removed: bool,
}

impl Token {
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        !self.removed && now < self.expires_at
    }
}

impl User {
    pub(super) fn new(tenant: &str, name: &str, service: bool) -> Self {
        Self {
            name: name.to_owned(),
            username: format!("{tenant}//{name}@{}.example", tenant.to_lowercase()),
            service,
            active: true,
            two_factor: false,
            admin: false,
            passwords: Vec::new(),
        }
    }

    pub(super) fn set_password(&mut self, text: &str, since: Timestamp) {
        let id = format!("{}-password-{}", self.name, self.passwords.len() + 1);
        self.passwords.push(Password { id, text: text.to_owned(), since });
    }

    pub(super) fn has_password(&self, text: &str) -> bool {
        self.passwords.last().is_some_and(|password| password.text == text)
    }

    /// The refusal that a sign-on with the right password meets, if any.
    pub(super) fn barrier(&self, basic_login: bool) -> Option<&'static str> {
        if !self.active {
            Some("User is inactive. Please contact your administrator.")
        } else if self.two_factor {
            Some("Two-Factor authentication is required.")
        } else if !self.service && !basic_login {
            Some("Basic login is disabled. Your organization uses Single Sign-On.")
        } else {
            None
        }
    }

    pub(super) fn scopes(&self) -> &'static str {
        if self.admin { "ROLE_USER,ROLE_PROJECT_MANAGER,ROLE_ADMIN" } else { "ROLE_USER" }
    }
}

/// A JWT that says what the platform's own say. Its signature is drawn: nobody but the platform could check it.
pub(super) fn classic_token(user: &User, issued_at: Timestamp, life: SignedDuration, random: &mut Random) -> String {
    let issued = issued_at.as_second();
    let claims = json!({
        "sub": user.username, "scopes": user.scopes(), "iat": issued, "exp": issued + life.as_secs(),
    });
    signed(&json!({ "alg": "HS256" }), &claims, random)
}

pub(super) fn personal_token(
    tenant: &str,
    user: &User,
    issued_at: Timestamp,
    life: SignedDuration,
    random: &mut Random,
) -> String {
    let issued = issued_at.as_second();
    let claims = json!({
        "sub": user.name, "custom:tenantId": tenant, "scope": "write", "iat": issued, "exp": issued + life.as_secs(),
    });
    signed(&json!({ "alg": "RS256", "typ": "JWT" }), &claims, random)
}

fn signed(header: &serde_json::Value, claims: &serde_json::Value, random: &mut Random) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature: Vec<u8> = (0..4).flat_map(|_| random.next_u64().to_be_bytes()).collect();
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}
