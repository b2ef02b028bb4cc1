//! A rule made from a text that no rule knows: the words that texts of one making have in common, ready to be given a class.

use crate::classify::Stage;
use crate::own::sample as read;
use crate::rules::WrittenRule;
use crate::shape::is_word;
use std::fmt::Write as _;

/// Phrases of a drafted rule at most; all must occur.
const PHRASES_MAX: usize = 3;
/// Bytes of one at most.
const PHRASE_MAX: usize = 120;
/// Characters of a drafted name at most.
const NAME_MAX: usize = 40;

impl WrittenRule {
    /// Drafts a rule for texts like this one, which begins with its code: it wants the code's class and the longest runs
    /// of words in it. `None` where there are none.
    #[must_use]
    pub fn draft(text: &str, stage: Stage, provider: &str, class: &str) -> Option<WrittenRule> {
        let (reply, _) = read(text)?;
        let phrases = phrases(&reply.text);
        let first = phrases.first()?;
        let sample = match stage {
            Stage::Rcpt => text.to_owned(),
            stage => format!("[{}] {text}", stage.as_str()),
        };
        Some(WrittenRule {
            name: name_of(first),
            class: class.to_owned(),
            providers: if provider.is_empty() { Vec::new() } else { vec![provider.to_owned()] },
            codes: vec![format!("{}xx", reply.code / 100)],
            text: vec![phrases.join(" & ")],
            samples: vec![sample],
            ..WrittenRule::default()
        })
    }

    /// The rule as it stands in the configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut out = String::from("[[bounce_rule]]\n");
        let kind = self.kind.as_ref().map(|kind| ("kind", kind));
        for (key, value) in [("name", &self.name), ("class", &self.class)].into_iter().chain(kind) {
            let _ = writeln!(out, "{key} = {}", quoted(value));
        }
        let lists = [
            ("providers", &self.providers),
            ("codes", &self.codes),
            ("status", &self.status),
            ("text", &self.text),
            ("stages", &self.stages),
            ("samples", &self.samples),
        ];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let all: Vec<String> = list.iter().map(|text| quoted(text)).collect();
            let _ = writeln!(out, "{key} = [{}]", all.join(", "));
        }
        out
    }
}

/// The longest runs of words that would stand in any text of this making, longest first.
fn phrases(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let mut runs = vec![String::new()];
    for word in text.split_whitespace() {
        let last = runs.last_mut().filter(|run| is_word(word) && run.len() + word.len() < PHRASE_MAX);
        match last {
            Some(run) => {
                if !run.is_empty() {
                    run.push(' ');
                }
                run.push_str(word);
            }
            None => runs.push(if is_word(word) { word.to_owned() } else { String::new() }),
        }
    }
    // " & " and its like stand between phrases, and short words say nothing.
    runs.retain(|run| {
        run.len() >= 4 && run.len() <= PHRASE_MAX && !run.split(' ').any(|word| matches!(word, "&" | "|" | "~"))
    });
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.dedup();
    runs.truncate(PHRASES_MAX);
    runs
}

fn name_of(phrase: &str) -> String {
    let mut name = String::from("own");
    for word in phrase.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if name.len() + word.len() >= NAME_MAX {
            break;
        }
        name.push('-');
        name.push_str(word);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;
    use expect_test::expect;
    use proptest::prelude::*;

    #[test]
    fn a_rule_is_drafted() {
        let text =
            "550 5.9.1 <a***@example.com>: \"glork\" account closed, ask mx1.example.com about 4F3A99 or write to us";
        let rule = WrittenRule::draft(text, Stage::Message, "Example Mail", "inactive").unwrap();
        expect![[r#"
            [[bounce_rule]]
            name = "own-glork-account-closed-ask"
            class = "inactive"
            providers = ["Example Mail"]
            codes = ["5xx"]
            text = ['"glork" account closed, ask & or write to us & about']
            samples = ['[message] 550 5.9.1 <a***@example.com>: "glork" account closed, ask mx1.example.com about 4F3A99 or write to us']
        "#]]
        .assert_eq(&rule.to_toml());
        assert_eq!(WrittenRule::draft("550 5.9.1 123 <a***@example.com>", Stage::Rcpt, "", "policy"), None);
    }

    proptest! {
        /// What is drafted is a good rule, and reads back from the configuration.
        #[test]
        fn drafts_are_good(code in 400_u16..600, text in "(\\PC{0,60}|[a-z]{3,9} (no|such|user|&|#5.1.1|a@b.c|12|x1y2z3) ){1,5}") {
            let sample = format!("{code} {text}");
            if let Some(rule) = WrittenRule::draft(&sample, Stage::Report, "", "policy") {
                prop_assert_eq!(Rules::with_own(std::slice::from_ref(&rule)).err(), None);
                let read: toml::Table = rule.to_toml().parse().unwrap();
                prop_assert_eq!(read["bounce_rule"][0]["text"][0].as_str(), rule.text.first().map(String::as_str));
            }
        }
    }
}
