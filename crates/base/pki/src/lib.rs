//! Certificates: the self-signed CA and server leaf of a data directory, PEM.
