//! How well `bounce` reads: its answers to a folder of mail with expected answers, in figures, beside those of other
//! readers. The folder stays outside; what is written into `docs/bounces.md` is percentages and counts.

use anyhow::{Context, Result};
use bounce::{NormalForm, Rules, Sort};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is asked of the score.
#[derive(clap::Args)]
pub struct Options {
    /// The folder of mail with expected answers
    folder: PathBuf,
    /// Writes the answers there too, one object per line
    #[arg(long)]
    answers: Option<PathBuf>,
    /// Prints what was missed in this figure (recipients, action, permanence, status, class, coarse, replies ...)
    #[arg(long)]
    show: Option<String>,
}

/// Right answers of all.
#[derive(Clone, Copy, Default)]
struct Figure {
    right: u32,
    of: u32,
}

/// The figures by name, and what was missed.
struct Score {
    figures: BTreeMap<&'static str, Figure>,
    show: Option<String>,
}

impl Score {
    fn count(&mut self, name: &'static str, right: bool, what: impl Fn() -> String) {
        let figure = self.figures.entry(name).or_default();
        figure.of += 1;
        figure.right += u32::from(right);
        if !right && self.show.as_deref() == Some(name) {
            println!("{name}: {}", what());
        }
    }
}

/// A line of `expected/*.jsonl` about mail.
#[derive(Deserialize)]
struct Row {
    file: String,
    expect: Expect,
    #[serde(default)]
    truth: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Expect {
    report: Option<String>,
    recipients: Option<Vec<String>>,
    #[serde(default)]
    events: Vec<Wanted>,
    orig_message_id: Option<String>,
    #[serde(default)]
    accept: Option<BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize)]
struct Wanted {
    recipient: Option<String>,
    #[serde(default)]
    accept: Option<Vec<String>>,
    action: Option<String>,
    permanence: Option<String>,
    status: Option<String>,
    #[serde(default)]
    status_accept: Option<Vec<String>>,
    class: Option<String>,
    diag: Option<String>,
}

/// Reads everything, prints the figures and writes them into the document.
pub fn score(root: &Path, options: &Options) -> Result<()> {
    let mut score = Score { figures: BTreeMap::new(), show: options.show.clone() };
    let mut times = Vec::new();
    let mut answers = String::new();
    for corpus in ["sisimai", "flufl", "kumo", "farm"] {
        for row in rows::<Row>(&options.folder.join("expected").join(format!("{corpus}.jsonl")))? {
            let answer = read(&options.folder.join(&row.file), &mut times)?;
            writeln!(answers, "{}", line(&row.file, &answer)?)?;
            of_mail(&mut score, &row, &answer);
        }
    }
    ordinary(&mut score, &options.folder, &mut times, &mut answers)?;
    replies(&mut score, &options.folder)?;
    figures(&mut score, &options.folder)?;
    if let Some(path) = &options.answers {
        std::fs::write(path, answers).with_context(|| format!("cannot write {}", path.display()))?;
    }
    times.sort_unstable();
    let table = table(&score, &times);
    println!("{table}");
    document(root, &table)
}

fn rows<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("in {}", path.display()))).collect()
}

fn read(path: &Path, times: &mut Vec<Duration>) -> Result<NormalForm> {
    let raw = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let begun = Instant::now();
    let report = bounce::parse(&raw);
    let answer = bounce::normal_form(&report, Rules::builtin());
    times.push(begun.elapsed());
    Ok(answer)
}

fn line(file: &str, answer: &NormalForm) -> Result<Value> {
    let mut line = serde_json::to_value(answer)?;
    line["file"] = json!(file);
    Ok(line)
}

/// The coarse class that a class belongs to; `None` where a class is too vague to be counted.
fn coarse(class: &str) -> Option<&'static str> {
    let groups = [
        ("address", "user_unknown moved"),
        ("domain", "host_unknown not_accept"),
        ("full", "mailbox_full"),
        ("disabled", "mailbox_disabled"),
        (
            "block",
            "spam reputation policy auth_failure ptr sender_rejected rfc_noncompliant virus content relay security",
        ),
        ("rate", "rate_limit greylist"),
        ("size", "too_big"),
        ("infra", "network expired system mailer tls syntax"),
    ];
    groups.iter().find(|(_, words)| words.split(' ').any(|word| word == class)).map(|(group, _)| *group)
}

/// Truth that somebody vouches for: asserted by the corpus, written in the mail, or read by a person.
fn vouched(row: &Row, name: &str) -> bool {
    row.truth
        .get(name)
        .and_then(Value::as_str)
        .is_some_and(|from| ["corpus", "field", "header", "read"].contains(&from))
}

fn is_quiet(action: &str) -> bool {
    ["vacation", "feedback", "delivered", "relayed", "expanded"].contains(&action)
}

fn of_mail(score: &mut Score, row: &Row, answer: &NormalForm) {
    let report = row.expect.report.as_deref().unwrap_or("");
    if ["bounce", "delay", "delivered", "feedback", "mixed"].contains(&report) {
        score.count("recognised", !answer.events.is_empty(), || row.file.clone());
    }
    if ["none", "vacation"].contains(&report) {
        no_false_alarm(score, &row.file, answer);
    }
    if !["none", "vacation", "feedback"].contains(&report) && vouched(row, "recipients") {
        recipients(score, row, answer);
    }
    if vouched(row, "events") {
        row.expect.events.iter().for_each(|wanted| of_event(score, row, wanted, answer));
    }
    if let Some(wanted) = &row.expect.orig_message_id
        && row.truth.contains_key("orig_message_id")
    {
        let bare = |id: &str| id.trim().trim_matches(['<', '>']).to_lowercase();
        let got = answer.orig_message_id.as_deref().map(bare).unwrap_or_default();
        score.count("original_id", got == bare(wanted), || format!("{} want {wanted} got {got}", row.file));
    }
}

fn no_false_alarm(score: &mut Score, file: &str, answer: &NormalForm) {
    let alarm = answer.events.iter().find(|event| !is_quiet(event.action) && event.recipient.is_some());
    score.count("ordinary", alarm.is_none(), || format!("{file} {alarm:?}"));
}

fn recipients(score: &mut Score, row: &Row, answer: &NormalForm) {
    let Some(wanted) = &row.expect.recipients else { return };
    let alias = |got: &str| {
        let accept = row.expect.accept.iter().flatten();
        accept.into_iter().find(|(_, others)| others.iter().any(|other| other == got)).map(|(name, _)| name.clone())
    };
    let got: BTreeSet<String> = answer
        .events
        .iter()
        .filter_map(|event| event.recipient.as_deref())
        .filter(|got| got.split('@').filter(|part| !part.is_empty()).count() == 2 && !got.contains(['<', '>', ' ']))
        .map(|got| {
            if wanted.iter().any(|w| w == got) { got.to_owned() } else { alias(got).unwrap_or_else(|| got.to_owned()) }
        })
        .collect();
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    score.count("recipients", got == wanted, || format!("{} want {wanted:?} got {got:?}", row.file));
}

fn of_event(score: &mut Score, row: &Row, wanted: &Wanted, answer: &NormalForm) {
    let named = |event: &&bounce::Event| {
        event.recipient.as_ref().is_some_and(|got| {
            wanted.recipient.as_ref() == Some(got) || wanted.accept.iter().flatten().any(|other| other == got)
        })
    };
    let only = (answer.events.len() == 1 && row.expect.events.len() == 1).then(|| answer.events.first()).flatten();
    let got = answer.events.iter().find(named).or(only);
    let about = |want: &str, got: Option<&str>| format!("{} want {want} got {}", row.file, got.unwrap_or("-"));
    let action = wanted.action.as_deref();
    if let Some(want @ ("failed" | "delayed")) = action {
        let got = got.map(|got| got.action);
        score.count("action", got == Some(want), || about(want, got));
    }
    if let Some(want) = &wanted.permanence
        && matches!(action, Some("failed") | None)
    {
        let got = got.and_then(|got| got.permanence);
        score.count("permanence", got == Some(want), || about(want, got));
    }
    let accepted = wanted
        .status_accept
        .clone()
        .filter(|list| !list.is_empty())
        .unwrap_or_else(|| wanted.status.iter().cloned().collect());
    if !accepted.is_empty() {
        let got = got.and_then(|got| got.status.as_deref());
        score.count("status", got.is_some_and(|got| accepted.iter().any(|a| a == got)), || {
            about(&accepted.join("|"), got)
        });
    }
    if let Some(want) = &wanted.class
        && let Some(group) = coarse(want)
    {
        let got = got.and_then(|got| got.class);
        let diag = wanted.diag.clone().unwrap_or_default();
        score.count("class", got == Some(want), || format!("{} | {diag:.120}", about(want, got)));
        score.count("coarse", got.and_then(coarse) == Some(group), || format!("{} | {diag:.160}", about(want, got)));
    }
    if action == Some("feedback") {
        score.count("feedback", answer.events.iter().any(|event| event.action == "feedback"), || row.file.clone());
    }
}

/// Ordinary mail and what breaks parsers: nothing may be read out of them.
fn ordinary(score: &mut Score, folder: &Path, times: &mut Vec<Duration>, answers: &mut String) -> Result<()> {
    for name in ["negatives", "malformed"] {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder.join(name))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        for file in files {
            let answer = read(&file, times)?;
            let shown = format!("{name}/{}", file.file_name().unwrap_or_default().to_string_lossy());
            writeln!(answers, "{}", line(&shown, &answer)?)?;
            if name == "negatives" {
                no_false_alarm(score, &shown, &answer);
            }
        }
    }
    Ok(())
}

/// Full texts of replies with their classes.
fn replies(score: &mut Score, folder: &Path) -> Result<()> {
    for row in rows::<Value>(&folder.join("replies.jsonl"))? {
        let (Some(text), Some(want)) = (row["text"].as_str(), row["class"].as_str()) else { continue };
        let Some(group) = coarse(want) else { continue };
        let got = bounce::class_of_text(text, Rules::builtin());
        score.count("replies", coarse(got) == Some(group), || format!("want {want} got {got} | {text:.200}"));
        score.count("replies_class", got == want, || format!("want {want} got {got} | {text:.200}"));
    }
    Ok(())
}

/// Complaints, DMARC and TLS reports.
fn figures(score: &mut Score, folder: &Path) -> Result<()> {
    for row in rows::<Value>(&folder.join("expected/arf.jsonl"))? {
        let file = row["file"].as_str().unwrap_or("");
        let report = bounce::parse(&std::fs::read(folder.join(file))?);
        let right = report.sort == Sort::Feedback;
        score.count("complaints", right, || format!("{file} {:?}", report.sort));
    }
    for row in rows::<Value>(&folder.join("expected/dmarc.jsonl"))? {
        let file = row["file"].as_str().unwrap_or("");
        let report = bounce::parse(&std::fs::read(folder.join(file))?);
        match row["kind"].as_str() {
            Some("aggregate") => {
                let got = report.dmarc.as_ref().map(|dmarc| {
                    json!([
                        [dmarc.organization, dmarc.report_id, dmarc.domain],
                        dmarc.rows.len(),
                        dmarc.rows.iter().map(|row| row.messages).sum::<u64>()
                    ])
                });
                let want = json!([[row["org"], row["report_id"], row["domain"]], row["records"], row["total_count"]]);
                score.count("dmarc", got.as_ref() == Some(&want), || format!("{file} want {want} got {got:?}"));
            }
            Some("smtp_tls") => {
                let sum = |count: fn(&bounce::TlsPolicyFigures) -> u64| {
                    report.tls.iter().flat_map(|tls| &tls.policies).map(count).sum::<u64>()
                };
                let got = json!([sum(|policy| policy.successful), sum(|policy| policy.failed)]);
                let want = json!([row["successful"], row["failed"]]);
                score.count("tls", got == want, || format!("{file} want {want} got {got}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each figure: its name in the document, and what other readers reach on the same mail.
const SHOWN: &[(&str, &str, &str, &str)] = &[
    ("recognised", "recognised as a report", "525/530", "488/530"),
    ("recipients", "recipients exact", "468/480", "456/480"),
    ("action", "failed or delayed", "521/546", "507/546"),
    ("permanence", "permanent or temporary", "434/453", "–"),
    ("status", "enhanced status", "431/441", "–"),
    ("class", "class", "381/459", "–"),
    ("coarse", "coarse class", "415/459", "–"),
    ("feedback", "complaints among the mail", "–", "–"),
    ("complaints", "complaints with and without a feedback part", "–", "–"),
    ("original_id", "Message-ID of the returned message", "–", "–"),
    ("ordinary", "ordinary mail without a false event", "–", "–"),
    ("replies", "coarse class of bare replies", "–", "–"),
    ("replies_class", "class of bare replies", "–", "–"),
    ("dmarc", "DMARC aggregate reports, figures equal", "–", "–"),
    ("tls", "TLS reports, figures equal", "–", "–"),
];

fn table(score: &Score, times: &[Duration]) -> String {
    let mut out =
        String::from("| figure | Packetboat | | Sisimai 5.1 | flufl.bounce 6.0 |\n| --- | --- | --- | --- | --- |\n");
    for (name, shown, sisimai, flufl) in SHOWN {
        let Some(figure) = score.figures.get(name) else { continue };
        let percent = 100.0 * f64::from(figure.right) / f64::from(figure.of.max(1));
        let _ = writeln!(out, "| {shown} | {percent:.1} % | {}/{} | {sisimai} | {flufl} |", figure.right, figure.of);
    }
    let at = |part: usize| times.get(times.len().saturating_sub(1) * part / 100).copied().unwrap_or_default();
    let build = if cfg!(debug_assertions) { "unoptimized" } else { "optimized" };
    let _ = writeln!(
        out,
        "\nTime for one of {} mails ({build} build): median {:.2} ms, 99th of a hundred {:.2} ms.",
        times.len(),
        at(50).as_secs_f64() * 1000.0,
        at(99).as_secs_f64() * 1000.0
    );
    out
}

/// Puts the table between the marks of the document.
fn document(root: &Path, table: &str) -> Result<()> {
    let path = root.join("docs/bounces.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (begin, end) = ("<!-- score: begin -->\n", "<!-- score: end -->");
    let (Some(from), Some(to)) = (text.find(begin), text.find(end)) else {
        anyhow::bail!("{} has no marks for the score", path.display());
    };
    let new = format!("{}{table}{}", &text[..from + begin.len()], &text[to..]);
    std::fs::write(&path, new).with_context(|| format!("cannot write {}", path.display()))
}
