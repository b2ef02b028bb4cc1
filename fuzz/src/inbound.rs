//! The return-path listener: its lines, its content, and the commands in between.
#![allow(dead_code, reason = "a session uses the rest of this reader")]

#[path = "../../mta/src/inbound/lines.rs"]
mod lines;

use crate::pieces::{Pieces, run};
use lines::{Content, Line, Reader};

const KEEP_MAX: usize = 512;
const MESSAGE_MAX: usize = 4096;

/// A session is the same in pieces of any size.
pub fn session(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let read = |size| run(read(Pieces { rest: bytes, size }));
    assert_eq!(read(usize::MAX), read(usize::from(*piece).max(1)));
}

/// Lines and, behind DATA, content.
async fn read(client: Pieces<'_>) -> Vec<String> {
    let mut reader = Reader::new(client);
    let mut found = Vec::new();
    loop {
        let line = match reader.line().await.expect("memory cannot fail") {
            Line::Command(line) => line,
            Line::Bad(why) => {
                found.push(why.to_owned());
                continue;
            }
            Line::Closed => return found,
        };
        let request = smtp_proto::Request::parse(&mut line.iter());
        found.push(format!("{line:?} {request:?}"));
        if matches!(request, Ok(smtp_proto::Request::Data)) {
            found.push(match reader.content(KEEP_MAX, MESSAGE_MAX).await.expect("memory cannot fail") {
                Content::Message(kept) => {
                    assert!(kept.len() <= KEEP_MAX);
                    format!("{kept:?}")
                }
                Content::TooLarge => "too large".to_owned(),
                Content::Closed => return found,
            });
        }
    }
}
