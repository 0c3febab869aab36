//! Policies and paths by chance, from a seed: few names, so that patterns meet.

use authority::access::Capability;

/// SplitMix64: the same numbers on every machine.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What OpenBao knows; Vault's own words are refused there.
pub(crate) const WORDS: [Capability; 9] = [
    Capability::Create,
    Capability::Read,
    Capability::Update,
    Capability::Patch,
    Capability::Delete,
    Capability::List,
    Capability::Scan,
    Capability::Sudo,
    Capability::Deny,
];

/// Mostly two or three segments, wild in every way that a server takes.
pub(crate) fn pattern(dice: &mut Dice) -> String {
    let mut segments = Vec::new();
    for _ in 0..1 + dice.below(4) {
        segments.push(dice.pick(&["m", "m", "a", "b", "ab", "+", "+", "", "x+", "+y", "a*b"]));
    }
    let mut pattern = segments.join("/");
    match dice.below(5) {
        0 | 1 => pattern.push('*'),
        2 => pattern.push_str("/*"),
        3 if dice.below(4) == 0 => pattern.insert(0, '/'),
        _ => {}
    }
    // Refused by servers.
    pattern.replace("+*", "+")
}

pub(crate) fn path(dice: &mut Dice) -> String {
    let mut segments = Vec::new();
    for _ in 0..1 + dice.below(4) {
        segments.push(dice.pick(&["m", "m", "m", "a", "a", "b", "ab", "abc", "", "+", "x+", "+y", "a*b"]));
    }
    let mut path = segments.join("/");
    if dice.below(5) == 0 {
        path.push('/');
    }
    path
}

/// A path that the pattern is likely to match.
pub(crate) fn path_like(dice: &mut Dice, pattern: &str) -> String {
    let segment = |segment: &str, dice: &mut Dice| match segment {
        "+" => (*dice.pick(&["m", "a", "b", "ab", ""])).to_owned(),
        other => other.to_owned(),
    };
    let segments: Vec<String> = pattern.split('/').map(|part| segment(part, dice)).collect();
    let path = segments.join("/");
    match path.strip_suffix('*') {
        Some(start) => format!("{start}{}", dice.pick(&["", "a", "b/", "bc/m", "/"])),
        None if dice.below(6) == 0 => format!("{path}/"),
        None => path,
    }
}

pub(crate) fn policy(dice: &mut Dice) -> String {
    let mut text = String::from("# by chance\n");
    for _ in 0..1 + dice.below(7) {
        let mut words = Vec::new();
        for _ in 0..dice.below(4) {
            // Deny is one in nine, or nearly nothing would be left.
            words.push(format!("\"{}\"", WORDS[dice.below(WORDS.len())]));
        }
        let keys = match dice.below(12) {
            0 => format!("policy = \"{}\"", dice.pick(&["read", "write", "sudo", "deny"])),
            1 => String::new(),
            _ => format!("capabilities = [{}]", words.join(", ")),
        };
        text.push_str(&format!("path \"{}\" {{ {keys} }}\n", pattern(dice)));
    }
    text
}
