//! How a twin is set up for the contract suite.

/// Options of a twin by name and value; a flag has an empty value.
pub type OptionSet = &'static [(&'static str, &'static str)];

/// What the contract suite plays on a twin, in the twin's own options. Every driver fills it in. What is `None` is
/// skipped where the facts rule it out, and needs a waiver otherwise.
///
/// Where a person issues, the suite has the twin's `tamper` play that person: `{"action": "issue_by_hand", "names":
/// [..]}` with the names of the credential answers `{"content": ".."}`, what the person hands over, and
/// `{"action": "remove_by_hand", "names": [..], "content": ".."}` removes it again. An entry of the twin's state may
/// say its `kind` and whether it is `protected`.
#[derive(Debug, Clone, Copy)]
pub struct Stages {
    /// A few parents, at least two with a credential each, all of them old.
    pub small: OptionSet,
    /// More than two of the largest pages that the driver asks for.
    pub large: OptionSet,
    /// Habits of other installations. The whole life of a credential is played with each, on top of `small`.
    pub variants: &'static [OptionSet],
    /// The account may not see usage.
    pub no_usage: Option<OptionSet>,
    /// What the driver logs in with ends after a minute.
    pub short_login: Option<OptionSet>,
    /// Checks that the driver cannot be held to although its facts do not rule them out, each with the reason, which
    /// is printed. One that holds after all is refused.
    pub waived: &'static [(&'static str, &'static str)],
}
