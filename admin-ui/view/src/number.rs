//! Figures as text: thousands separated, shares, sizes, rates.

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` as a percentage with one digit; nothing of nothing has no share.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole);
    // A few of very many must not read as none, nor nearly all as all.
    match tenths {
        0 if part > 0 => "< 0.1 %".to_owned(),
        1000 if part < whole => "> 99.9 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// Bytes in the unit that reads best, decimal.
#[must_use]
pub fn bytes(value: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (size, unit) in units {
        if value >= size {
            let tenths = value * 10 / size;
            return if tenths >= 1000 {
                format!("{} {unit}", grouped(tenths / 10))
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{value} B")
}

/// Messages a second, or a minute or an hour where it is slow.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second <= 0.0 || !per_second.is_finite() {
        "0 a second".to_owned()
    } else if per_second >= 10.0 {
        format!("{} a second", grouped(per_second.round() as u64))
    } else if per_second >= 1.0 {
        format!("{per_second:.1} a second")
    } else if per_second * 60.0 >= 1.0 {
        format!("{:.0} a minute", per_second * 60.0)
    } else {
        format!("{:.0} an hour", (per_second * 3600.0).max(1.0))
    }
}

/// `1 contact`, `2 contacts`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (value, text) in cases {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn shares_never_round_to_none_or_all() {
        let cases = [
            (0, 0, "–"),
            (0, 10, "0.0 %"),
            (1, 3, "33.3 %"),
            (1, 1_000_000, "< 0.1 %"),
            (999_999, 1_000_000, "> 99.9 %"),
            (10, 10, "100.0 %"),
        ];
        for (part, whole, text) in cases {
            assert_eq!(share(part, whole), text, "{part} of {whole}");
        }
    }

    #[test]
    fn sizes_and_rates_read_well() {
        assert_eq!(bytes(12), "12 B");
        assert_eq!(bytes(102_400), "102 kB");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(rate(0.0), "0 a second");
        assert_eq!(rate(1234.4), "1,234 a second");
        assert_eq!(rate(2.5), "2.5 a second");
        assert_eq!(rate(0.5), "30 a minute");
        assert_eq!(rate(50.0 / 3600.0), "50 an hour");
        assert_eq!(rate(f64::NAN), "0 a second");
        assert_eq!(counted(1, "contact", "contacts"), "1 contact");
        assert_eq!(counted(2000, "contact", "contacts"), "2,000 contacts");
    }
}
