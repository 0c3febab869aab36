//! How a twin is set up for the contract suite.

/// Options of a twin by name and value; a flag has an empty value.
pub type OptionSet = &'static [(&'static str, &'static str)];

/// What the contract suite plays on a twin, in the twin's own options. Every driver fills it in; what its platform
/// does not have is `None`, and the suite says that it was skipped.
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
}
