//! What to do next for one credential: pure, total, without a clock
