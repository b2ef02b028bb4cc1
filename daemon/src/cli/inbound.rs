//! `packetboat inbound`: mail that came by another way, settled as if it had come over the listener.

use super::client::Client;
use anyhow::{Context, anyhow};
use api_types::InboundOutcome;
use mta::inbound::{REPORT_MAX, WHOLE_MAX};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file that is read: an mbox of many mails.
const FILE_MAX: u64 = 512 * 1024 * 1024;

/// What to feed.
#[derive(clap::Args)]
pub(crate) struct InboundArgs {
    /// The address that the mails came to; without it those of their headers count.
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Option<String>,
    /// Files with one mail each (.eml), or many (mbox); `-` for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Feeds each file in turn and says what was done; `false` when a file could not be read or a mail not be fed. The others
/// are fed all the same.
pub(crate) async fn run(client: &Client, args: InboundArgs) -> anyhow::Result<bool> {
    let path = match &args.rcpt {
        Some(rcpt) => format!("/inbound?rcpt={}", urlencoded(rcpt)),
        None => "/inbound".to_owned(),
    };
    let mut all_good = true;
    for file in &args.files {
        let raw = match read(file) {
            Ok(raw) => raw,
            Err(error) => {
                eprintln!("{error:#}");
                all_good = false;
                continue;
            }
        };
        let mails = mails(&raw);
        let is_one = mails.len() == 1;
        for (number, mail) in mails.into_iter().enumerate() {
            let name = if is_one { file.display().to_string() } else { format!("{} #{}", file.display(), number + 1) };
            if let Some(why) = too_large(mail.len()) {
                eprintln!("{name}: {why}");
                all_good = false;
                continue;
            }
            match client.feed::<Vec<InboundOutcome>>(&path, mail).await {
                Ok(outcomes) => outcomes.iter().for_each(|outcome| println!("{name}: {}", line(outcome))),
                Err(error) => {
                    eprintln!("{name}: {error:#}");
                    all_good = false;
                }
            }
        }
    }
    Ok(all_good)
}

/// Why the daemon would not take a mail of so many bytes.
fn too_large(bytes: usize) -> Option<String> {
    let mib = 1024.0 * 1024.0;
    (bytes > REPORT_MAX).then(|| {
        format!(
            "has {:.1} MiB, and a mail may have {} MiB; feed its beginning (head -c {WHOLE_MAX} FILE | packetboat inbound -): \
             what a report says stands before the mail that it returns",
            bytes as f64 / mib,
            REPORT_MAX / 1024 / 1024
        )
    })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let too_large = |has: String| {
        anyhow!(
            "{name} has {has}, and a file may have {} MiB; split an mbox into several, and of one mail feed the beginning \
             (head -c {WHOLE_MAX} FILE | packetboat inbound -)",
            FILE_MAX / 1024 / 1024
        )
    };
    let mut raw = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(FILE_MAX + 1).read_to_end(&mut raw).context("cannot read standard input")?
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("cannot open {name}"))?;
        let bytes = opened.metadata().with_context(|| format!("cannot look at {name}"))?.len();
        if bytes > FILE_MAX {
            return Err(too_large(format!("{} MiB", bytes / 1024 / 1024)));
        }
        opened.take(FILE_MAX + 1).read_to_end(&mut raw).with_context(|| format!("cannot read {name}"))?
    };
    // Of a pipe nobody knows before.
    if read as u64 > FILE_MAX {
        return Err(too_large("more".to_owned()));
    }
    Ok(raw)
}

/// The mails of a file. An mbox begins with `From ` and has such a line before each mail, with an empty line before it;
/// lines of mails that begin so have `>` before them (RFC 4155).
fn mails(raw: &[u8]) -> Vec<Vec<u8>> {
    if !raw.starts_with(b"From ") {
        return vec![raw.to_vec()];
    }
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut was_empty = true;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if was_empty && line.starts_with(b"From ") {
            mails.push(Vec::new());
        } else if let Some(mail) = mails.last_mut() {
            let quoted = line.iter().position(|byte| *byte != b'>').unwrap_or(0);
            let is_quoted = quoted > 0 && line[quoted..].starts_with(b"From ");
            mail.extend_from_slice(if is_quoted { &line[1..] } else { line });
        }
        was_empty = line.trim_ascii().is_empty();
    }
    mails
}

fn line(outcome: &InboundOutcome) -> String {
    let to = if outcome.rcpt.is_empty() { "no address of ours" } else { &outcome.rcpt };
    let whom = outcome.recipient_id.map(|id| format!(", recipient {id}")).unwrap_or_default();
    let class = outcome.class.as_ref().map(|class| format!(" ({class})")).unwrap_or_default();
    let sign = if outcome.matched { "" } else { "not matched: " };
    format!("{} to {to} [{}]{whom}: {sign}{}{class}", outcome.sort, outcome.purpose, outcome.done)
}

/// RFC 3986 §2.1, for what may stand in a query unescaped everywhere.
fn urlencoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_of_a_file() {
        for (raw, expected) in [
            ("Subject: a\n\nFrom here on\n", vec!["Subject: a\n\nFrom here on\n"]),
            (
                "From x Mon\nSubject: a\n\n>From b\n>>From c\nbody\n\nFrom y Tue\nSubject: d\n\ne\n",
                vec!["Subject: a\n\nFrom b\n>From c\nbody\n\n", "Subject: d\n\ne\n"],
            ),
            ("From x Mon\nSubject: a\n\nb\nFrom within\n", vec!["Subject: a\n\nb\nFrom within\n"]),
            ("", vec![""]),
        ] {
            let found = mails(raw.as_bytes());
            let found: Vec<_> = found.iter().map(|mail| std::str::from_utf8(mail).unwrap()).collect();
            assert_eq!(found, expected, "{raw:?}");
        }
    }

    #[test]
    fn what_is_too_large_says_how_large() {
        assert_eq!(too_large(REPORT_MAX), None);
        let why = too_large(REPORT_MAX + 1024 * 1024).unwrap();
        assert!(
            why.starts_with("has 161.0 MiB, and a mail may have 160 MiB; feed its beginning (head -c 10485760 "),
            "{why}"
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("large");
        std::fs::File::create(&file).unwrap().set_len(FILE_MAX + 1024 * 1024).unwrap();
        let why = format!("{:#}", read(&file).unwrap_err());
        assert!(why.contains("large has 513 MiB, and a file may have 512 MiB; split"), "{why}");
        let why = format!("{:#}", read(&dir.path().join("none")).unwrap_err());
        assert!(why.starts_with("cannot open") && why.contains("none"), "{why}");
    }

    #[test]
    fn addresses_in_a_query() {
        assert_eq!(urlencoded("b-x+y@news.example"), "b-x%2By%40news.example");
    }
}
