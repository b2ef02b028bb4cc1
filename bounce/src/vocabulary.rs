//! The words of `data/words.toml`, each list compiled into one automaton.

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::LazyLock;

/// The vocabulary that comes with the product.
pub(crate) static WORDS: LazyLock<Vocabulary> = LazyLock::new(|| {
    // A test reads the same text, so this is an invariant of the source.
    Vocabulary::compile(include_str!("../data/words.toml")).expect("the built-in words are good")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    senders: Vec<String>,
    subjects: Vec<String>,
    about_mail: Vec<String>,
    failures: Vec<String>,
    delays: Vec<String>,
    given_up: Vec<String>,
    originals: Vec<String>,
    labels: Vec<String>,
    certain: Vec<String>,
    announcements: Vec<String>,
    others: Vec<String>,
    challenges: Vec<String>,
    automatic_subjects: Vec<String>,
    automatic_words: Vec<String>,
    unsubscribe_subjects: Vec<String>,
    complaints: Vec<String>,
}

/// Phrases of which any may occur.
pub(crate) struct Phrases {
    automaton: AhoCorasick,
    phrases: Vec<String>,
}

impl Phrases {
    fn compile(phrases: Vec<String>) -> Result<Phrases, String> {
        if let Some(bad) = phrases.iter().find(|phrase| phrase.is_empty() || **phrase != phrase.to_lowercase()) {
            return Err(format!("the phrase {bad:?} must be lower case"));
        }
        let automaton = AhoCorasick::new(&phrases).map_err(|error| error.to_string())?;
        Ok(Phrases { automaton, phrases })
    }

    /// The first phrase that occurs in the text, which must be lower case.
    pub fn find(&self, lower: &str) -> Option<&str> {
        self.automaton.find(lower).map(|hit| self.phrases[hit.pattern().as_usize()].as_str())
    }

    /// All of them, in their order.
    pub fn all(&self) -> &[String] {
        &self.phrases
    }

    /// Whether one occurs.
    pub fn occurs(&self, lower: &str) -> bool {
        self.automaton.is_match(lower)
    }
}

/// See `data/words.toml` for what each list is for.
pub(crate) struct Vocabulary {
    pub senders: Phrases,
    pub subjects: Phrases,
    pub about_mail: Phrases,
    pub failures: Phrases,
    pub delays: Phrases,
    pub given_up: Phrases,
    pub originals: Phrases,
    pub labels: HashSet<String>,
    pub certain: Vec<String>,
    pub announcements: Phrases,
    pub others: HashSet<String>,
    pub challenges: Phrases,
    pub automatic_subjects: Phrases,
    pub automatic_words: Phrases,
    pub unsubscribe_subjects: Phrases,
    pub complaints: Phrases,
}

impl Vocabulary {
    fn compile(text: &str) -> Result<Vocabulary, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(Vocabulary {
            senders: Phrases::compile(written.senders)?,
            subjects: Phrases::compile(written.subjects)?,
            about_mail: Phrases::compile(written.about_mail)?,
            failures: Phrases::compile(written.failures)?,
            delays: Phrases::compile(written.delays)?,
            given_up: Phrases::compile(written.given_up)?,
            originals: Phrases::compile(written.originals)?,
            labels: written.labels.into_iter().collect(),
            certain: written.certain,
            announcements: Phrases::compile(written.announcements)?,
            others: written.others.into_iter().collect(),
            challenges: Phrases::compile(written.challenges)?,
            automatic_subjects: Phrases::compile(written.automatic_subjects)?,
            automatic_words: Phrases::compile(written.automatic_words)?,
            unsubscribe_subjects: Phrases::compile(written.unsubscribe_subjects)?,
            complaints: Phrases::compile(written.complaints)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_compile() {
        assert!(WORDS.senders.occurs("mailer-daemon@example.com"));
        assert!(Phrases::compile(vec!["Spam".to_owned()]).is_err());
    }
}
