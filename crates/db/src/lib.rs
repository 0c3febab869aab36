//! The embedded database: inventory, journal, sealed secrets
