//! Observe, plan, journal, perform, settle: the only caller of drivers
