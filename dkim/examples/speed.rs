//! What a signature costs, measured alone: `cargo run --release -p dkim --example speed`.
//!
//! Prints microseconds for a message of 18 KiB: with an RSA-2048 key, with an Ed25519 key, with both, and what both share;
//! and what each of four messages costs whose RSA signatures are made together.

use dkim::{Key, Signer, SigningKey};
use mail::Domain;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: u32 = 3_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut message = b"From: News <news@example.com>\r\nTo: ana@example.net\r\nSubject: What is new\r\n\
        Date: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1.2.3@example.com>\r\n\r\n"
        .to_vec();
    while message.len() < 18 * 1024 {
        message
            .extend_from_slice(b"<p><a href=3D\"https://shop.example/offers/17\">Offer 17</a>: a plain sentence=\r\n");
    }
    let domain = Domain::parse("example.com")?;
    let (rsa, ed25519) = (Arc::new(Key::generate_rsa()?), Arc::new(Key::generate_ed25519()?));
    let named = |selector: &str, key: &Arc<Key>| SigningKey { selector: selector.to_owned(), key: key.clone() };
    let kinds = [
        ("RSA-2048", vec![named("r", &rsa)]),
        ("Ed25519", vec![named("e", &ed25519)]),
        ("both", vec![named("r", &rsa), named("e", &ed25519)]),
        ("eleven times Ed25519", (0..11).map(|_| named("e", &ed25519)).collect()),
    ];
    let mut each = Vec::new();
    for (name, keys) in kinds {
        let signer = Signer::new(&domain, keys)?;
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(signer.sign(black_box(&message), 1_700_000_000_000)?);
        }
        let micros = begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
        println!("{name}: {micros:.1} µs");
        each.push(micros);
    }
    let signer = Signer::new(&domain, [named("r", &rsa)])?;
    let begun = Instant::now();
    for _ in 0..ROUNDS / 4 {
        let unsigned = (0..4).map(|_| signer.prepare(black_box(&message), 1_700_000_000_000));
        let unsigned = unsigned.collect::<Result<Vec<_>, _>>()?;
        black_box(dkim::sign_all(&unsigned.iter().collect::<Vec<_>>()));
    }
    println!("RSA-2048, four together: {:.1} µs", begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
    let further = (each[3] - each[1]) / 10.0;
    println!("hashing and the headers, without any private key operation: {:.1} µs", each[1] - further);
    Ok(())
}
