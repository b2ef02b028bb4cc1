//! The example file and the reference page, made from the declarations.

use crate::bounce_rule::BounceRuleEntry;
use crate::declare::{Declared, Section};
use crate::sections::{
    DnsSection, DomainsSection, HttpSection, LogSection, PoolEntry, ServerSection, SmtpSection, SourceEntry,
    StorageSection, StreamEntry,
};
use crate::sections::{
    HealthSection, MailboxEntry, NoticeSection, ReportsSection, ReputationSection, RouteEntry, SuppressionSection,
    WebhookSection,
};
use crate::shaping::ShapingEntry;
use crate::submission::SubmissionSection;
use crate::warmup::WarmupPlanEntry;
use std::fmt::Write;

/// How often a section may stand in the file.
#[derive(Clone, Copy, PartialEq)]
enum Times {
    Once,
    Many,
}

/// A section as data.
struct Entry {
    key: &'static str,
    doc: &'static [&'static str],
    settings: &'static [Declared],
    times: Times,
}

fn entry<S: Section>(times: Times) -> Entry {
    Entry { key: S::KEY, doc: S::DOC, settings: S::settings(), times }
}

/// All sections in reading order.
fn entries() -> [Entry; 22] {
    [
        entry::<ServerSection>(Times::Once),
        entry::<StorageSection>(Times::Once),
        entry::<HttpSection>(Times::Once),
        entry::<SmtpSection>(Times::Once),
        entry::<SubmissionSection>(Times::Once),
        entry::<SourceEntry>(Times::Many),
        entry::<PoolEntry>(Times::Many),
        entry::<WarmupPlanEntry>(Times::Many),
        entry::<StreamEntry>(Times::Many),
        entry::<DomainsSection>(Times::Once),
        entry::<RouteEntry>(Times::Many),
        entry::<MailboxEntry>(Times::Many),
        entry::<NoticeSection>(Times::Once),
        entry::<HealthSection>(Times::Once),
        entry::<SuppressionSection>(Times::Once),
        entry::<WebhookSection>(Times::Once),
        entry::<ReportsSection>(Times::Once),
        entry::<ReputationSection>(Times::Once),
        entry::<ShapingEntry>(Times::Many),
        entry::<BounceRuleEntry>(Times::Many),
        entry::<DnsSection>(Times::Once),
        entry::<LogSection>(Times::Once),
    ]
}

/// The commented example file: what is shipped as `/etc/packetboat/packetboat.toml`. Every setting is there with its
/// default, commented out, so that an upgrade's new defaults reach whoever didn't choose a value.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# Packetboat's configuration. Every value is optional; what is commented out shows the default.\n\
         # `packetboat check` names the line and the reason of every mistake in this file.\n\
         # Durations: \"90s\", \"5m\", \"1h30m\", \"2d\".\n",
    );
    for section in entries() {
        let _ = writeln!(out, "\n# {}", "-".repeat(100));
        for line in wrapped(section.doc, 110) {
            let _ = writeln!(out, "# {line}");
        }
        match section.times {
            Times::Once => writeln!(out, "[{}]", section.key),
            Times::Many => writeln!(out, "#[[{}]]", section.key),
        }
        .unwrap_or_default();
        for declared in section.settings {
            out.push('\n');
            for line in wrapped(declared.doc, 110) {
                let _ = writeln!(out, "# {line}");
            }
            if let Some([low, high]) = declared.bounds {
                let _ = writeln!(out, "# From {} to {}.", low.trim_matches('"'), high.trim_matches('"'));
            }
            // A space after the # tells a sample that is not the default from a default.
            let (lead, value) = match (declared.default_text(), declared.sample) {
                (Some(default), _) => ("#", default),
                (None, sample) if section.times == Times::Many => ("#", sample.unwrap_or("\"\"")),
                (None, sample) => ("# Example: ", sample.unwrap_or("\"\"")),
            };
            let _ = writeln!(out, "{lead}{} = {}", declared.name, toml_text(value));
        }
    }
    out
}

/// The reference page, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Made by `packetboat config reference` from the declarations in config/src/sections.rs. -->\n\n\
         The daemon reads one file, `/etc/packetboat/packetboat.toml` unless told otherwise. Every value is optional.\n\
         Unknown keys are errors. `packetboat check [FILE]` prints every mistake at once, with line, column and what\n\
         is allowed. `packetboat config example` prints the file with all defaults.\n\n\
         Secrets never need to stand in the file: a setting that ends in `_file` names a file; else the systemd\n\
         credential of that name is read, else the environment variable `PACKETBOAT_<NAME>`.\n",
    );
    for section in entries() {
        let title = match section.times {
            Times::Once => format!("[{}]", section.key),
            Times::Many => format!("[[{}]]", section.key),
        };
        let _ = writeln!(out, "\n## `{title}`\n\n{}\n", sentence(section.doc));
        out.push_str("| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n");
        for declared in section.settings {
            let default = match (declared.default, declared.default_text()) {
                (_, Some(text)) => format!("`{}`", toml_text(text)),
                ("required", None) => "required".to_owned(),
                _ => "unset".to_owned(),
            };
            let (allowed, doc) = (cell(&declared.allowed()), cell(&sentence(declared.doc)));
            let _ = writeln!(out, "| `{}` | {default} | {allowed} | {doc} |", declared.name);
        }
    }
    out
}

/// `stringify!` may put spaces and line ends where nobody would write them.
fn toml_text(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace("[ ", "[").replace(" ]", "]").replace(" ,", ",").replace("[{", "[{ ").replace("{  ", "{ ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Doc lines as one line of sentences.
fn sentence(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn wrapped(lines: &[&str], width: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut line = String::new();
    for word in sentence(lines).split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            out.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push(line);
    out
}
