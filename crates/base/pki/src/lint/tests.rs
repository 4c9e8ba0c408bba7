//! One certificate for each rule.
