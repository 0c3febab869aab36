//! Mistakes of this field that a build with the feature `mutants` can make, and the page that tells of them.

/// Where people read which promise breaks with which of them.
const PAGE: &str = include_str!("../../../docs/concepts/guarantees.md");

/// Each with what is wrong with it.
pub(crate) const MUTANTS: &[(&str, &str)] = &[
    ("retired_by_count", "the old version goes as soon as there are two"),
    ("overlap_ignored", "the old version goes without waiting for the overlap"),
    ("overlap_from_the_issue", "overlap and silence count from the beginning, not from the confirmation"),
    ("unknown_use_is_quiet", "an issuer that tells nothing about use counts as silence"),
    ("use_ignored", "a use after the confirmation does not begin the silence anew"),
    ("stale_silence_accepted", "silence that was told long ago still opens the gate"),
    ("stale_proof_accepted", "the successor is not tried and read back again before the old version goes"),
    ("promoted_unverified", "the successor becomes current before the platform accepts it"),
    ("partial_set_promoted", "the successor becomes current before every destination has it"),
    ("confirm_compares_nothing", "reading back compares nothing"),
    ("renamed_before_the_removal", "the successor takes the name while the old version still has it"),
    ("revoked_on_a_stale_listing", "a revocation rests on the listing, without asking for the successor by id"),
    ("dead_unproved", "what was revoked is called dead without a look"),
    ("accepted_is_dead", "what is still accepted is called dead"),
    ("come_back_is_revoked", "what others removed and is there again is revoked"),
    ("current_purged", "a purge discards what readers get"),
    ("orphans_left_alone", "what a lost answer left behind is not revoked"),
    ("orphan_by_name", "an orphan is known by its name, not by our mark"),
    ("in_doubt_repeated", "what is in doubt is called settled without a look"),
    ("doubt_forgotten", "what is in doubt at a start is not looked at"),
    ("time_out_is_a_refusal", "no answer counts as no effect"),
    ("outcome_before_effect", "the outcome is written before the effect"),
    ("hold_only_planned", "a hold is respected by the planner and not where effects begin"),
    ("slots_not_guarded", "slots are counted by the planner and not where effects begin"),
    ("short_listing_believed", "what a listing leaves out is gone, without asking for it by id"),
    ("clock_back_ignored", "a clock that shows a time before the record moves gates all the same"),
    ("slow_answer_believed", "an issuer's clock is believed although its answer took minutes"),
    ("parked_forgotten", "a restart forgets the rotation that waits for a person"),
    ("retried_for_ever", "a refused step is repeated without end"),
    ("secret_only_in_memory", "a secret is on disk only once the next step is done"),
    ("not_found_for_anothers_handle", "\"not found\" for another one's handle is taken for a revocation"),
    ("two_halves_in_one_window", "what is minted from a parent turns together with it"),
    ("child_not_minted_anew", "what is minted from a parent that turned stays as it is"),
    ("minted_too_late", "a token is minted when the old one has expired"),
    ("prepared_chosen_anew", "after a lost answer another value is chosen than the one that was sealed"),
    ("replaced_before_it_waits", "the old one is replaced before the new one waits at the stores"),
    ("refused_for_ever", "a successor that was ended unseen is tried for ever while nothing else serves"),
    ("task_assumed_done", "a person's step is taken for done at its deadline"),
    ("wrong_file_accepted", "what a person hands over is not tried"),
    ("tried_while_off_ignored", "what was tried while it was switched off is revoked all the same"),
    ("protected_touched", "what the platform protects is rotated"),
    ("everybody_begins", "a policy that has proved nothing is tried on everything at once"),
    ("broken_looks_well", "a run whose database failed ends as if all were well"),
];

/// Whether the page has this mistake, in these words, with this promise.
#[cfg(feature = "mutants")]
pub(crate) fn documented(name: &str, what: &str, promise: &str) -> bool {
    PAGE.lines().any(|line| line.starts_with(&format!("| `{name}` | {what} | {promise} |")))
}

/// Mistakes of which the page has no row, and rows of mistakes that nobody can make any more.
pub fn undocumented() -> Vec<String> {
    let row = |name: &str, what: &str| PAGE.lines().any(|line| line.starts_with(&format!("| `{name}` | {what} | ")));
    let missing = MUTANTS.iter().filter(|(name, what)| !row(name, what)).map(|(name, _)| (*name).to_owned());
    let told = PAGE.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    let gone = told.filter(|told| !MUTANTS.iter().any(|(name, _)| name == told));
    missing.chain(gone).collect()
}
