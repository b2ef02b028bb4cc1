//! Reports from real servers (Postfix, Exim, Sendmail answering a scripted sink) and some that are broken on purpose:
//! each `corpus/*.eml` beside what is read from it. A misread report begins as a new pair.

use bounce::{Report, Rules, parse};
use expect_test::expect_file;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files
}

fn print(report: &Report) -> String {
    let mut out = String::new();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    let _ = writeln!(out, "message-id {}", text(&report.original_message_id));
    let _ = writeln!(out, "reporting {}, arrival {}", text(&report.reporting_mta), number(report.arrival_ms));
    for recipient in &report.recipients {
        let _ = writeln!(
            out,
            "{:?} {} (original {})",
            recipient.action,
            text(&recipient.final_recipient),
            text(&recipient.original_recipient)
        );
        let status = recipient.status.map_or("-".to_owned(), |status| status.to_string());
        let last = number(recipient.last_attempt_ms);
        let _ = writeln!(out, "    status {status}, remote {}, last attempt {last}", text(&recipient.remote_mta));
        let _ = writeln!(out, "    diagnostic {}", text(&recipient.diagnostic));
        let _ = writeln!(out, "    reply {}", recipient.reply().map_or("-".to_owned(), |reply| reply.to_string()));
        let meaning = recipient
            .classify(Rules::builtin())
            .map_or("-".to_owned(), |found| format!("{} {} by {}", found.class, found.kind.as_str(), found.rule));
        let _ = writeln!(out, "    means {meaning}");
    }
    for complaint in &report.complaints {
        let _ = writeln!(out, "complaint: {complaint}");
    }
    out
}

#[test]
fn corpus_is_read_as_expected() {
    let files = corpus();
    assert!(files.len() >= 16);
    for file in files {
        let report = parse(&std::fs::read(&file).unwrap());
        expect_file![file.with_extension("expect")].assert_eq(&print(&report));
    }
}

/// Everything that reads a report, so that none of it panics.
fn read_all(raw: &[u8]) {
    let report = parse(raw);
    report.recipients.iter().map(|recipient| recipient.classify(Rules::builtin())).for_each(drop);
}

proptest! {
    #[test]
    fn no_bytes_panic(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&raw);
    }

    #[test]
    fn no_delivery_status_panics(fields in "(Final-Recipient|Action|Status|Diagnostic-Code|Arrival-Date|x)?[:;]?[ -~\u{e9}\r\n\t]{0,200}") {
        let head = "Content-Type: message/delivery-status\r\n\r\n";
        read_all(format!("{head}{fields}").as_bytes());
    }

    #[test]
    fn no_mutation_panics(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..60_usize, prop::collection::vec(any::<u8>(), 0..8)), 1..6),
    ) {
        let files = corpus();
        let mut raw = std::fs::read(&files[which.index(files.len())]).unwrap();
        for (at, length, bytes) in cuts {
            if raw.is_empty() {
                break;
            }
            let at = at.index(raw.len());
            let end = (at + length).min(raw.len());
            raw.splice(at..end, bytes);
        }
        read_all(&raw);
    }
}
