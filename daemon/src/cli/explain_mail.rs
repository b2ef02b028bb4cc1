//! `packetboat explain-mail`: what mails that came back say. Needs no daemon; without a good configuration the built-in
//! rules say what they mean.

use anyhow::Context;
use mta::shaping::Snapshot;
use std::io::Read;
use std::path::{Path, PathBuf};

/// So much of each mail is read; more is never looked at.
const READ_MAX: u64 = 16 * 1024 * 1024;

/// What to explain, and how.
#[derive(clap::Args)]
pub(super) struct ExplainMail {
    #[command(flatten)]
    config: super::ConfigFile,
    /// Prints one JSON object per file and line
    #[arg(long)]
    json: bool,
    /// The mails, each a file; without any, or as `-`, one from standard input
    files: Vec<PathBuf>,
}

/// Explains each file in turn. One that cannot be read does not keep the others from being explained.
pub(super) fn run(asked: &ExplainMail) -> anyhow::Result<bool> {
    let shaping = shaping(asked.config.file.as_deref());
    let input = [PathBuf::from("-")];
    let files = if asked.files.is_empty() { &input[..] } else { &asked.files[..] };
    let mut all_good = true;
    for file in files {
        match read(file) {
            Ok(raw) => print!("{}", explained(asked, &shaping, file, &raw)?),
            Err(error) => {
                eprintln!("packetboat: {error:#}");
                all_good = false;
            }
        }
    }
    Ok(all_good)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut raw = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(READ_MAX).read_to_end(&mut raw).context("cannot read standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        opened.take(READ_MAX).read_to_end(&mut raw).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(raw)
}

/// The rules in force; a configuration with mistakes must not keep anybody from reading a mail.
fn shaping(file: Option<&Path>) -> Snapshot {
    let config = super::check::load(file).unwrap_or_else(|problems| {
        eprintln!("packetboat: your own rules are not used, since the configuration cannot be: {problems}");
        config::Config::default()
    });
    Snapshot::compile(&config.smtp, &config.shaping).reading_by(config.rules())
}

fn explained(asked: &ExplainMail, shaping: &Snapshot, file: &Path, raw: &[u8]) -> anyhow::Result<String> {
    let rules = shaping.meaning();
    let mut report = bounce::parse_with(raw, rules);
    shaping.name_providers(&mut report);
    if asked.json {
        let mut line = serde_json::to_value(bounce::normal_form(&report, rules))?;
        line["file"] = file.display().to_string().into();
        return Ok(format!("{line}\n"));
    }
    let text = bounce::explain(&report, rules);
    let name = if asked.files.len() > 1 { format!("{}:\n", file.display()) } else { String::new() };
    Ok(format!("{name}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_file() {
        let asked = ExplainMail { config: super::super::ConfigFile { file: None }, json: true, files: vec![] };
        let shaping = Snapshot::compile(&config::SmtpSection::default(), &[]);
        let raw =
            b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\n<Ana@example.com>:\n550 5.1.1 no such user\n";
        let line = explained(&asked, &shaping, Path::new("a.eml"), raw).unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!((&read["file"], &read["events"][0]["recipient"]), (&"a.eml".into(), &"ana@example.com".into()));
        assert_eq!(
            (&read["events"][0]["class"], &read["events"][0]["status"]),
            (&"user_unknown".into(), &"5.1.1".into())
        );
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = read(Path::new("/nowhere/a.eml")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/a.eml"), "{error}");
    }
}
