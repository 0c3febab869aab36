//! Planning estates of three sizes from the database, and what it takes in memory.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use db::{Access, Db, IssuerView, Issuers};
use domain::{
    CredentialId, Destination, IssuerFacts, Mode, Overlap, Policy, RetireWhen, SecretPath, Selector, Timestamp,
};
use engine::{Applied, Policies};

use crate::{
    estate,
    installation::Installation,
    platform::Platform,
    quickest,
    report::{Row, Table, count},
};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const LONGEST: Duration = Duration::from_secs(3);
const MEBIBYTES_MAX: usize = 1024;
/// Growing linearly: a credential among a million costs at most so many times one among a hundred thousand.
const GROWTH_MAX: f64 = 1.5;

pub(crate) fn table() -> anyhow::Result<Table> {
    let passes = SIZES.iter().map(|size| Pass::over(*size)).collect::<anyhow::Result<Vec<_>>>()?;
    let [small, middle, large] = <[Pass; 3]>::try_from(passes).ok().context("three sizes")?;
    let memory = large.mebibytes as f64 / small.mebibytes as f64;
    let [much, little] = [&large, &small].map(|pass| format!("{} MiB", pass.mebibytes));
    let rows = vec![
        small.row(),
        middle.row(),
        large.row().under(LONGEST, large.took),
        Row::slower("one among 1,000,000, against one among 100,000", large.each(), middle.each()).at_most(GROWTH_MAX),
        Row::of("memory for 1,000,000, against 10,000", much, little, memory)
            .bar(format!("under {MEBIBYTES_MAX} MiB"), large.mebibytes < MEBIBYTES_MAX),
        Row::slower("`keyrota plan --stored`, 1,000,000", large.command, large.took).under(LONGEST, large.command),
    ];
    Ok(Table {
        title: "Planning from the database",
        meaning: "Every credential of the inventory read, matched with its policy and planned; of a hundred, two are \
                  due, one is in rotation and the others rest. The baseline reads the same rows in the same process \
                  and plans nothing. The last row is the whole command, which also prints a line for each credential \
                  that is due or under way."
            .to_owned(),
        rows,
    })
}

/// One pass over an estate.
struct Pass {
    size: usize,
    bare: Duration,
    took: Duration,
    mebibytes: usize,
    command: Duration,
}

impl Pass {
    fn over(size: usize) -> anyhow::Result<Self> {
        let runtime = crate::runtime()?;
        let platform = runtime.block_on(Platform::serve(1, 1, &[]))?;
        let installation = Installation::new(&platform.issuer(1))?;
        runtime.block_on(installation.make_database())?;
        runtime.block_on(estate::fill(&installation.data_dir(), size, Timestamp::now()))?;
        let steps = estate::due(size) + estate::in_rotation(size);
        let survey = || survey_apart(&installation.data_dir());
        let [bare, took, credentials, planned, kibibytes] =
            quickest(survey, |[_, took, ..]| Duration::from_micros(*took))?;
        ensure!(credentials == size as u64 && planned == steps as u64, "{credentials} credentials, {planned} steps");
        let plan = || installation.keyrota(&["plan", "--stored"]);
        let (command, output) = quickest(plan, |(took, _)| *took)?;
        ensure!(output.lines().count() == steps, "the command plans {} steps", output.lines().count());
        Ok(Self {
            size,
            bare: Duration::from_micros(bare),
            took: Duration::from_micros(took),
            mebibytes: usize::try_from(kibibytes / 1024)?,
            command,
        })
    }

    fn row(&self) -> Row {
        Row::slower(format!("{} credentials", count(self.size)), self.took, self.bare)
    }

    fn each(&self) -> Duration {
        self.took / u32::try_from(self.size).unwrap_or(u32::MAX)
    }
}

/// What [`survey`] tells, from a process of its own.
fn survey_apart(data_dir: &Path) -> anyhow::Result<[u64; 5]> {
    let survey = Command::new(std::env::current_exe()?).arg("--survey").arg(data_dir).output()?;
    let line = String::from_utf8(survey.stdout)?;
    let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let failed = |_| anyhow!("the survey failed: {}", String::from_utf8_lossy(&survey.stderr));
    <[u64; 5]>::try_from(numbers).map_err(failed)
}

/// Microseconds of the bare scan and of the planning pass, credentials, steps, and the most memory that the process
/// ever had, in kibibytes.
pub(crate) fn survey(data_dir: &Path) -> anyhow::Result<String> {
    let db = Db::open(data_dir, Access::ReadOnly)?;
    let started = Instant::now();
    // No issuer is configured, so that every row is read and none becomes a credential.
    db.scan_entries(&db::Issuers::new(), drop)?;
    let bare = started.elapsed().as_micros();

    let started = Instant::now();
    let view = IssuerView { facts: facts().into(), now: Timestamp::now() };
    let issuers = Issuers::from([("apic".to_owned(), view)]);
    let (mut credentials, mut steps) = (0, 0);
    engine::survey(&db, &NinetyDays::new()?, &issuers, |surveyed| {
        credentials += 1;
        steps += usize::from(surveyed.planned.is_some_and(|(plan, _)| !plan.steps.is_empty()));
    })?;
    let took = started.elapsed().as_micros();
    Ok(format!("{bare} {took} {credentials} {steps} {}", peak_kibibytes()?))
}

fn peak_kibibytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is told by Linux alone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak of memory")?;
    line.trim().trim_end_matches(" kB").parse().context("a peak that is no number")
}

fn facts() -> IssuerFacts {
    let overlap = Overlap::Concurrent { live_max: None };
    IssuerFacts { overlap, names: true, usage: true, ..IssuerFacts::overlapping(domain::Duration::from_mins(10)) }
}

/// The policy of the installation, as configuration would give it.
#[derive(Debug)]
struct NinetyDays(Selector);

impl NinetyDays {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(Selector::parse("apic/**")?))
    }
}

impl Policies for NinetyDays {
    fn applied(&self, credential: &CredentialId, _now: Timestamp) -> Option<Applied> {
        let days = |days: i64| domain::Duration::from_hours(24 * days);
        let path = SecretPath::parse(&format!("apic/{}", credential.path())).ok()?;
        let policy = Policy {
            name: "ninety-days".to_owned(),
            mode: Mode::Automatic,
            rotate_after: days(90),
            overlap: days(10),
            retire_when: RetireWhen::Quiet,
            quiet_for: days(1),
            retire_after: days(100),
            deliver: vec![Destination { store: "local".into(), path }],
            consumers: std::sync::Arc::default(),
            task_within: domain::Duration::from_hours(7 * 24),
            begin_not_before: None,
        };
        self.0.matches(credential.as_str()).then_some(Applied::plain(policy, None))
    }
}
