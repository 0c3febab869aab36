//! People who do what the engine asks them to, sooner or later and rightly or wrongly.

use std::collections::BTreeMap;

use db::TaskLine;
use domain::{Ask, Duration, Timestamp};
use secret::Secret;
use twin::Random;

use crate::{
    people,
    platform::{Platform, Wanted, Who},
    promises::Promise,
    stage::{Stage, World},
};

/// What each open task comes to.
#[derive(Debug)]
pub(crate) struct Errands {
    random: Random,
    /// Whether people err and dawdle.
    fallible: bool,
    known: BTreeMap<i64, Errand>,
}

#[derive(Debug)]
pub(crate) struct Errand {
    credential: usize,
    acts_at: Timestamp,
    /// To be made before the right thing is done.
    mistakes: Vec<Mistake>,
    /// The version that the person has made by now.
    made: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    /// Something that is no file of the platform.
    Garbage,
    /// Another credential's secret, or the old one.
    Foreign,
    Old,
    /// Nothing was removed.
    Claim,
    /// The newest one is removed in place of the old one.
    WrongOne,
}

/// What a person hands over, and whether it is what was asked for.
pub(crate) struct HandOver {
    pub(crate) content: Option<Secret>,
    pub(crate) right: bool,
}

impl Errands {
    pub(crate) fn new(seed: u64, fallible: bool) -> Self {
        Self { random: Random::new(seed ^ 0x00e4_4a4d), fallible, known: BTreeMap::new() }
    }

    /// Meets a new task; whether its person acts now.
    pub(crate) fn is_due(&mut self, stage: &Stage, task: &TaskLine, credential: usize, old: Option<&str>) -> bool {
        if !self.known.contains_key(&task.id) {
            let errand = self.meet(stage, task, credential, old);
            self.known.insert(task.id, errand);
        }
        let world = stage.world();
        let errand = self.known.get_mut(&task.id).unwrap();
        if world.is_calm() && self.fallible {
            // The person whom the escalation reaches.
            errand.mistakes.clear();
            return true;
        }
        errand.acts_at <= world.now
    }

    fn meet(&mut self, stage: &Stage, task: &TaskLine, credential: usize, old: Option<&str>) -> Errand {
        let mut world = stage.world();
        // The gate has to be open as before a revocation of ours.
        let old = old.and_then(|handle| world.platform.by_handle(handle));
        if let (Ask::Revoke { .. }, Some(old)) = (task.ask, old)
            && world.platform.minted[old].is_live(world.now)
        {
            world.may_end(credential, old, Who::Person);
        }
        let mut errand = Errand { credential, acts_at: world.now, mistakes: Vec::new(), made: None };
        if !self.fallible {
            return errand;
        }
        let within = task.due_at.duration_since(task.asked_at);
        let never = Duration::from_hours(24 * 365);
        let wait = match self.random.below(6) {
            0 => Duration::ZERO,
            1 | 2 => Duration::from_hours(self.random.below(30) as i64),
            3 => within / 2,
            4 => within.saturating_add(Duration::from_hours(30)),
            _ => never,
        };
        errand.acts_at = world.now.saturating_add(wait).unwrap();
        for _ in 0..self.random.below(3) {
            errand.mistakes.push(match (task.ask, self.random.below(3)) {
                (Ask::Issue { .. }, 0) => Mistake::Garbage,
                (Ask::Issue { .. }, 1) => Mistake::Foreign,
                (Ask::Issue { .. }, _) => Mistake::Old,
                (Ask::Revoke { .. }, 0) => Mistake::WrongOne,
                (Ask::Revoke { .. }, _) => Mistake::Claim,
            });
        }
        errand
    }

    /// What the person does at the platform, and what they bring.
    pub(crate) fn act(&mut self, stage: &Stage, task: &TaskLine, old: Option<&str>) -> Option<HandOver> {
        let errand = self.known.get_mut(&task.id)?;
        let mut guard = stage.world();
        let world = &mut *guard;
        world.disturbed();
        let mistake = errand.mistakes.pop();
        world.tell(|| match mistake {
            None => format!("person  {} c{} as asked", task.ask.word(), errand.credential),
            Some(mistake) => format!("person  {} c{} wrongly: {mistake:?}", task.ask.word(), errand.credential),
        });
        match task.ask {
            Ask::Issue { .. } => errand.issue(world, mistake, old),
            Ask::Revoke { .. } => {
                let right = errand.remove(world, mistake, old);
                Some(HandOver { content: None, right })
            }
        }
    }
}

impl Errand {
    fn issue(&mut self, world: &mut World, mistake: Option<Mistake>, old: Option<&str>) -> Option<HandOver> {
        let file = |world: &World, index: usize| {
            let one = &world.platform.minted[index];
            Some(Secret::from_text(format!("{} {}", one.handle, one.secret)))
        };
        let wrong = |content| Some(HandOver { content, right: false });
        match mistake {
            Some(Mistake::Garbage) => return wrong(Some(Secret::from_text("changeme"))),
            Some(Mistake::Foreign) => {
                let own = self.credential;
                let other = world.platform.minted.iter().position(|one| one.credential != own);
                return wrong(other.map_or_else(|| Some(Secret::from_text("nothing")), |other| file(world, other)));
            }
            Some(Mistake::Old) => {
                let old = old.and_then(|handle| world.platform.by_handle(handle));
                return wrong(old.map_or_else(|| Some(Secret::from_text("nothing")), |old| file(world, old)));
            }
            _ => {}
        }
        let World { platform, random, now, .. } = world;
        let name = format!("key{}", self.credential);
        // What somebody named otherwise is another credential's by now.
        let fit = |made: usize| platform.minted[made].is_live(*now) && platform.minted[made].name == name;
        if !self.made.is_some_and(fit) {
            let wanted = Wanted::by_hand(self.credential, &name, "A key");
            // It may refuse; then they try another day.
            self.made = Some(platform.mint(*now, random, wanted).ok()?);
            world.after_our_issue(self.made?);
        }
        Some(HandOver { content: file(world, self.made?), right: true })
    }

    /// Whether it was the right one that they removed.
    fn remove(&self, world: &mut World, mistake: Option<Mistake>, old: Option<&str>) -> bool {
        let old = old.and_then(|handle| world.platform.by_handle(handle));
        let World { platform, random, now, .. } = world;
        let gone = |platform: &Platform| old.is_none_or(|old| !platform.minted[old].is_live(*now));
        match mistake {
            Some(Mistake::Claim) => return gone(platform),
            Some(_) => {
                let newest = platform.live_of(self.credential, *now).next_back();
                if let Some(newest) = newest.filter(|newest| Some(*newest) != old) {
                    platform.remove(*now, random, newest, Who::Person);
                }
                return gone(platform);
            }
            None => {}
        }
        if let Some(old) = old {
            platform.remove(*now, random, old, Who::Person);
        }
        true
    }
}

impl Stage {
    /// The scenario's number of a task's credential.
    pub(crate) fn credential_of(&self, task: &TaskLine) -> Option<usize> {
        let world = self.world();
        (0..world.platform.parents.len()).find(|number| people::identifier(&world, *number) == task.credential)
    }

    /// What the engine has on record of a credential, to see whether a refused hand-over changed anything.
    pub(crate) fn recorded(&self, row: i64) -> String {
        let mut words = String::new();
        self.scan(|entry| {
            if entry.id == row {
                words = format!("{:?}", entry.observed);
            }
        });
        words
    }

    /// Whether what a person was to remove is gone by now, by whomever.
    pub(crate) fn is_removed(&self, task: &TaskLine, old: Option<&str>) -> bool {
        let world = self.world();
        let old = old.and_then(|handle| world.platform.by_handle(handle));
        let gone = old.is_none_or(|old| !world.platform.minted[old].is_live(world.now));
        matches!(task.ask, Ask::Revoke { .. }) && gone
    }

    pub(crate) fn judge_hand_over(&self, credential: usize, right: bool, accepted: bool, changed: bool) {
        let mut world = self.world();
        if !right && !accepted && changed {
            let words = || format!("a hand-over for c{credential} was refused and changed what is on record");
            world.breach(Promise::PeoplesSteps, words);
        }
        if accepted && !right {
            world.breach(Promise::PeoplesSteps, || format!("a wrong hand-over for c{credential} was taken"));
        }
    }
}
