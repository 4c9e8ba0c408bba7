//! Load generators: each prints its figure beside the physical limit.
