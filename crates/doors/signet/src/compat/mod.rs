//! Drop-ins: this program in the place of one of the originals, started from the original's own file and environment
//! (`kaa.md` chapter 18). What they say becomes the settings and the form of one process; the rest of its life is `lifecycle`'s.

mod kaa_ccm;
mod keys;
mod nats_urls;
mod security;
mod source;
mod x509;
mod yaml;

pub(crate) use kaa_ccm::{DropIn, read as read_kaa_ccm};
pub(crate) use keys::KeyEntry;
#[cfg(test)]
pub(crate) use keys::{CcmKeys, WITHOUT_EFFECT, variable};
