//! Complaints from the errors of every layer.

use driver::{DriverError, Effect, HttpFailure, Kind};

use super::{Code, Complaint, chain};
use crate::{
    config::{ConfigError, Problem, RenderError, RootKeyError},
    ports::SIGNS_ITSELF,
};

const UNCHANGED: &str = "nothing was changed";
const MAKE_ROOM: &str = "make room on the disk that holds `data_dir`, then run the command again";

impl From<&ConfigError> for Complaint {
    fn from(error: &ConfigError) -> Self {
        let complaint = match error {
            ConfigError::NotFound { looked_at } => {
                let places: Vec<String> = looked_at.iter().map(|file| file.display().to_string()).collect();
                Self::new(Code::ConfigNotFound, error.to_string())
                    .cause(format!("none of these is there: {}", places.join(", ")))
                    .hint("write one with `keyrota init`, or name one with `--config FILE`")
            }
            ConfigError::Unreadable { source, .. } => {
                Self::new(Code::ConfigUnreadable, error.to_string()).cause(source.to_string())
            }
            ConfigError::At { place, problem } => {
                let complaint = Self::new(code_of(problem), problem.to_string()).cause(place.to_string());
                match problem.hint() {
                    Some(hint) => complaint.hint(hint),
                    None => complaint,
                }
            }
        };
        complaint.state(UNCHANGED)
    }
}

impl From<ConfigError> for Complaint {
    fn from(error: ConfigError) -> Self {
        Self::from(&error)
    }
}

fn code_of(problem: &Problem) -> Code {
    match problem {
        Problem::Syntax { .. } => Code::ConfigSyntax,
        Problem::UnknownKey { .. } => Code::ConfigUnknownKey,
        Problem::Value { .. }
        | Problem::Table { .. }
        | Problem::Path { .. }
        | Problem::Window { .. }
        | Problem::NotYet { .. } => Code::ConfigValue,
        Problem::UnknownDriver { .. } => Code::ConfigUnknownDriver,
        Problem::DuplicateName { .. } => Code::ConfigDuplicateName,
        Problem::UnknownName { .. } => Code::ConfigUnknownName,
        Problem::Environment { .. } | Problem::NoEnvironment { .. } => Code::ConfigEnvironment,
        Problem::Periods { .. } => Code::ConfigPeriods,
    }
}

impl From<RenderError> for Complaint {
    fn from(error: RenderError) -> Self {
        Self::new(Code::ConfigPath, error.to_string())
            .state(UNCHANGED)
            .hint("change `path` in `deliver` of the policy, or narrow its `match`")
    }
}

impl From<RootKeyError> for Complaint {
    fn from(error: RootKeyError) -> Self {
        let (code, hint) = match error {
            RootKeyError::Unreadable(_) => (
                Code::RootKeyUnreadable,
                "put the root key where `root_key` of the configuration says; `keyrota init` makes one for a new database",
            ),
            RootKeyError::Malformed(_) => (
                Code::RootKeyMalformed,
                "restore the one line that `keyrota init` wrote; without it no sealed secret opens",
            ),
        };
        let complaint = Self::new(code, error.to_string()).state(UNCHANGED).hint(hint);
        match std::error::Error::source(&error) {
            Some(source) => complaint.cause(chain(source)),
            None => complaint,
        }
    }
}

impl From<secret::OpenError> for Complaint {
    fn from(error: secret::OpenError) -> Self {
        match error {
            secret::OpenError::WrongRootKey => Self::new(Code::RootKeyWrong, error.to_string())
                .state(UNCHANGED)
                .hint("point `root_key` of the configuration at the key that this database was made with"),
            secret::OpenError::Altered | secret::OpenError::Format => Self::new(Code::SealedAltered, error.to_string())
                .hint("restore the database from a backup, or rotate the credential it belongs to"),
        }
    }
}

impl From<db::OpenError> for Complaint {
    fn from(error: db::OpenError) -> Self {
        let what = error.to_string();
        let source = std::error::Error::source(&error).map(chain);
        let complaint = match error {
            db::OpenError::Missing { .. } => Self::new(Code::DatabaseMissing, what)
                .hint("`keyrota discover` makes it; or correct `data_dir` of the configuration"),
            db::OpenError::InUse { .. } => {
                Self::new(Code::DatabaseInUse, what).hint("wait until it has ended, or end it")
            }
            db::OpenError::Damaged { .. } => Self::new(Code::DatabaseDamaged, what)
                .hint("keep the file, and restore the folder `data_dir` from a backup"),
            db::OpenError::Newer { .. } => Self::new(Code::DatabaseNewer, what)
                .hint("use the newer release of keyrota, or restore an older backup"),
            db::OpenError::Older { .. } => Self::new(Code::DatabaseOlder, what),
            db::OpenError::File { ref source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    Self::new(Code::DiskFull, what).hint(MAKE_ROOM)
                }
                _ => Self::new(Code::DatabaseFile, what).hint("check the rights of the folder `data_dir`"),
            },
            db::OpenError::Database(ref fault) => from_fault(what, fault),
        };
        let complaint = complaint.state(UNCHANGED);
        match source {
            Some(source) => complaint.cause(source),
            None => complaint,
        }
    }
}

fn from_fault(what: impl Into<String>, fault: &db::Fault) -> Complaint {
    let complaint = |code| Complaint::new(code, what).cause(fault.to_string());
    match fault {
        db::Fault::DiskFull => complaint(Code::DiskFull).hint(MAKE_ROOM),
        db::Fault::Damaged(_) => {
            complaint(Code::DatabaseDamaged).hint("keep the file, and restore the folder `data_dir` from a backup")
        }
        db::Fault::Busy => complaint(Code::DatabaseInUse).hint("wait until the other process has ended"),
        db::Fault::ReadOnly => {
            complaint(Code::DatabaseFile).hint("give this user the right to write to the folder `data_dir`")
        }
        db::Fault::Stopped | db::Fault::Other(_) => complaint(Code::Database),
    }
}

impl From<&db::WriteError> for Complaint {
    fn from(error: &db::WriteError) -> Self {
        let complaint = match error {
            db::WriteError::Database(fault) => from_fault(error.to_string(), fault),
            db::WriteError::GuardMissed { .. }
            | db::WriteError::NotUnique { .. }
            | db::WriteError::Constraint { .. } => {
                Self::new(Code::Database, "the database refused a write").cause(error.to_string())
            }
        };
        complaint.state("nothing of this write was applied; what was written before stays")
    }
}

impl From<&db::ReadError> for Complaint {
    fn from(error: &db::ReadError) -> Self {
        match error {
            db::ReadError::Database(fault) => from_fault(error.to_string(), fault),
            db::ReadError::Column { .. } | db::ReadError::Malformed { .. } => {
                Self::new(Code::DatabaseDamaged, "the database holds what it should not").cause(error.to_string())
            }
        }
        .state(UNCHANGED)
    }
}

impl From<db::WriteError> for Complaint {
    fn from(error: db::WriteError) -> Self {
        Self::from(&error)
    }
}

impl From<db::ReadError> for Complaint {
    fn from(error: db::ReadError) -> Self {
        Self::from(&error)
    }
}

/// On which side of Keyrota a driver failed.
#[derive(Debug, Clone, Copy)]
enum Side {
    Issuer,
    Store,
    Notifier,
}

impl Complaint {
    /// `what` says what failed on which thing, for example `` `apic-prod` cannot be listed ``.
    pub(crate) fn issuer(what: impl Into<String>, error: &DriverError) -> Self {
        from_driver(Side::Issuer, what.into(), error)
    }

    pub(crate) fn store(what: impl Into<String>, error: &DriverError) -> Self {
        from_driver(Side::Store, what.into(), error)
    }

    pub(crate) fn notifier(what: impl Into<String>, error: &DriverError) -> Self {
        from_driver(Side::Notifier, what.into(), error)
    }
}

fn from_driver(side: Side, what: String, error: &DriverError) -> Complaint {
    let mut cause = match &error.source {
        // The transport's words say more than the kind that was made of them.
        Some(http) if error.message == http.failure.to_string() => http.to_string(),
        _ => error.to_string(),
    };
    if let Some(request) = &error.request_id {
        cause.push_str(&format!(" (request {request})"));
    }
    let state = match (error.effect, side) {
        (_, Side::Notifier) => "nothing else waits for it, and nothing is lost: each run tries again",
        (Effect::NotApplied, _) => UNCHANGED,
        (Effect::Unknown, _) => "the call may have taken effect; the next run looks before it does anything else",
    };
    let complaint = Complaint::new(code_of_kind(side, error.kind), what).cause(cause).state(state);
    match hint_of_kind(side, error) {
        Some(hint) => complaint.hint(hint),
        None => complaint,
    }
}

fn code_of_kind(side: Side, kind: Kind) -> Code {
    let (issuer, store) = match kind {
        Kind::Unauthorized => (Code::IssuerUnauthorized, Code::StoreUnauthorized),
        Kind::Forbidden => (Code::IssuerForbidden, Code::StoreForbidden),
        Kind::NotFound => (Code::IssuerNotFound, Code::StoreNotFound),
        Kind::Conflict => (Code::IssuerConflict, Code::StoreConflict),
        Kind::Throttled => (Code::IssuerThrottled, Code::StoreThrottled),
        Kind::Invalid => (Code::IssuerInvalid, Code::StoreInvalid),
        Kind::Unavailable => (Code::IssuerUnavailable, Code::StoreUnavailable),
        Kind::Protocol => (Code::IssuerProtocol, Code::StoreProtocol),
        Kind::Certificate => (Code::IssuerCertificate, Code::StoreCertificate),
    };
    match side {
        Side::Issuer => issuer,
        Side::Store => store,
        Side::Notifier => match kind {
            Kind::Unauthorized => Code::NotifierUnauthorized,
            Kind::Unavailable => Code::NotifierUnavailable,
            Kind::Certificate => Code::NotifierCertificate,
            _ => Code::NotifierRefused,
        },
    }
}

fn hint_of_kind(side: Side, error: &DriverError) -> Option<&'static str> {
    Some(match (error.kind, side) {
        (Kind::Unauthorized, Side::Issuer) => "check the login in its [[issuer]] table, then run `keyrota check`",
        (Kind::Unauthorized, Side::Store) => "check the login in its [[store]] table, then run `keyrota check`",
        (Kind::Unauthorized, Side::Notifier) => {
            "check the login in its [[notifier]] table, then run `keyrota check` and `keyrota notice send`"
        }
        (Kind::Unavailable, Side::Notifier) => {
            "check the address and the network; `keyrota notice send` sends what waits at once"
        }
        (Kind::Certificate, _) if signs_itself(error) => {
            "give the server a certificate that an authority signed, and name that authority as `ca_file`; or make its \
             own without CA:TRUE (`openssl req -x509 -addext basicConstraints=critical,CA:FALSE …`), and name that"
        }
        (Kind::Certificate, Side::Notifier) => {
            "name the authority that signed it as `ca_file` in the [[notifier]] table; TLS is always verified"
        }
        (Kind::Forbidden, _) => "grant the account the right that the cause names, then run `keyrota check`",
        (Kind::Throttled, Side::Issuer) => "lower `budget` in its [[issuer]] table, or run again later",
        (Kind::Certificate, Side::Issuer) => {
            "name the authority that signed it as `ca_file` in the [[issuer]] table; TLS is always verified"
        }
        (Kind::Certificate, Side::Store) => {
            "name the authority that signed it as `ca_file` in the [[store]] table; TLS is always verified"
        }
        (Kind::Unavailable, _) if is_unreachable(error) => {
            "check the address and the network, then run `keyrota check`"
        }
        _ => return None,
    })
}

fn is_unreachable(error: &DriverError) -> bool {
    error.source.as_ref().is_some_and(|http| http.failure == HttpFailure::Unreachable)
}

fn signs_itself(error: &DriverError) -> bool {
    error.source.as_ref().is_some_and(|http| http.detail.ends_with(SIGNS_ITSELF))
}

#[cfg(test)]
mod tests {
    use driver::HttpError;

    use super::*;

    #[track_caller]
    fn check(complaint: &Complaint, expected: &str) {
        assert_eq!(complaint.to_string(), expected.trim());
    }

    #[test]
    fn an_unreachable_issuer() {
        let http = HttpError {
            failure: HttpFailure::Unreachable,
            effect: Effect::NotApplied,
            detail: "platform.example.com:443: connection refused".to_owned(),
        };
        check(
            &Complaint::issuer("`apic-prod` cannot be listed", &http.into()),
            "
error[KR0207]: `apic-prod` cannot be listed
  cause: the host could not be reached: platform.example.com:443: connection refused
  state: nothing was changed
  hint: check the address and the network, then run `keyrota check`",
        );
    }

    #[test]
    fn a_refused_login_with_its_request() {
        let mut error = DriverError::refused(Kind::Unauthorized, "401, \"invalid_client\"");
        error.request_id = Some("8A2C:51".to_owned());
        check(
            &Complaint::store("`bao` refused the write to `apic/acme/shop/key`", &error),
            "
error[KR0301]: `bao` refused the write to `apic/acme/shop/key`
  cause: login refused: 401, \"invalid_client\" (request 8A2C:51)
  state: nothing was changed
  hint: check the login in its [[store]] table, then run `keyrota check`",
        );
    }

    #[test]
    fn a_lost_answer_is_said_to_be_in_doubt() {
        let error = DriverError::new(Kind::Unavailable, Effect::Unknown, "no answer within the deadline");
        let complaint = Complaint::issuer("`apic-prod` did not answer", &error);
        assert_eq!(
            complaint.state.as_deref(),
            Some("the call may have taken effect; the next run looks before it does anything else")
        );
    }

    #[test]
    fn databases_in_trouble() {
        check(
            &db::OpenError::InUse { pid: Some(77) }.into(),
            "
error[KR0401]: another keyrota process (77) is at work on this database
  state: nothing was changed
  hint: wait until it has ended, or end it",
        );
        check(
            &db::OpenError::Database(db::Fault::DiskFull).into(),
            "
error[KR0403]: the database cannot be opened
  cause: the disk is full
  state: nothing was changed
  hint: make room on the disk that holds `data_dir`, then run the command again",
        );
        check(
            &secret::OpenError::WrongRootKey.into(),
            "
error[KR0406]: the root key does not open this database
  state: nothing was changed
  hint: point `root_key` of the configuration at the key that this database was made with",
        );
    }

    #[test]
    fn no_configuration_lists_the_places() {
        check(
            &ConfigError::NotFound { looked_at: vec!["keyrota.toml".into(), "/etc/keyrota/keyrota.toml".into()] }
                .into(),
            "
error[KR0101]: no configuration file was found
  cause: none of these is there: keyrota.toml, /etc/keyrota/keyrota.toml
  state: nothing was changed
  hint: write one with `keyrota init`, or name one with `--config FILE`",
        );
    }
}
