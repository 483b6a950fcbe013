//! Handmade journals
