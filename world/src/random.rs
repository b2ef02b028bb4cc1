//! Randomness: jitter, weighted choice, tokens.

use rand::Rng;

/// Draws numbers. Seeded in tests.
pub trait Random: Send + Sync + 'static {
    /// A number in `0..below`; 0 when `below` is 0.
    fn below(&self, below: u64) -> u64;
    /// Fills `bytes`; fit for keys and tokens in the real form.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn below(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { rand::random_range(0..below) }
    }

    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
