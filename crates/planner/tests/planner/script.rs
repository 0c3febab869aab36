//! The language of the scenarios: one command a line, each a sentence about what happens, answered by what is done,
//! why, and what is found on the way.

use domain::{
    Ask, Consumer, Duration, Ending, Finding, Idempotency, Minting, Mode, Overlap, Performer, Plan, Planned, Presence,
    RetireWhen, Step, Timestamp, Version, VersionNumber,
};

use crate::world::{World, default_facts, default_policy, destination, start};

/// More steps than any scenario has.
const STEPS_MAX: usize = 500;

/// One application with its credentials, and what has been told of it so far.
pub(crate) struct Script {
    policy: domain::Policy,
    facts: domain::IssuerFacts,
    /// How long what is issued lives.
    life: Option<Duration>,
    worlds: Vec<World>,
    /// What was found last, for each credential: the same is not told twice in a row.
    told: Vec<Vec<Finding>>,
    output: String,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            policy: default_policy(),
            facts: default_facts(),
            life: None,
            worlds: Vec::new(),
            told: Vec::new(),
            output: String::new(),
        }
    }

    /// Performs one command and returns what there is to tell.
    pub(crate) fn perform(&mut self, command: &str) -> Result<String, String> {
        self.output.clear();
        let (name, sentence) = match command.split_once(": ") {
            Some((name, sentence)) => (Some(name), sentence),
            None => (None, command),
        };
        let (verb, rest) = sentence.split_once(' ').unwrap_or((sentence, ""));
        match verb {
            "policy" => self.set_policy(rest)?,
            "issuer" => self.set_issuer(rest)?,
            "credential" => self.add_credential(rest)?,
            "run" if rest.starts_with("up to ") => self.run_up_to(rest)?,
            "run" if rest.is_empty() => self.run_until(self.time()?)?,
            "run" => self.run_until(self.time()? + duration(rest)?)?,
            "clock" => self.set_clock(rest)?,
            "look" => self.look()?,
            _ => self.happen(name, verb, rest)?,
        }
        self.count_slots();
        Ok(self.output.clone())
    }

    fn time(&self) -> Result<Timestamp, String> {
        self.worlds.first().map(|world| world.time).ok_or_else(|| "no credential is named yet".to_owned())
    }

    fn tell(&mut self, line: &str) {
        self.output.push_str(line.trim_end());
        self.output.push('\n');
    }

    fn set_policy(&mut self, rest: &str) -> Result<(), String> {
        for (key, value) in pairs(rest)? {
            let policy = &mut self.policy;
            match key {
                "rotate_after" => policy.rotate_after = duration(value)?,
                "overlap" => policy.overlap = duration(value)?,
                "quiet_for" => policy.quiet_for = duration(value)?,
                "retire_after" => policy.retire_after = duration(value)?,
                "retire_when" => policy.retire_when = choose(value, &RETIRE_WHEN)?,
                "mode" => policy.mode = choose(value, &MODES)?,
                "task_within" => policy.task_within = duration(value)?,
                "opens_in" => policy.begin_not_before = Some(start() + duration(value)?),
                "consumers" => policy.consumers = value.split('+').map(consumer).collect::<Result<_, _>>()?,
                "deliver" => policy.deliver = value.split('+').map(destination).collect(),
                _ => return Err(format!("`{key}` is no key of a policy")),
            }
        }
        for world in &mut self.worlds {
            world.change_policy(self.policy.clone());
        }
        Ok(())
    }

    fn set_issuer(&mut self, rest: &str) -> Result<(), String> {
        for (key, value) in pairs(rest)? {
            match key {
                "propagation" => self.facts.propagation = duration(value)?,
                "live_max" => {
                    let live_max = value.parse().map_err(|error| format!("`{value}`: {error}"))?;
                    self.facts.overlap = Overlap::Concurrent { live_max: Some(live_max) };
                }
                "usage" => self.facts.usage = choose(value, &[("told", true), ("unknown", false)])?,
                "names" => self.facts.names = choose(value, &YES_OR_NO)?,
                "lists" => self.facts.lists_versions = choose(value, &YES_OR_NO)?,
                "disable" => self.facts.disable = choose(value, &YES_OR_NO)?,
                "chosen_by" => {
                    self.facts.minting = choose(value, &[("us", Minting::ByUs), ("issuer", Minting::ByIssuer)])?;
                }
                "replaces" => {
                    let overlap = Overlap::Concurrent { live_max: None };
                    self.facts.overlap = choose(value, &[("yes", Overlap::Replace), ("no", overlap)])?;
                }
                "repeats" => {
                    let by_token = [("yes", Idempotency::ClientToken), ("no", Idempotency::FindByMarker)];
                    self.facts.idempotency = choose(value, &by_token)?;
                }
                "made_by" => {
                    let performers = [("person", Performer::Person), ("machine", Performer::Machine)];
                    self.facts.issued_by = choose(value, &performers)?;
                }
                "ended_by" => {
                    let endings = [("call", Ending::Revoked), ("person", Ending::ByPerson), ("time", Ending::Expires)];
                    self.facts.ending = choose(value, &endings)?;
                }
                "life" => self.life = Some(duration(value)?),
                _ => return Err(format!("`{key}` is no fact of an issuer")),
            }
        }
        for world in &mut self.worlds {
            world.observed.facts = std::sync::Arc::new(self.facts.clone());
            world.life = self.life;
        }
        Ok(())
    }

    fn add_credential(&mut self, rest: &str) -> Result<(), String> {
        let (name, age) = rest.split_once(' ').ok_or("a credential has a name and an age")?;
        let new = |age| World::new(name, self.policy.clone(), self.facts.clone(), age).living_for(self.life);
        self.worlds.push(match age {
            "never issued" => new(Duration::ZERO).declared(),
            age => new(duration(age)?),
        });
        self.told.push(Vec::new());
        Ok(())
    }

    fn set_clock(&mut self, rest: &str) -> Result<(), String> {
        let skew = if rest == "right" { Duration::ZERO } else { duration(rest)? };
        self.worlds.iter_mut().for_each(|world| world.skew = skew);
        Ok(())
    }

    /// What people, consumers and faults do.
    fn happen(&mut self, name: Option<&str>, verb: &str, rest: &str) -> Result<(), String> {
        let index = match name {
            Some(name) => self.worlds.iter().position(|world| world.observed.name == name),
            None => (self.worlds.len() == 1).then_some(0),
        };
        let index = index.ok_or("which credential?")?;
        let world = &mut self.worlds[index];
        match (verb, rest) {
            ("consumers", "use the old one for ever") => world.linger = None,
            ("consumers", rest) => {
                let linger = rest.strip_prefix("use the old one for ").ok_or("what do they do?")?;
                world.linger = Some(duration(linger)?);
            }
            ("answer", "lost") => return self.lose_answer(index),
            ("fails", error) => world.fail(error),
            ("listing", "shows all") => {
                for version in &mut world.observed.versions {
                    if version.presence == Presence::Missing {
                        version.presence = Presence::Listed;
                    }
                }
            }
            ("listing", rest) => {
                let number = version(rest.strip_prefix("hides ").ok_or("what does it show?")?)?;
                world.version(number).presence = Presence::Missing;
            }
            ("somebody", rest) => somebody(world, rest)?,
            ("ada", "asks for a new one") => world.request("ada"),
            ("ada", "goes back") if world.go_back("ada") => {}
            ("ada", "hands over its secret") => world.import("ada"),
            ("ada", "releases it") => world.observed.hold = None,
            ("ada", "does it") if world.person_acts(true) => {}
            ("ada", "only says so") if world.person_acts(false) => {}
            ("ada", "says that others know it") => world.compromise("ada"),
            ("its", "parent turns") => world.parent_turns(),
            ("it", "is delivered again") => world.repair(),
            ("consumer", rest) => consumer_acts(world, rest)?,
            ("vera", rest) => {
                let rest = rest.strip_prefix("answers for ").ok_or("she cannot")?;
                let (whom, lasts) = rest.split_once(" for ").ok_or("for how long?")?;
                world.waive((whom != "the silence").then_some(whom), duration(lasts)?);
            }
            ("ada", rest) => {
                let reason = rest.strip_prefix("holds it for ").ok_or("she cannot")?;
                world.hold("ada", reason);
            }
            _ => return Err(format!("`{verb} {rest}` means nothing")),
        }
        Ok(())
    }

    /// The next step takes effect at the platform, and its answer never arrives.
    fn lose_answer(&mut self, index: usize) -> Result<(), String> {
        let world = &mut self.worlds[index];
        let planned = world.plan().due(world.now()).cloned();
        let planned = planned.filter(|planned| matches!(planned.step, Step::Issue { .. })).ok_or("no issue is due")?;
        let at = world.now();
        world.lose_answer(&planned.step);
        self.tell_step(index, at, &planned);
        self.tell("                     … its answer is lost");
        self.pass(index, Duration::from_secs(1));
        Ok(())
    }

    fn pass(&mut self, index: usize, duration: Duration) {
        let time = self.worlds[index].time + duration;
        self.worlds.iter_mut().for_each(|world| world.time = time);
        self.count_slots();
    }

    fn count_slots(&mut self) {
        let live: Vec<usize> = self.worlds.iter().map(|world| world.live().count()).collect();
        let total: usize = live.iter().sum();
        for (world, own) in self.worlds.iter_mut().zip(live) {
            world.siblings = u32::try_from(total - own).unwrap();
            world.count_slots();
        }
    }

    /// Performs what is due, credential after credential, then leaps to what is due next.
    fn run_until(&mut self, until: Timestamp) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            while self.run_one()? {}
            let waking = self.worlds.iter().filter_map(|world| Some(world.plan().wake_at? - world.skew));
            let Some(next) = waking.filter(|at| *at > self.worlds[0].time && *at <= until).min() else {
                let time = until.max(self.time()?);
                self.worlds.iter_mut().for_each(|world| world.time = time);
                return self.tell_waiting();
            };
            self.worlds.iter_mut().for_each(|world| world.time = next);
        }
        Err(format!("no end after {STEPS_MAX} steps"))
    }

    /// Performs what is due until the named step is next: there the story is interrupted.
    fn run_up_to(&mut self, rest: &str) -> Result<(), String> {
        let stop = rest.trim_start_matches("up to ");
        for _ in 0..STEPS_MAX {
            let world = &self.worlds[0];
            let next = world.plan().due(world.now()).map(|planned| deed(&planned.step));
            if next.as_deref() == Some(stop) {
                return Ok(());
            }
            if !self.run_one()? {
                break;
            }
        }
        Err(format!("`{stop}` never comes due"))
    }

    fn run_one(&mut self) -> Result<bool, String> {
        for index in 0..self.worlds.len() {
            let world = &mut self.worlds[index];
            let plan = world.plan();
            let Some(planned) = plan.due(world.now()).cloned() else { continue };
            let at = world.now();
            world.perform(&planned.step);
            self.tell_step(index, at, &planned);
            self.tell_findings(index, &plan);
            self.pass(index, Duration::from_secs(1));
            return Ok(true);
        }
        Ok(false)
    }

    fn label(&self, index: usize) -> String {
        if self.worlds.len() == 1 { String::new() } else { format!("{:<8}", self.worlds[index].observed.name) }
    }

    fn tell_step(&mut self, index: usize, at: Timestamp, planned: &Planned) {
        let line = format!("{}  {}{:<16} {}", date(at), self.label(index), deed(&planned.step), planned.reason);
        self.tell(&line);
    }

    fn tell_findings(&mut self, index: usize, plan: &Plan) {
        if self.told[index] == plan.findings {
            return;
        }
        for finding in &plan.findings {
            let line = format!("{:21}{}! {}: {finding}", "", self.label(index), finding.word());
            self.tell(&line);
        }
        self.told[index].clone_from(&plan.findings);
    }

    fn tell_waiting(&mut self) -> Result<(), String> {
        for index in 0..self.worlds.len() {
            let world = &self.worlds[index];
            let (now, plan) = (world.now(), world.plan());
            let first = plan.steps.first().map(|planned| (deed(&planned.step), planned.reason.to_string()));
            let waits = match (plan.wake_at, first) {
                (Some(at), Some((deed, reason))) => format!("waits until {} to {deed}: {reason}", date(at)),
                (Some(at), None) => format!("rests until {}", date(at)),
                (None, _) => "rests".to_owned(),
            };
            let line = format!("{}  {}{waits}", date(now), self.label(index));
            self.tell(&line);
            self.told[index].clear();
            self.tell_findings(index, &plan);
        }
        Ok(())
    }

    /// What there is at the platform, and who reads what.
    fn look(&mut self) -> Result<(), String> {
        let mut lines = Vec::new();
        for world in &self.worlds {
            for version in &world.observed.versions {
                let state = state(version, world.time);
                let readers: Vec<&str> = world
                    .read()
                    .filter(|(_, number)| *number == version.number)
                    .map(|(destination, _)| &*destination.store)
                    .collect();
                let read = if readers.is_empty() { String::new() } else { format!("read at {}", readers.join(", ")) };
                let sealed = if version.secret_held { "secret held" } else { "" };
                lines.push(format!("    v{} {:<12} {state:<6} {sealed:<12} {read}", version.number, version.name));
            }
        }
        lines.iter().for_each(|line| self.tell(line));
        Ok(())
    }
}

fn state(version: &Version, time: Timestamp) -> &'static str {
    match version.presence {
        _ if version.dead_at.is_some() => "dead",
        Presence::Prepared => "sealed",
        _ if !version.is_live() => "gone",
        _ if version.has_expired(time) => "over",
        _ if version.disabled_at.is_some() => "off",
        _ => "live",
    }
}

fn somebody(world: &mut World, rest: &str) -> Result<(), String> {
    let (deed, what) = rest.split_once(' ').ok_or("what does somebody do?")?;
    match (deed, what) {
        ("removes", "what is not ours") => {
            world.observed.stray = false;
            world.observed.name_taken = None;
        }
        ("calls", what) => world.is_called(version(what.strip_prefix("with ").ok_or("with what?")?)?),
        ("removes", what) => world.removed_by_hand(version(what)?),
        ("makes", "another version") => world.made_by_hand(),
        ("writes", what) => world.drifts(destination(what.strip_prefix("at ").ok_or("where?")?)),
        ("puts", "it right") => world.observed.drift.clear(),
        // A listing that shows it under the credential's own mark of a successor is a stray; a name merely taken is
        // met when the successor is to be issued.
        ("creates", what) if what == format!("{}{}", world.observed.name, domain::SUCCESSOR_SUFFIX) => {
            world.observed.stray = true;
            world.observed.name_taken = Some(what.to_owned());
        }
        _ => return Err(format!("somebody cannot `{rest}`")),
    }
    Ok(())
}

/// `billing:told:acknowledges`, or `batch:2h` for one that polls.
fn consumer(text: &str) -> Result<Consumer, String> {
    let mut words = text.split(':');
    let name = words.next().unwrap_or_default();
    let mut consumer = Consumer { name: name.into(), lag: Duration::ZERO, told: false, acknowledges: false };
    for word in words {
        match word {
            "told" => consumer.told = true,
            "acknowledges" => consumer.acknowledges = true,
            lag => consumer.lag = duration(lag)?,
        }
    }
    Ok(consumer)
}

fn consumer_acts(world: &mut World, rest: &str) -> Result<(), String> {
    match rest.split_once(' ') {
        Some((name, "restarts")) => world.consumer_restarts(name, false),
        Some((name, "restarts and says so")) => world.consumer_restarts(name, true),
        _ => return Err(format!("no consumer does `{rest}`")),
    }
    Ok(())
}

fn deed(step: &Step) -> String {
    match (step, step.destination()) {
        (Step::Prepare { .. } | Step::Issue { .. } | Step::Complete, _) => step.word().to_owned(),
        (Step::AskPerson { ask: Ask::Issue { .. } }, _) => "ask for a new one".to_owned(),
        (Step::AskPerson { ask: Ask::Revoke { version } }, _) => format!("ask to end v{version}"),
        (Step::Tell { version, consumer }, _) => format!("tell v{version} {consumer}"),
        (_, Some(destination)) => {
            format!("{} v{} {}", step.word(), step.version().unwrap(), destination.store)
        }
        (_, None) => format!("{} v{}", step.word(), step.version().unwrap()),
    }
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

const MODES: [(&str, Mode); 4] =
    [("automatic", Mode::Automatic), ("ask", Mode::Ask), ("notify", Mode::Notify), ("observe", Mode::Observe)];
const YES_OR_NO: [(&str, bool); 2] = [("yes", true), ("no", false)];
const RETIRE_WHEN: [(&str, RetireWhen); 2] = [("quiet", RetireWhen::Quiet), ("overlap_over", RetireWhen::OverlapOver)];

fn choose<T: Copy>(value: &str, among: &[(&str, T)]) -> Result<T, String> {
    let chosen = among.iter().find(|(word, _)| *word == value);
    chosen.map(|(_, chosen)| *chosen).ok_or_else(|| format!("`{value}` is not known"))
}

fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split_whitespace()
        .map(|word| word.split_once('=').ok_or_else(|| format!("`{word}` is not `key=value`")))
        .collect()
}

fn version(text: &str) -> Result<VersionNumber, String> {
    let number = text.strip_prefix('v').and_then(|digits| digits.parse().ok());
    number.map(VersionNumber).ok_or_else(|| format!("`{text}` is no version"))
}

/// `90d`, `12h`, `5m`, `30s`, with a sign where a clock jumps.
fn duration(text: &str) -> Result<Duration, String> {
    let unknown = || format!("`{text}` is no duration");
    let unit = text.chars().last().ok_or_else(unknown)?;
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| unknown())?;
    match unit {
        'd' => Ok(Duration::from_hours(24 * count)),
        'h' => Ok(Duration::from_hours(count)),
        'm' => Ok(Duration::from_mins(count)),
        's' => Ok(Duration::from_secs(count)),
        _ => Err(unknown()),
    }
}
