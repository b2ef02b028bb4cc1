//! Texts that no rule knew, on their way to disk: grouped by their shape in a bounded heap in memory, written together.
//! They are for people, who make rules of them; mail never waits for them, and what is taken costs nothing.

use crate::hold::off_clock;
use crate::shared::{Shared, lock};
use bounce::{Classified, Stage};
use mail::{Reply, Severity};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::unknown_text::{self, Seen};
use storage::{Storage, WorkspaceId};
use tokio::sync::Notify;

/// Shapes that wait to be written, at most; further new ones are not noted until then.
const WAITING_MAX: usize = 1_000;
/// Written at most so often.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Bytes of a text that are looked at.
const TEXT_MAX: usize = 1_000;
/// Shorter local parts are words of the language: they stay.
const LOCAL_MIN: usize = 3;

/// What waits, by workspace, provider and shape.
type Waiting = HashMap<(WorkspaceId, Arc<str>, String), Seen>;

/// Collects texts that no rule knew.
#[derive(Default)]
pub struct UnknownTexts {
    waiting: Mutex<Waiting>,
    written: Notify,
}

/// Who said what about whom.
pub(crate) struct Said<'a> {
    /// Whose mail.
    pub workspace: WorkspaceId,
    /// Whose server.
    pub provider: &'a Arc<str>,
    /// The answer.
    pub reply: &'a Reply,
    /// To what.
    pub stage: Stage,
    /// The recipient's local part, which servers like to repeat alone.
    pub local: Option<&'a str>,
}

impl UnknownTexts {
    /// Notes an answer, unless its words were understood.
    pub(crate) fn note(&self, said: &Said<'_>, found: &Classified, now_ms: i64) {
        let is_refusal = matches!(said.reply.severity(), Severity::Transient | Severity::Permanent);
        if found.by.understood() || !is_refusal || said.reply.text.trim().is_empty() {
            return;
        }
        let sample = private(&said.reply.to_string(), said.local);
        let shape = bounce::shape(&sample);
        let mut waiting = lock(&self.waiting);
        let has_room = waiting.len() < WAITING_MAX;
        match waiting.entry((said.workspace, said.provider.clone(), shape)) {
            Entry::Occupied(mut entry) => {
                let seen = entry.get_mut();
                seen.n += 1;
                seen.last_ms = now_ms;
            }
            Entry::Vacant(entry) if has_room => {
                let shape = entry.key().2.clone();
                entry.insert(Seen {
                    workspace_id: said.workspace,
                    provider: said.provider.to_string(),
                    shape,
                    sample,
                    stage: said.stage.as_str(),
                    class: found.class,
                    rule: found.rule.to_string(),
                    n: 1,
                    first_ms: now_ms,
                    last_ms: now_ms,
                });
            }
            Entry::Vacant(_) => {}
        }
        drop(waiting);
        self.written.notify_one();
    }

    /// Writes what waits.
    pub(crate) async fn write(&self, storage: &Storage) {
        let waiting: Vec<Seen> = std::mem::take(&mut *lock(&self.waiting)).into_values().collect();
        if waiting.is_empty() {
            return;
        }
        let storage = storage.clone();
        let work = move |tx: &storage::Transaction<'_>| unknown_text::note(tx, &waiting);
        if let Some(Err(error)) = off_clock(async move { storage.events().write(work).await }).await {
            tracing::warn!(%error, "texts that no rule knows cannot be kept");
        }
    }
}

/// Writes what waits, until the engine ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        shared.unknown_texts.written.notified().await;
        shared.clock.sleep(WRITE_EVERY).await;
        shared.unknown_texts.write(&shared.storage).await;
    }
}

/// A text without addresses, also those within links, and without the recipient's local part.
fn private(text: &str, local: Option<&str>) -> String {
    let text = &text[..text.floor_char_boundary(TEXT_MAX)];
    let local = local.filter(|local| local.len() >= LOCAL_MIN);
    let word = |word: &str| {
        let word = word.replace("%40", "@");
        if word.contains('@') {
            return mail::mask(&word);
        }
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        match local {
            Some(local) if bare.eq_ignore_ascii_case(local) => word.replace(bare, "***"),
            _ => word,
        }
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bounce::Rules;
    use storage::OpenOptions;
    use storage::unknown_text::{Sort, page};

    #[test]
    fn nobody_stands_in_a_sample() {
        for (text, expected) in [
            ("550 5.1.1 <ana.b@example.com>: glork", "550 5.1.1 <***@example.com>: glork"),
            ("550 glork: ana.b (ana.b)", "550 glork: *** (***)"),
            ("550 see https://x.example/?to=ana.b%40example.com", "550 see h***@example.com"),
            ("550 glorkana.b", "550 glorkana.b"),
        ] {
            assert_eq!(private(text, Some("ana.b")), expected);
        }
        assert_eq!(private("550 no no", Some("no")), "550 no no");
    }

    #[tokio::test]
    async fn unknown_ones_are_grouped_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let (texts, provider) = (UnknownTexts::default(), Arc::from("Example Mail"));
        let note = |code: u16, text: &str, now_ms| {
            let reply = &Reply::new(code, [text]);
            let found = Rules::builtin().classify(reply, Stage::Rcpt);
            let (workspace, local) = (WorkspaceId::MAIN, Some("ana"));
            texts.note(&Said { workspace, provider: &provider, reply, stage: Stage::Rcpt, local }, &found, now_ms);
        };
        note(550, "5.9.9 glork ana at 192.0.2.1", 1);
        note(550, "5.9.9 glork ana at 192.0.2.77", 3);
        note(450, "4.9.9 frotz", 2);
        note(550, "5.1.1 no such user", 4);
        note(250, "2.0.0 frotz", 5);
        note(550, "", 6);
        texts.write(&storage).await;
        texts.write(&storage).await;
        let found = storage.read(|c| page(c, WorkspaceId::MAIN, None, (Sort::Count, None), 10)).await.unwrap();
        let told: Vec<_> = found.iter().map(|t| (&*t.shape, &*t.sample, t.n, t.first_ms, t.last_ms)).collect();
        assert_eq!(
            told,
            [
                ("550 5.9.9 glork *** at IP", "550 5.9.9 glork *** at 192.0.2.1", 2, 1, 3),
                ("450 4.9.9 frotz", "450 4.9.9 frotz", 1, 2, 2),
            ]
        );
        assert_eq!((&*found[0].stage, &*found[0].rule, &*found[1].rule), ("rcpt", "none", "code-not-now"));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (texts, provider) = (UnknownTexts::default(), Arc::from(""));
        for n in 0..WAITING_MAX + 10 {
            let word: String = n.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
            let reply = &Reply::new(550, [format!("glork x{word}x").as_str()]);
            let found = Rules::builtin().classify(reply, Stage::Rcpt);
            let workspace = WorkspaceId::MAIN;
            let said = Said { workspace, provider: &provider, reply, stage: Stage::Rcpt, local: None };
            texts.note(&said, &found, 0);
            texts.note(&said, &found, 0);
        }
        let waiting = lock(&texts.waiting);
        assert_eq!(waiting.len(), WAITING_MAX);
        assert!(waiting.values().all(|seen| seen.n == 2));
    }
}
