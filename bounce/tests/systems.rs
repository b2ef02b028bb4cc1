//! Reports in words as the systems in use write them, and mails that are none: `corpus/systems.txt`,
//! `corpus/more-systems.txt`, `corpus/further-systems.txt` and `corpus/unseen-systems.txt` beside what is understood of each.

use bounce::{Rules, normal_form, parse};
use expect_test::expect_file;
use std::fmt::Write as _;

fn understood(text: &str) -> (usize, String) {
    let mut out = String::new();
    let mut count = 0;
    for (name, raw) in text.split("== ").skip(1).filter_map(|sample| sample.split_once('\n')) {
        let form = normal_form(&parse(raw.as_bytes()), Rules::builtin());
        let id = form.orig_message_id.as_deref().unwrap_or("-");
        let _ = writeln!(out, "{name}: {} {id}", form.sort);
        for event in form.events {
            let recipient = event.recipient.as_deref().unwrap_or("-");
            let status = event.status.as_deref().unwrap_or("-");
            let class = event.class.unwrap_or("-");
            let _ = writeln!(out, "    {} {recipient} {} {class} {status}", event.action, event.kind);
        }
        count += 1;
    }
    (count, out)
}

#[test]
fn every_system_is_understood() {
    let (count, out) = understood(include_str!("../corpus/systems.txt"));
    assert!(count >= 55, "{count}");
    expect_file!["../corpus/systems.expect"].assert_eq(&out);
    let (count, out) = understood(include_str!("../corpus/more-systems.txt"));
    assert!(count >= 55, "{count}");
    expect_file!["../corpus/more-systems.expect"].assert_eq(&out);
    let (count, out) = understood(include_str!("../corpus/further-systems.txt"));
    assert!(count >= 30, "{count}");
    expect_file!["../corpus/further-systems.expect"].assert_eq(&out);
    let (count, out) = understood(include_str!("../corpus/unseen-systems.txt"));
    assert!(count >= 15, "{count}");
    expect_file!["../corpus/unseen-systems.expect"].assert_eq(&out);
}
