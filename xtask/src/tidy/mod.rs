//! The rules of the repository that no compiler checks.
//!
//! A rule is a function from the files to what it found; it opens nothing itself, so that each has tests on made-up
//! files. To add one: write it in the file it belongs to and name it in [`RULES`].

mod crates;
mod documents;
mod repository;
mod source;
mod text;

use std::path::Path;

use anyhow::bail;

use repository::{Finding, Repository};

type Rule = fn(&Repository) -> Vec<Finding>;

const RULES: [Rule; 19] = [
    crates::dependencies_point_one_way,
    crates::lints_are_shared,
    crates::outside_crates_stay_where_they_belong,
    source::sql_only_in_db,
    source::network_only_in_ports,
    source::clock_only_in_ports,
    source::secrets_exposed_only_where_listed,
    source::list_of_exposed_is_current,
    source::tickets_only_from_the_journal,
    source::drivers_named_only_outside,
    source::tests_are_not_ignored,
    documents::links_lead_somewhere,
    documents::paths_exist,
    documents::excerpts_are_in_the_code,
    text::files_are_short,
    text::names_say_something,
    text::no_path_of_a_build_machine,
    text::no_open_ends,
    text::decisions_are_listed,
];

/// Prints every finding, in the form `path:line: what`, and fails if there is one.
pub(crate) fn report(root: &Path) -> anyhow::Result<()> {
    let repository = Repository::read(root)?;
    let findings = check(&repository);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    eprintln!("tidy: {} files keep {} rules", repository.files.len(), RULES.len());
    Ok(())
}

fn check(repository: &Repository) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(repository)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let repository = Repository::read(&crate::root().unwrap()).unwrap();
        let findings: Vec<String> = check(&repository).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
        assert!(repository.files.len() > 50, "the repository was not found");
    }
}
