//! Four RSA-2048 signatures at the price of two and a half.
//!
//! A signature is a power modulo each of the key's two primes (RFC 8017 §5.1.2, by the Chinese remainder theorem). The
//! vector registers hold eight numbers, so that four signatures are made at once, each by its own key. This only makes
//! signatures faster: the keys are those of `aws-lc`, which makes what is not worth a batch, and without whose consent no
//! signature of a batch goes out. See `docs/decisions/0030-signatures-in-batches.md`.

mod kernel;
mod number;
#[cfg(test)]
mod tests;

use crate::batches::{BATCH, HASH, SIGNATURE};
use kernel::{Exponents, Kernel, LANES, Moduli, Numbers, POWERS, Powers};
use number::Number;
use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Windows of four bits in an exponent.
const WINDOWS: usize = 1024 / 4;

/// What comes before the hash: the padding of RFC 8017 §9.2 for 256 bytes, and the name of SHA-256.
const NAME: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];

/// One of the two primes of a key, with what belongs to it.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Prime {
    modulus: Number,
    /// R² and R³ modulo the prime.
    squared: Number,
    cubed: Number,
    /// The private exponent modulo the prime less one; 128 bytes, big-endian.
    exponent: Vec<u8>,
}

/// An RSA-2048 key, taken apart.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct BatchKey {
    p: Prime,
    q: Prime,
    /// The inverse of q modulo p.
    coefficient: Number,
}

impl Prime {
    /// `None` unless it has exactly 1024 bits.
    fn new(prime: &[u8], exponent: &[u8]) -> Option<Prime> {
        let has_size = prime.len() == 128 && prime[0] >= 0x80 && prime[127] & 1 == 1 && exponent.len() <= 128;
        has_size.then(|| {
            let modulus = number::digits(prime, 0);
            let mut padded = vec![0; 128 - exponent.len()];
            padded.extend_from_slice(exponent);
            Prime {
                squared: number::power_of_two(2 * 1040, &modulus),
                cubed: number::power_of_two(3 * 1040, &modulus),
                modulus,
                exponent: padded,
            }
        })
    }

    /// Four bits of the exponent, counted from its highest.
    fn window(&self, window: usize) -> u64 {
        let byte = self.exponent[window / 2];
        u64::from(if window.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }
}

impl BatchKey {
    /// Takes a private key in PKCS#8 DER apart. `None` if this machine cannot sign in batches, or the key is not of two
    /// primes of 1024 bits.
    pub fn from_pkcs8(der: &[u8]) -> Option<BatchKey> {
        Kernel::detect()?;
        let info = PrivateKeyInfoRef::try_from(der).ok()?;
        let key = RsaPrivateKeyRef::try_from(info.private_key.as_bytes()).ok()?;
        if key.modulus.as_bytes().len() != SIGNATURE || key.other_prime_infos.is_some() {
            return None;
        }
        let coefficient = key.coefficient.as_bytes();
        (coefficient.len() <= 128).then_some(())?;
        Some(BatchKey {
            p: Prime::new(key.prime1.as_bytes(), key.exponent1.as_bytes())?,
            q: Prime::new(key.prime2.as_bytes(), key.exponent2.as_bytes())?,
            coefficient: number::digits(coefficient, 0),
        })
    }
}

/// Signs four hashes with a key each (RSASSA-PKCS1-v1_5 with SHA-256). `None` on a machine that cannot.
///
/// What comes back has to be verified before it leaves: half a wrong signature tells the key.
pub fn sign(work: [(&BatchKey, &[u8; HASH]); BATCH]) -> Option<[[u8; SIGNATURE]; BATCH]> {
    let kernel = Kernel::detect()?;
    let primes = lanes(&work);
    let messages = work.map(|(_, hash)| padded(hash));
    let moduli = Zeroizing::new(moduli(&primes));
    let powers = Zeroizing::new(powers(kernel, &primes, &messages, &moduli));
    let roots = Zeroizing::new(raise(kernel, &primes, &powers, &moduli));
    Some(recombine(kernel, &work, &roots, &moduli))
}

/// Whose prime is in which lane: those called p in the lower half, those called q in the upper.
fn lanes<'a>(work: &[(&'a BatchKey, &[u8; HASH]); BATCH]) -> [&'a Prime; LANES] {
    std::array::from_fn(|lane| {
        let (key, _) = work[lane % BATCH];
        if lane < BATCH { &key.p } else { &key.q }
    })
}

fn padded(hash: &[u8; HASH]) -> [u8; SIGNATURE] {
    let mut message = [0xff; SIGNATURE];
    let name = SIGNATURE - HASH - NAME.len();
    (message[0], message[1], message[name - 1]) = (0, 1, 0);
    message[name..name + NAME.len()].copy_from_slice(&NAME);
    message[SIGNATURE - HASH..].copy_from_slice(hash);
    message
}

fn moduli(primes: &[&Prime; LANES]) -> Moduli {
    let inverse = primes.map(|prime| number::negative_inverse(prime.modulus[0]));
    Moduli { modulus: gather(|lane| primes[lane].modulus), inverse }
}

fn gather(number: impl Fn(usize) -> Number) -> Numbers {
    let mut numbers = Numbers::small(0);
    for lane in 0..LANES {
        numbers.put(lane, &number(lane));
    }
    numbers
}

/// The powers of each message modulo each prime, times R as Montgomery wants it.
fn powers(
    kernel: Kernel,
    primes: &[&Prime; LANES],
    messages: &[[u8; SIGNATURE]; BATCH],
    moduli: &Moduli,
) -> Powers {
    let squared = Zeroizing::new(gather(|lane| primes[lane].squared));
    let cubed = Zeroizing::new(gather(|lane| primes[lane].cubed));
    // The message is low + high · R; so low · R² / R + high · R³ / R is the message times R.
    let part = |from, factor: &Numbers| {
        let part = gather(|lane| number::digits(&messages[lane % BATCH], from));
        Zeroizing::new(kernel.multiply(&part, factor, moduli))
    };
    let (low, high) = (part(0, &squared), part(1040, &cubed));
    let message = Zeroizing::new(gather(|lane| number::sum(&low.lane(lane), &high.lane(lane))));
    let mut powers = Powers(std::array::from_fn(|_| Numbers::small(0)));
    powers.0[0] = kernel.multiply(&Numbers::small(1), &squared, moduli);
    for exponent in 1..POWERS {
        powers.0[exponent] = powers.0[exponent - 1].clone();
        kernel.multiply_by(&mut powers.0[exponent], &message, moduli);
    }
    powers
}

/// The message to the power of each exponent, modulo each prime, below it.
fn raise(kernel: Kernel, primes: &[&Prime; LANES], powers: &Powers, moduli: &Moduli) -> Numbers {
    let mut wanted = Zeroizing::new(Exponents([0; LANES]));
    let mut room = Zeroizing::new(Kernel::doubled());
    let mut factor = Zeroizing::new(Numbers::small(0));
    // The zeroth power, which is one.
    let mut power = Zeroizing::new(powers.0[0].clone());
    for window in 0..WINDOWS {
        for _ in 0..4 {
            kernel.square(&mut power, &mut room, moduli);
        }
        wanted.0 = primes.map(|prime| prime.window(window));
        kernel.select(&mut factor, powers, &wanted);
        kernel.multiply_by(&mut power, &factor, moduli);
    }
    kernel.multiply_by(&mut power, &Numbers::small(1), moduli);
    gather(|lane| number::reduced(&power.lane(lane), &primes[lane].modulus))
}

/// From the roots modulo the primes to those modulo their products (RFC 8017 §5.1.2, step 2 b).
fn recombine(
    kernel: Kernel,
    work: &[(&BatchKey, &[u8; HASH]); BATCH],
    roots: &Numbers,
    moduli: &Moduli,
) -> [[u8; SIGNATURE]; BATCH] {
    // q is below two p, as both have their highest bit.
    let apart = |lane: usize| {
        let p = &work[lane % BATCH].0.p.modulus;
        let of_q = number::reduced(&roots.lane(lane % BATCH + BATCH), p);
        number::modular_difference(&roots.lane(lane % BATCH), &of_q, p)
    };
    let mut factor = Zeroizing::new(gather(apart));
    let squared = Zeroizing::new(gather(|lane| work[lane % BATCH].0.p.squared));
    let coefficient = Zeroizing::new(gather(|lane| work[lane % BATCH].0.coefficient));
    // Only the lower half means something: the upper is reduced by the other primes.
    kernel.multiply_by(&mut factor, &squared, moduli);
    kernel.multiply_by(&mut factor, &coefficient, moduli);
    std::array::from_fn(|n| {
        let key = work[n].0;
        let factor = Zeroizing::new(number::reduced(&factor.lane(n), &key.p.modulus));
        number::product_and_sum(&factor, &key.q.modulus, &roots.lane(n + BATCH))
    })
}
