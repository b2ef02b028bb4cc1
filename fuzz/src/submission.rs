//! Submission: commands, and content by DATA and BDAT.
#![allow(dead_code, reason = "a session uses the rest of these readers")]

#[path = "../../mta/src/submission/budget.rs"]
mod budget;
#[path = "../../mta/src/submission/command.rs"]
mod command;
#[path = "../../mta/src/smtp/wire.rs"]
mod sending;
#[path = "../../mta/src/submission/wire.rs"]
mod wire;

use crate::pieces::{Pieces, run};
use wire::{Gathering, Line, Wire};

const SIZE_MAX: usize = 4096;
const MEMORY: usize = 1024 * 1024;

/// A line is understood or refused, with a code that SMTP has.
pub fn commands(line: &[u8]) {
    if let Err((code, status, _)) = command::parse(line) {
        assert!((500..600).contains(&code) && status.starts_with("5."), "{code} {status}");
    }
}

/// Content and commands behind it are the same in pieces of any size.
pub fn content(bytes: &[u8]) {
    let Some((&[piece, chunk], bytes)) = bytes.split_first_chunk() else { return };
    let read = |size| run(read(Pieces { rest: bytes, size }, u64::from(chunk)));
    assert_eq!(read(usize::MAX), read(usize::from(piece).max(1)));
}

/// A chunk, a message up to its final dot, and lines: what each of them was.
async fn read(client: Pieces<'_>, chunk: u64) -> Vec<(String, Vec<u8>)> {
    let mut wire = Wire::new(client);
    let mut found = Vec::new();
    let mut counted = gathering();
    let whole = wire.counted(chunk, &mut counted).await.expect("memory cannot fail");
    found.push((format!("chunk {whole} {:?}", counted.trouble), counted.content));
    let mut dotted = gathering();
    let whole = wire.dotted(&mut dotted).await.expect("memory cannot fail");
    found.push((format!("message {whole} {:?}", dotted.trouble), dotted.content));
    loop {
        match wire.line().await.expect("memory cannot fail") {
            Line::Command(line) => found.push(("line".to_owned(), line.to_vec())),
            Line::Bad(why) => found.push((why.to_owned(), Vec::new())),
            Line::Closed => return found,
        }
    }
}

fn gathering() -> Gathering {
    Gathering::new(budget::Budget::new(MEMORY).reserve(), SIZE_MAX)
}

/// What our own sender writes, our own reader reads as it was.
pub fn dots(message: &[u8]) {
    let bare = |at: usize| message[at] == b'\n' && (at == 0 || message[at - 1] != b'\r');
    if message.len() > SIZE_MAX - 2 || (0..message.len()).any(bare) {
        return;
    }
    let mut sent = Vec::new();
    let end = sending::push_content(&mut sent, message);
    sent.extend_from_slice(b"QUIT\r\n");
    let mut wire = Wire::new(Pieces { rest: &sent, size: usize::MAX });
    let mut read = gathering();
    assert!(run(wire.dotted(&mut read)).expect("memory cannot fail"));
    let mut expected = message.to_vec();
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        expected.extend_from_slice(b"\r\n");
    }
    assert_eq!((read.content, end + 6), (expected, sent.len()));
    assert_eq!(run(wire.line()).expect("memory cannot fail"), Line::Command(b"QUIT"));
}
