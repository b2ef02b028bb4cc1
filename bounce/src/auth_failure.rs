//! What failed, of a report that a mail failed authentication (RFC 6591 §3, RFC 9991 §4): the signatures in question, by
//! the report's own fields, by the Authentication-Results that it quotes (RFC 8601 §2.2), and by the returned signatures.

use crate::report::{FailedSignature, Report};

/// Signatures that one report can tell of.
const SIGNATURES_MAX: usize = 10;

/// The fields of a feedback part that name signatures.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// DKIM-Domain: one by the rule, lists occur.
    pub domains: Vec<String>,
    /// DKIM-Selector.
    pub selectors: Vec<String>,
    /// Authentication-Results.
    pub results: Vec<String>,
}

impl Told {
    /// Takes a field, where it is one of them.
    pub fn take(&mut self, name: &str, value: &str) {
        match name {
            "dkim-domain" => self.domains.extend(words(value)),
            "dkim-selector" => self.selectors.extend(words(value)),
            "authentication-results" => self.results.push(value.to_owned()),
            _ => {}
        }
    }

    /// The signatures that failed. A domain whose mail has one signature that passes does not fail: not everybody can
    /// check every algorithm.
    pub fn failed(&self, report: &Report) -> Vec<FailedSignature> {
        let results = self.results.iter().flat_map(|text| dkim_results(text)).take(SIGNATURES_MAX).collect::<Vec<_>>();
        let passes = |domain: &str| results.iter().any(|one| one.passes && one.domain == domain);
        let mut failed: Vec<FailedSignature> = Vec::new();
        let mut add = |domain: &str, selector: &str| {
            let one = FailedSignature { domain: domain.to_owned(), selector: selector.to_owned() };
            if failed.len() < SIGNATURES_MAX && !domain.is_empty() && !passes(domain) && !failed.contains(&one) {
                failed.push(one);
            }
        };
        let of_results = results.iter().filter(|one| one.fails).map(|one| (&one.domain, one.selector.as_str()));
        let of_fields = self.domains.iter().take(SIGNATURES_MAX).enumerate().map(|(n, domain)| {
            let selector = self.selectors.get(n).or(self.selectors.first());
            (domain, selector.map_or("", String::as_str))
        });
        for (domain, selector) in of_fields.chain(of_results) {
            if !selector.is_empty() {
                add(domain, selector);
                continue;
            }
            let mut signed = signed_by(report, domain).peekable();
            if signed.peek().is_none() {
                add(domain, "");
            }
            signed.for_each(|selector| add(domain, &selector));
        }
        failed
    }
}

/// Lists with `;`, `,` or blanks between.
fn words(value: &str) -> impl Iterator<Item = String> {
    let words = value.split([';', ',', ' ']).map(str::trim).filter(|word| !word.is_empty());
    words.take(SIGNATURES_MAX).map(str::to_ascii_lowercase)
}

/// The selectors of the domain's signatures in the returned message.
fn signed_by(report: &Report, domain: &str) -> impl Iterator<Item = String> {
    let fields = report.original_headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("DKIM-Signature"));
    fields.filter_map(move |(_, value)| {
        let tag = |wanted: &str| {
            let tags = value.split(';').filter_map(|tag| tag.split_once('='));
            tags.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == wanted)
        };
        let (_, signer) = tag("d")?;
        let (_, selector) = tag("s")?;
        signer.eq_ignore_ascii_case(domain).then(|| selector.to_ascii_lowercase())
    })
}

/// What one `dkim=` says.
struct DkimResult {
    domain: String,
    selector: String,
    passes: bool,
    fails: bool,
}

/// The DKIM results of an Authentication-Results field. "neutral" and "permerror" may only mean that the checker does not
/// know the algorithm.
fn dkim_results(text: &str) -> impl Iterator<Item = DkimResult> {
    let bare = without_comments(text);
    let clauses: Vec<String> = bare.split(';').map(str::to_owned).collect();
    clauses.into_iter().filter_map(|clause| {
        let pairs: Vec<(String, String)> = clause
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches('"').to_ascii_lowercase()))
            .collect();
        let of = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let result = of("dkim")?;
        // The identity has the domain, or one below it, where d= is not told.
        let domain = of("header.d").or_else(|| Some(of("header.i")?.rsplit_once('@')?.1.to_owned()))?;
        let selector = of("header.s").unwrap_or_default();
        Some(DkimResult { domain, selector, passes: result == "pass", fails: result == "fail" })
    })
}

/// RFC 5322 §3.2.2: comments nest, and a backslash takes the next character as it is.
fn without_comments(text: &str) -> String {
    let (mut bare, mut depth) = (String::with_capacity(text.len()), 0_u32);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next();
                bare.extend(next.filter(|_| depth == 0));
            }
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                bare.push(' ');
            }
            c if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)], signatures: &[&str], expected: &str) {
        let mut told = Told::default();
        fields.iter().for_each(|(name, value)| told.take(name, value));
        let header = |value: &&str| ("DKIM-Signature".to_owned(), (*value).to_owned());
        let report = Report { original_headers: signatures.iter().map(header).collect(), ..Report::default() };
        let found: Vec<_> = told.failed(&report).iter().map(|one| format!("{} {}", one.domain, one.selector)).collect();
        assert_eq!(found.join("|"), expected, "{fields:?}");
    }

    #[test]
    fn signatures_that_failed() {
        let results = "authentication-results";
        let rsa = "v=1; a=rsa-sha256; s=R1; d=A.example; b=x";
        let ed = "v=1; a=ed25519-sha256; s=e1; d=a.example; b=x";
        check(&[("dkim-domain", "A.example"), ("dkim-selector", "s1")], &[], "a.example s1");
        check(&[("dkim-domain", "a.example")], &[rsa], "a.example r1");
        check(&[("dkim-domain", "other.example; a.example")], &[rsa], "other.example |a.example r1");
        check(&[(results, "mx; dkim=fail (bodyhash; s=no) header.d=a.example header.s=s1")], &[rsa], "a.example s1");
        check(&[(results, "mx; dkim=fail header.i=@a.example")], &[rsa, ed], "a.example r1|a.example e1");
        check(&[(results, "mx; dkim=neutral header.d=a.example header.s=e1")], &[ed], "");
        check(
            &[(results, "mx; dkim=fail header.d=a.example header.s=e1; dkim=pass header.d=a.example header.s=r1")],
            &[],
            "",
        );
        check(&[(results, "mx; dkim=pass header.d=list.example; dkim=fail header.d=a.example")], &[], "a.example ");
        check(&[(results, "mx; spf=fail smtp.mailfrom=x@a.example; dmarc=fail header.from=a.example")], &[rsa], "");
        check(&[(results, "(((((((dkim=fail header.d=a.example")], &[rsa], "");
        check(&[("auth-failure", "spf")], &[rsa], "");
    }
}
