//! Personal data in logs.

/// An address as it may stand in a log: first letter and domain, `a***@example.com`.
#[must_use]
pub fn mask(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_first_letter_and_domain_remain() {
        assert_eq!(super::mask("ana@example.com"), "a***@example.com");
        assert_eq!(super::mask("not an address"), "***");
    }
}
