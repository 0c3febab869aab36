//! The API platforms that mint credentials, one folder each
