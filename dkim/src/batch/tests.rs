use super::*;
use crate::key::{Key, sign_alone};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use num_bigint::BigUint;
use proptest::prelude::*;

/// Lowest digit first, 52 bits each.
fn big(number: &Number) -> BigUint {
    number.iter().rev().fold(BigUint::ZERO, |sum, digit| (sum << 52) + digit)
}

fn number(value: &BigUint) -> Number {
    number::digits(&value.to_bytes_be(), 0)
}

fn r() -> BigUint {
    BigUint::from(1u8) << 1040
}

/// Odd numbers of 1024 bits, also those at both ends.
fn modulus() -> impl Strategy<Value = BigUint> {
    let any = prop::collection::vec(any::<u8>(), 128).prop_map(|mut bytes| {
        bytes[0] |= 0x80;
        bytes[127] |= 1;
        BigUint::from_bytes_be(&bytes)
    });
    let one = BigUint::from(1u8);
    prop_oneof![8 => any, 1 => Just((&one << 1024) - &one), 1 => Just((&one << 1023) + &one)]
}

/// Numbers below two moduli at most, also those at both ends.
fn factor() -> impl Strategy<Value = BigUint> {
    let any = prop::collection::vec(any::<u8>(), 128).prop_map(|bytes| BigUint::from_bytes_be(&bytes));
    let one = BigUint::from(1u8);
    prop_oneof![8 => any, 1 => Just(BigUint::ZERO), 1 => Just((&one << 1024) - &one)]
}

fn eight<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, LANES)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The kernel against a library of big integers.
    #[test]
    fn products_and_squares(moduli in eight(modulus()), a in eight(factor()), b in eight(factor())) {
        let Some(kernel) = Kernel::detect() else { return Ok(()) };
        let vector = |of: &[BigUint]| gather(|lane| number(&of[lane]));
        let inverse = std::array::from_fn(|lane| number::negative_inverse(number(&moduli[lane])[0]));
        let vectors = Moduli { modulus: vector(&moduli), inverse };
        let product = kernel.multiply(&vector(&a), &vector(&b), &vectors);
        let mut square = vector(&a);
        kernel.square(&mut square, &mut Kernel::doubled(), &vectors);
        let plain = kernel.multiply(&vector(&a), &vector(&a), &vectors);
        for lane in 0..LANES {
            let found = big(&product.lane(lane));
            prop_assert!(found < &moduli[lane] * 2u8);
            prop_assert_eq!(found * r() % &moduli[lane], &a[lane] * &b[lane] % &moduli[lane]);
            prop_assert_eq!(square.lane(lane), plain.lane(lane));
        }
    }

    #[test]
    fn numbers(modulus in modulus(), a in factor(), b in factor(), from in 0usize..2100) {
        let (m, one) = (number(&modulus), BigUint::from(1u8));
        let (a, b) = (a % &modulus, b % &modulus);
        let twice = big(&number::sum(&number(&a), &number(&b)));
        prop_assert_eq!(&twice, &(&a + &b));
        prop_assert_eq!(big(&number::reduced(&number(&twice), &m)), twice % &modulus);
        let apart = number::modular_difference(&number(&a), &number(&b), &m);
        prop_assert_eq!(big(&apart), (&a + &modulus - &b) % &modulus);
        prop_assert_eq!(big(&number::power_of_two(2080, &m)), (&one << 2080) % &modulus);
        let whole = number::product_and_sum(&number(&a), &number(&b), &number(&a));
        prop_assert_eq!(BigUint::from_bytes_be(&whole), &a * &b + &a);
        prop_assert_eq!(big(&number::digits(&whole, from)), (BigUint::from_bytes_be(&whole) >> from) % r());
    }

    #[test]
    fn inverses(digit in any::<u64>()) {
        let digit = (digit | 1) & ((1 << 52) - 1);
        prop_assert_eq!(digit.wrapping_mul(number::negative_inverse(digit)) & ((1 << 52) - 1), (1 << 52) - 1);
    }
}

#[test]
fn each_lane_selects_its_own_power() {
    let Some(kernel) = Kernel::detect() else { return };
    let number = |power: usize, lane: usize| std::array::from_fn(|digit| (power * 1000 + lane * 100 + digit) as u64);
    let powers = Powers(std::array::from_fn(|power| gather(|lane| number(power, lane))));
    for turn in 0..POWERS {
        let wanted = |lane: usize| (turn + 3 * lane) % POWERS;
        let mut selected = Numbers::small(7);
        kernel.select(&mut selected, &powers, &Exponents(std::array::from_fn(|lane| wanted(lane) as u64)));
        for lane in 0..LANES {
            assert_eq!(selected.lane(lane), number(wanted(lane), lane));
        }
    }
}

/// PKCS#1 v1.5 has one right signature of each message: that of the other library must come out, for each key of a batch.
#[test]
fn the_same_signatures_as_alone() {
    if Kernel::detect().is_none() {
        return;
    }
    let pairs: Vec<_> = (0..6).map(|_| KeyPair::generate(KeySize::Rsa2048).unwrap()).collect();
    let keys: Vec<_> = pairs.iter().map(|pair| Key::from_pkcs8(&pkcs8(pair)).unwrap()).collect();
    let parts: Vec<_> = keys.iter().map(|key| BatchKey::from_pkcs8(key.to_pkcs8()).unwrap()).collect();
    for round in 0..60usize {
        let texts: [String; BATCH] = std::array::from_fn(|n| format!("message {round}.{n}"));
        let hashes: [[u8; HASH]; BATCH] =
            std::array::from_fn(|n| digest(&SHA256, texts[n].as_bytes()).as_ref().try_into().unwrap());
        let key = |n: usize| (round * (n + 1)) % pairs.len();
        let signatures = sign(std::array::from_fn(|n| (&parts[key(n)], &hashes[n]))).unwrap();
        for n in 0..BATCH {
            assert_eq!(signatures[n][..], sign_alone(&pairs[key(n)], texts[n].as_bytes()).unwrap());
        }
    }
}

fn pkcs8(pair: &KeyPair) -> Vec<u8> {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    der.as_ref().to_vec()
}

/// What is no RSA key of 2 × 1024 bits signs alone.
#[test]
fn other_keys_are_left_alone() {
    for key in [Key::generate_ed25519().unwrap(), Key::from_pkcs8(&pkcs8(&KeyPair::generate(KeySize::Rsa3072).unwrap())).unwrap()] {
        assert!(BatchKey::from_pkcs8(key.to_pkcs8()).is_none());
        assert!(key.batches().is_none());
        assert!(key.sign(b"text").is_some());
    }
    assert!(BatchKey::from_pkcs8(b"nonsense").is_none());
}
