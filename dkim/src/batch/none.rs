//! Where there is no assembler for the machine: no key can sign in batches.

use crate::batches::{BATCH, HASH, SIGNATURE};

/// There is none.
pub enum BatchKey {}

impl BatchKey {
    /// Never.
    pub fn from_pkcs8(_der: &[u8]) -> Option<BatchKey> {
        None
    }
}

/// Never called: it needs a key.
pub fn sign(work: [(&BatchKey, &[u8; HASH]); BATCH]) -> Option<[[u8; SIGNATURE]; BATCH]> {
    match *work[0].0 {}
}
