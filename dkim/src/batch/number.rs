//! Numbers of 52-bit digits outside the vectors: reading, comparing, what a modulus needs, and the last product.
//!
//! No branch depends on a digit.

use super::kernel::DIGITS;

/// A number of up to 1040 bits, lowest digit first.
pub type Number = [u64; DIGITS];

/// Bits of a digit.
const BITS: usize = 52;
const MASK: u64 = (1 << BITS) - 1;

/// 1040 bits of a big-endian number, from the bit `from` on; there are zeros above its highest byte.
pub fn digits(bytes: &[u8], from: usize) -> Number {
    let byte = |index: usize| bytes.len().checked_sub(index + 1).map_or(0, |place| u64::from(bytes[place]));
    std::array::from_fn(|digit| {
        let bit = from + digit * BITS;
        let low = (0..8).map(|n| byte(bit / 8 + n) << (8 * n)).sum::<u64>();
        (low >> (bit % 8)) & MASK
    })
}

/// `a - b` and whether that is negative; then the digits are those of the sum with 2^1040.
fn difference(a: &Number, b: &Number) -> (Number, bool) {
    let mut borrow = 0;
    let digits = std::array::from_fn(|n| {
        let digit = a[n].wrapping_sub(b[n]).wrapping_sub(borrow);
        borrow = digit >> 63;
        digit & MASK
    });
    (digits, borrow == 1)
}

/// A number below two moduli, below one.
pub fn reduced(a: &Number, modulus: &Number) -> Number {
    let (less, is_negative) = difference(a, modulus);
    let keep = u64::from(is_negative).wrapping_neg();
    std::array::from_fn(|n| (a[n] & keep) | (less[n] & !keep))
}

/// `a + b` modulo 2^1040.
pub fn sum(a: &Number, b: &Number) -> Number {
    let mut carry = 0;
    std::array::from_fn(|n| {
        let digit = a[n] + b[n] + carry;
        carry = digit >> BITS;
        digit & MASK
    })
}

/// `a - b` modulo `modulus`, where both are below it.
pub fn modular_difference(a: &Number, b: &Number, modulus: &Number) -> Number {
    let (less, is_negative) = difference(a, b);
    let wanted = u64::from(is_negative).wrapping_neg();
    sum(&less, &modulus.map(|digit| digit & wanted))
}

/// The negative inverse of an odd digit, modulo 2^52: each step of Newton's doubles the right bits, of which an odd
/// number has three in itself.
pub fn negative_inverse(digit: u64) -> u64 {
    let mut inverse = digit;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(digit.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & MASK
}

/// 2^`exponent` modulo an odd number of 1024 bits.
pub fn power_of_two(exponent: usize, modulus: &Number) -> Number {
    // 2^1023 is below it.
    let mut power = [0; DIGITS];
    power[1023 / BITS] = 1 << (1023 % BITS);
    for _ in 1023..exponent {
        power = reduced(&sum(&power, &power), modulus);
    }
    power
}

/// `a · b + c` as 256 bytes, big-endian; it has to be below 2^2048.
pub fn product_and_sum(a: &Number, b: &Number, c: &Number) -> [u8; 256] {
    let mut bytes = [0; 256];
    // Bits that don't fill a byte yet, lowest first.
    let (mut bits, mut held, mut filled) = (0u64, 0, 0);
    let mut carry: u128 = 0;
    for column in 0..2 * DIGITS {
        carry += c.get(column).copied().map_or(0, u128::from);
        for n in column.saturating_sub(DIGITS - 1)..=column.min(DIGITS - 1) {
            carry += u128::from(a[n]) * u128::from(b[column - n]);
        }
        let digit = (carry as u64) & MASK;
        carry >>= BITS;
        bits |= digit << held;
        held += BITS;
        while held >= 8 && filled < bytes.len() {
            bytes[bytes.len() - 1 - filled] = bits as u8;
            (bits, held, filled) = (bits >> 8, held - 8, filled + 1);
        }
    }
    bytes
}
