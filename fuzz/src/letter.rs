//! Letters that programs hand in.

use mail::submission::{Defaults, prepare};

/// What was made whole once needs nothing more, and means the same.
pub fn normalized(raw: &[u8]) {
    let defaults = Defaults { id: "fuzz", date_ms: 1_767_603_600_000 };
    let Ok(once) = prepare(raw, &defaults) else { return };
    let twice = prepare(&once.content, &Defaults { id: "other", date_ms: 0 });
    let twice = twice.unwrap_or_else(|why| panic!("taken once, refused the second time: {why}"));
    assert_eq!(once.content, twice.content);
    assert_eq!((&once.header_id, &once.from, &once.subject), (&twice.header_id, &twice.from, &twice.subject));
}
