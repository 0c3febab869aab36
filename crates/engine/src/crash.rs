//! Named points at which a test lets the process die, as a power cut would.

/// Ends the process when `KEYROTA_CRASH_AT` names this point: `step:moment`, for example `issue:effect`, or with a
/// number, `issue:effect:3`, the third time it is passed. Debug builds only: what is shipped cannot be told to die.
#[cfg(debug_assertions)]
pub(crate) fn point(step: &str, moment: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    static WANTED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let text = std::env::var("KEYROTA_CRASH_AT").ok()?;
        let mut words = text.split(':');
        let name = format!("{}:{}", words.next()?, words.next()?);
        Some((name, words.next().and_then(|count| count.parse().ok()).unwrap_or(1)))
    });
    static PASSED: AtomicU32 = AtomicU32::new(0);

    let Some((name, count)) = &*WANTED else { return };
    if *name == format!("{step}:{moment}") && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn point(_step: &str, _moment: &str) {}
