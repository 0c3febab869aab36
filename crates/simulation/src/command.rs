//! `cargo xtask simulate`: what it prints.

use crate::{
    event::Event,
    matrix::matrix,
    play::play,
    scenario::Scenario,
    shrink::shrink,
    survey::{on_every_core, single_faults},
};

/// Carries out the words of the command line; whether every promise held.
pub fn simulate(words: &[String], print: &mut dyn FnMut(&str)) -> Result<bool, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
    match words[..] {
        ["--seed", seed] => Ok(one(number(seed)?, print)),
        ["--seeds", count] => Ok(many(0, number(count)?, print)),
        ["--seeds", count, "--from", first] => Ok(many(number(first)?, number(count)?, print)),
        ["--world", world, "--at", at, "--event", event] => {
            let (_, terms) = matrix().into_iter().nth(number(world)? as usize).ok_or("there are fewer worlds")?;
            let event = Event::by_word(event).ok_or_else(|| format!("nothing is called `{event}`"))?;
            Ok(tell(&format!("world {world}"), &Scenario::new(1, terms).with(number(at)? as usize, event), print))
        }
        ["--single-faults"] => Ok(each(print)),
        ["--stories", count] => Ok(stories(number(count)?, print)),
        #[cfg(feature = "mutants")]
        ["--mutants", ref only @ ..] => Ok(crate::mutants::hunt_all(only, print)),
        #[cfg(not(feature = "mutants"))]
        ["--mutants", ..] => Err("this build knows no mutants: use `cargo xtask simulate --mutants`".to_owned()),
        _ => Err(format!(
            "use --seed N, --seeds N [--from N], --single-faults, --world N --at POINT --event WORD, --stories N or --mutants ({} worlds)",
            matrix().len()
        )),
    }
}

fn one(seed: u64, print: &mut dyn FnMut(&str)) -> bool {
    let scenario = Scenario::random(seed);
    let broke = play(&scenario, false).breach.is_some();
    tell(&format!("seed {seed}"), &if broke { shrink(&scenario) } else { scenario }, print)
}

/// A scenario as a story; whether every promise held.
fn tell(name: &str, scenario: &Scenario, print: &mut dyn FnMut(&str)) -> bool {
    print(&format!("{name}: {:?}", scenario.terms));
    for (at, events) in &scenario.events {
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        print(&format!("  at #{at}: {}", events.join(", ")));
    }
    let played = play(scenario, true);
    for line in &played.timeline {
        print(line);
    }
    print(&match &played.breach {
        Some(breach) => format!("{name} broke a promise: {breach}"),
        None => format!("{name}: every promise held; {} rotations", played.rotations),
    });
    played.breach.is_none()
}

fn many(first: u64, count: u64, print: &mut dyn FnMut(&str)) -> bool {
    let (mut rotations, mut points, mut runs, mut broken) = (0, 0, 0, 0_u64);
    let seeds: Vec<u64> = (first..first + count).collect();
    // In portions, so that what breaks is told soon.
    for portion in seeds.chunks(1000) {
        let played = on_every_core(portion, |seed| (*seed, play(&Scenario::random(*seed), false)));
        for (seed, played) in played {
            rotations += played.rotations;
            points += played.points.len();
            runs += played.runs;
            if let Some(breach) = played.breach {
                broken += 1;
                print(&format!("seed {seed} broke a promise: {breach}"));
            }
        }
    }
    print(&format!("{count} seeds, {rotations} rotations, {runs} runs, {points} I/O points, {broken} broken"));
    broken == 0
}

/// One digest of many stories: two builds that print the same tell the same.
fn stories(count: u64, print: &mut dyn FnMut(&str)) -> bool {
    let seeds: Vec<u64> = (0..count).collect();
    let tell = |seed: &u64| play(&Scenario::random(*seed), true).timeline;
    let twice = [on_every_core(&seeds, tell), on_every_core(&seeds, tell)];
    let differs = twice[0].iter().zip(&twice[1]).position(|(one, other)| one != other);
    if let Some(seed) = differs {
        print(&format!("seed {seed} tells two stories"));
        return false;
    }
    let lines: usize = twice[0].iter().map(Vec::len).sum();
    let digest = twice[0].iter().flatten().flat_map(|line| line.bytes().chain([b'\n'])).fold(FNV_OFFSET, fnv);
    print(&format!("{count} stories, told twice, {lines} lines: {digest:016x}"));
    true
}

/// Fowler, Noll and Vo's hash, 1a: no secret depends on it.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv(digest: u64, byte: u8) -> u64 {
    (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

fn each(print: &mut dyn FnMut(&str)) -> bool {
    let all = single_faults(1);
    for broken in &all.broken {
        print(&broken.to_string());
    }
    print(&format!(
        "{} worlds, {} I/O points, {} single events, {} broken",
        all.worlds,
        all.points,
        all.runs,
        all.broken.len()
    ));
    all.broken.is_empty()
}
