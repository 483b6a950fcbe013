//! Bounded postcard encoding and decoding of users' types.
