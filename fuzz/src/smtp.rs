//! The client's side: replies of servers.
#![allow(dead_code, reason = "a session uses the rest of this reader")]

#[path = "../../mta/src/smtp/reply.rs"]
mod reply;

use reply::Replies;

/// Replies are the same, and end at the same place, whether their bytes come at once or one by one.
pub fn replies(bytes: &[u8]) {
    assert_eq!(read(&[bytes]), read(&bytes.chunks(1).collect::<Vec<_>>()));
}

fn read(pieces: &[&[u8]]) -> Vec<Result<String, ()>> {
    let mut replies = Replies::default();
    let mut found = Vec::new();
    for piece in pieces {
        replies.buffer().extend_from_slice(piece);
        loop {
            match replies.next() {
                Ok(Some(reply)) => found.push(Ok(reply.to_string())),
                Ok(None) => break,
                // The session ends here. Over the bound it may end earlier where bytes come at once.
                Err(_) => {
                    found.push(Err(()));
                    return found;
                }
            }
        }
    }
    found
}
