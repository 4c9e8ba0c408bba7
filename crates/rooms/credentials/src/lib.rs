//! Identities, credentials, tenants and API tokens; CAP.
