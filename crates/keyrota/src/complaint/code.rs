//! The stable numbers of errors. A number keeps its meaning; one that is no longer used is not given to another.

use std::fmt;

use super::Exit;

/// Groups: 01 configuration, 02 issuers, 03 stores, 04 database and keys, 05 commands, 06 plans, 07 access policies,
/// 08 notifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    ConfigNotFound,
    ConfigUnreadable,
    ConfigSyntax,
    ConfigUnknownKey,
    ConfigValue,
    ConfigUnknownDriver,
    ConfigDuplicateName,
    ConfigUnknownName,
    ConfigEnvironment,
    ConfigPeriods,
    ConfigAuthority,
    ConfigPath,
    IssuerUnauthorized,
    IssuerForbidden,
    IssuerNotFound,
    IssuerConflict,
    IssuerThrottled,
    IssuerInvalid,
    IssuerUnavailable,
    IssuerProtocol,
    IssuerCertificate,
    StoreUnauthorized,
    StoreForbidden,
    StoreNotFound,
    StoreConflict,
    StoreThrottled,
    StoreInvalid,
    StoreUnavailable,
    StoreProtocol,
    StoreCertificate,
    DatabaseInUse,
    DatabaseDamaged,
    DiskFull,
    RootKeyUnreadable,
    RootKeyMalformed,
    RootKeyWrong,
    DatabaseNewer,
    DatabaseOlder,
    DatabaseMissing,
    DatabaseFile,
    Database,
    SealedAltered,
    Usage,
    UnknownCredential,
    InvalidSelector,
    Input,
    NotPossibleNow,
    FileExists,
    FileUnwritable,
    Interrupted,
    UnknownSecret,
    UnknownTask,
    HandedOver,
    Address,
    PlanUnreadable,
    PlanForged,
    PlanMoved,
    PlanStopped,
    PolicyText,
    UnknownPolicy,
    PolicyDiffers,
    NotifierUnauthorized,
    NotifierUnavailable,
    NotifierCertificate,
    NotifierRefused,
}

use Code as C;

/// Number, code, and what it means, in the order of the numbers.
const CODES: &[(u16, Code, &str)] = &[
    (101, C::ConfigNotFound, "No configuration file stands in any of the places that are searched."),
    (102, C::ConfigUnreadable, "The configuration file cannot be opened or is not text."),
    (103, C::ConfigSyntax, "The configuration file is not TOML."),
    (104, C::ConfigUnknownKey, "A key is not known in its table."),
    (105, C::ConfigValue, "The value of a key, or a table, is not usable."),
    (106, C::ConfigUnknownDriver, "A table names a driver that does not exist."),
    (107, C::ConfigDuplicateName, "Two issuers, stores, policies or notifiers have the same name."),
    (108, C::ConfigUnknownName, "A policy names a store or notifier that is not configured."),
    (109, C::ConfigEnvironment, "A policy delivers to a store of another environment."),
    (110, C::ConfigPeriods, "The periods of a policy contradict each other."),
    (111, C::ConfigAuthority, "A private certificate authority cannot be read."),
    (112, C::ConfigPath, "A delivery path cannot be made for a credential."),
    (201, C::IssuerUnauthorized, "The issuer refuses the login."),
    (202, C::IssuerForbidden, "The issuer knows the account and refuses what it asked for."),
    (203, C::IssuerNotFound, "The issuer does not know the thing that was named."),
    (204, C::IssuerConflict, "Something is there already at the issuer, or somebody else was faster."),
    (205, C::IssuerThrottled, "The issuer asks for fewer calls."),
    (206, C::IssuerInvalid, "The issuer refuses the request itself; sending it again cannot help."),
    (207, C::IssuerUnavailable, "The issuer cannot be reached, or is broken."),
    (208, C::IssuerProtocol, "The issuer answered something that its documents do not explain."),
    (209, C::IssuerCertificate, "The certificate of the issuer's server is not trusted."),
    (301, C::StoreUnauthorized, "The secret store refuses the login."),
    (302, C::StoreForbidden, "The secret store knows the account and refuses what it asked for."),
    (303, C::StoreNotFound, "The secret store does not know the place that was named."),
    (304, C::StoreConflict, "Somebody else wrote to the same place of the secret store."),
    (305, C::StoreThrottled, "The secret store asks for fewer calls."),
    (306, C::StoreInvalid, "The secret store refuses the request itself; sending it again cannot help."),
    (307, C::StoreUnavailable, "The secret store cannot be reached, or is broken."),
    (308, C::StoreProtocol, "The secret store answered something that its documents do not explain."),
    (309, C::StoreCertificate, "The certificate of the secret store's server is not trusted."),
    (401, C::DatabaseInUse, "Another keyrota process is at work on the database."),
    (402, C::DatabaseDamaged, "The database file is damaged or not a database."),
    (403, C::DiskFull, "The disk that holds the database is full."),
    (404, C::RootKeyUnreadable, "The root key cannot be fetched from where the configuration says it is."),
    (405, C::RootKeyMalformed, "What was fetched as the root key is not a root key."),
    (406, C::RootKeyWrong, "The root key is not the one that this database was made with."),
    (407, C::DatabaseNewer, "The database was written by a newer release."),
    (408, C::DatabaseOlder, "The database was written by an older release and may only be read here."),
    (409, C::DatabaseMissing, "There is no database yet."),
    (410, C::DatabaseFile, "A file of the database cannot be created, opened or synced."),
    (411, C::Database, "The database failed in another way."),
    (412, C::SealedAltered, "A sealed secret does not open: it was altered or moved."),
    (501, C::Usage, "The command line is wrong."),
    (502, C::UnknownCredential, "No credential has this identifier."),
    (503, C::InvalidSelector, "The selector is malformed."),
    (504, C::Input, "What was given on standard input or in a file is not usable."),
    (505, C::NotPossibleNow, "The command does not fit the state that the credential is in."),
    (506, C::FileExists, "A file that would be written is there already."),
    (507, C::FileUnwritable, "A file or standard output cannot be written."),
    (508, C::Interrupted, "The command was interrupted before it was done."),
    (509, C::UnknownSecret, "The secret store holds nothing at this path."),
    (510, C::UnknownTask, "No task has this number, or it has ended."),
    (511, C::HandedOver, "What a person handed over, or said, for a task does not stand the trial."),
    (512, C::Address, "An address cannot be listened at: another program does, or this machine does not have it."),
    (601, C::PlanUnreadable, "The plan file cannot be read or is not a plan."),
    (602, C::PlanForged, "The plan was altered, or signed under another root key."),
    (603, C::PlanMoved, "The estate has moved since the plan was made."),
    (604, C::PlanStopped, "Nothing may begin: a listing failed or shrank, or too many steps failed."),
    (701, C::PolicyText, "A text is no access policy in Vault's language."),
    (702, C::UnknownPolicy, "No access policy has this name, or no name was given."),
    (703, C::PolicyDiffers, "A server keeps another text than the one that was pushed."),
    (801, C::NotifierUnauthorized, "A channel to people refuses our login or our address."),
    (802, C::NotifierUnavailable, "A channel to people is away or out of order. Notices wait; nothing is lost."),
    (803, C::NotifierCertificate, "The certificate of a channel to people is not trusted."),
    (804, C::NotifierRefused, "A channel to people refuses one recipient or one message."),
];

impl Code {
    /// Every code in the order of the numbers.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        CODES.iter().map(|(_, code, _)| *code)
    }

    pub(crate) fn number(self) -> u16 {
        self.entry().0
    }

    /// One sentence for the reference page.
    pub(crate) fn meaning(self) -> &'static str {
        self.entry().1
    }

    /// What a process ends with that fails for this reason, unless the command knows better: 2 where the command line or
    /// the configuration must be written otherwise, also because it names what is not there; 1 where it was right.
    pub(crate) fn exit(self) -> Exit {
        match (self.number() / 100, self) {
            (1, _) => Exit::Usage,
            (_, C::Usage | C::UnknownCredential | C::InvalidSelector | C::Input | C::FileExists) => Exit::Usage,
            (_, C::RootKeyUnreadable | C::RootKeyMalformed | C::PlanUnreadable) => Exit::Usage,
            (_, C::PolicyText | C::UnknownPolicy | C::UnknownTask) => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    fn entry(self) -> (u16, &'static str) {
        // A code without an entry does not pass the tests.
        CODES.iter().find(|(_, code, _)| *code == self).map_or((0, ""), |(number, _, meaning)| (*number, meaning))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KR{:04}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_every_code_has_one() {
        let numbers: Vec<u16> = Code::all().map(Code::number).collect();
        assert!(numbers.is_sorted_by(|left, right| left < right));
        // The variants stand in the order of the numbers, so the last one counts them.
        assert_eq!(Code::NotifierRefused as usize + 1, numbers.len());
        for (index, code) in Code::all().enumerate() {
            assert_eq!(code as usize, index, "{code}");
            assert!(code.meaning().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn a_number_keeps_its_meaning() {
        assert_eq!(Code::ConfigUnknownKey.to_string(), "KR0104");
        assert_eq!(Code::IssuerCertificate.to_string(), "KR0209");
        assert_eq!(Code::RootKeyWrong.to_string(), "KR0406");
        assert_eq!(Code::PlanMoved.to_string(), "KR0603");
    }
}
