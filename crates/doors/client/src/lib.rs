//! Typed client of Signet's REST API.
