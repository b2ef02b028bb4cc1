//! Contacts, imports, segments, templates, campaigns: who gets what and when; ends by queueing recipients.

pub mod unsubscribe;
