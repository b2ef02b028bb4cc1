//! xtext (RFC 3461 §4): how addresses and ids stand in parameters of SMTP.

use crate::Address;
use std::fmt::Write as _;

/// The value of ORCPT for an address (RFC 3461 §4.2); one with UTF-8 keeps it, as RFC 6533 §3 allows within SMTPUTF8.
#[must_use]
pub fn orcpt(address: &Address) -> String {
    let text = address.to_string();
    if !text.is_ascii() {
        return format!("utf-8;{}", text.replace('\\', "\\x{5C}").replace('+', "\\x{2B}").replace('=', "\\x{3D}"));
    }
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str("rfc822;");
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'+' | b'=') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "+{byte:02X}");
        }
    }
    out
}

/// What an xtext stands for; what is no xtext stands for itself.
#[must_use]
pub fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = (*first == b'+').then(|| more.get(..2)).flatten();
        let byte =
            digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = &more[2..];
            }
            None => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (address, expected) in [
            ("ana@a.example", "rfc822;ana@a.example"),
            ("ana+news@a.example", "rfc822;ana+2Bnews@a.example"),
            ("\"a b=c\"@a.example", "rfc822;\"a+20b+3Dc\"@a.example"),
        ] {
            let address = Address::parse(address).unwrap();
            assert_eq!(orcpt(&address), expected);
            assert_eq!(decoded(expected), format!("rfc822;{address}"));
        }
        assert_eq!(orcpt(&Address::parse("anä@a.example").unwrap()), "utf-8;anä@a.example");
        assert_eq!(decoded("a+zz+4"), "a+zz+4");
    }
}
