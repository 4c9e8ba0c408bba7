//! Listeners: bind first, serve later, drain at the end.

/// The body did not arrive in time; travels as a body error.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
pub(crate) struct BodyTooSlow;

impl BodyTooSlow {
    /// Whether `error` was caused by a slow body.
    pub(crate) fn caused(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}
