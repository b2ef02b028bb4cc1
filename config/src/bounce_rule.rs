//! `[[bounce_rule]]`: the operator's own rules for what replies mean. They are held to what the built-in ones are held to;
//! `bounce` judges that.

use crate::check::span_of;
use crate::declare::section;
use crate::problem::Collector;
use bounce::{Fault, Part, Rules, WrittenRule};
use mail::BounceClass;
use std::ops::Range;
use toml::de::DeTable;

section! {
    /// What replies and reports mean, said by you. Repeat the section for each rule. They stand before the built-in ones,
    /// and the first that matches wins: it matches where each condition that it has does. `packetboat check` tries each
    /// rule on its samples; `packetboat rule test` and the Providers page say which rule decides about a reply; the page
    /// Unknown texts shows what no rule knows yet, ready to copy.
    pub struct BounceRuleEntry in "bounce_rule" {
        /// Its name, shown wherever it has decided.
        name: String = required example "full-at-example";
        /// What the reply means: bad_mailbox, moved, inactive, suspended, bad_domain, takes_no_mail, mailbox_full,
        /// too_large, policy, authentication, reverse_dns, sender_refused, reputation, domain_reputation, blocklist,
        /// content, virus, malformed, greylist, rate_limit, too_many_connections, dns, connection, tls, protocol,
        /// relay_denied, system, loop or expired.
        class: String = required example "mailbox_full";
        /// What follows for the recipient, where it is not what the class says: "hard" suppresses the address (not with a
        /// class that tells of this sender), "soft" ends this message, "block" is about us, "delay" tries again.
        kind: Option<String> = none example "soft";
        /// Only what servers of these providers say, by their names on the Providers page.
        providers: Option<Vec<String>> = none example ["Google"];
        /// Any of these reply codes: "550", or "5xx" for all of them.
        codes: Option<Vec<String>> = none example ["550", "552"];
        /// Any of these enhanced codes: "5.2.2", "*.2.2" for 4.2.2 and 5.2.2, "5.7.*".
        status: Option<Vec<String>> = none example ["*.2.*"];
        /// Any of these texts, in lower case; "a & b" wants both, "a & b | c" wants "a" and one of the others, "a ~ b"
        /// wants them near each other, within one part of a sentence. Addresses are taken out of replies before they are
        /// compared, and there is a space at both ends, so that " rbl " finds a word.
        text: Option<Vec<String>> = none example ["out of storage", "mailbox & no room"];
        /// Only there in the session: greeting, hello, mail, rcpt, data, message; or in a report that came back: report.
        /// A report that says where its reply came counts there too.
        stages: Option<Vec<String>> = none example ["rcpt", "report"];
        /// Replies that it is for, one at least, with their codes; "[report] 550 ..." where it does not answer RCPT TO.
        samples: Vec<String> = required example ["552 5.2.2 This account is out of storage"];
    }
}

impl BounceRuleEntry {
    fn written(&self) -> WrittenRule {
        let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        WrittenRule {
            name: self.name.clone(),
            class: self.class.clone(),
            kind: self.kind.clone(),
            providers: list(&self.providers),
            codes: list(&self.codes),
            status: list(&self.status),
            text: list(&self.text),
            stages: list(&self.stages),
            fallback: false,
            word: None,
            samples: self.samples.clone(),
        }
    }
}

/// The rules as written; each fault with its place.
pub(crate) fn rules(entries: &[(BounceRuleEntry, &DeTable<'_>)], problems: &mut Collector<'_>) -> Vec<WrittenRule> {
    let written: Vec<WrittenRule> = entries.iter().map(|(entry, _)| entry.written()).collect();
    for Fault { rule, part, why } in Rules::with_own(&written).err().unwrap_or_default() {
        let (entry, table) = &entries[rule];
        let (key, at) = place(table, part);
        let hint = match part {
            Part::Class => nearest_class(&entry.class),
            _ => String::new(),
        };
        let key = format!("bounce_rule.{key}");
        let key = key.trim_end_matches('.');
        problems.add(&at, key, format!("{key} of the rule {:?}: {why}{hint}", entry.name));
    }
    written
}

fn nearest_class(class: &str) -> String {
    let known: Vec<&str> = BounceClass::ALL.iter().map(|class| class.as_str()).collect();
    crate::suggest::nearest(class, &known).map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

/// The key, and where it stands; of a list, where the entry stands.
fn place(table: &DeTable<'_>, part: Part) -> (String, Range<usize>) {
    let (key, number) = match part {
        Part::Whole => {
            let at = table.iter().next().map_or(0..0, |(key, _)| key.span());
            return (String::new(), at);
        }
        Part::Name => ("name", None),
        Part::Class => ("class", None),
        Part::Kind => ("kind", None),
        Part::Code(number) => ("codes", Some(number)),
        Part::Status(number) => ("status", Some(number)),
        Part::Text(number) => ("text", Some(number)),
        Part::Stage(number) => ("stages", Some(number)),
        Part::Sample(number) => ("samples", Some(number)),
    };
    let Some(number) = number else { return (key.to_owned(), span_of(table, key)) };
    let items = table.get(key).and_then(|value| value.get_ref().as_array());
    let at = items.and_then(|items| items.get(number)).map_or_else(|| span_of(table, key), |item| item.span());
    (format!("{key}[{number}]"), at)
}
