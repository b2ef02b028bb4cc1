//! Colours that people choose, and whether words on them can be read (WCAG 2.1).

/// The least contrast of words (WCAG 2.1, 1.4.3).
pub(crate) const LEAST: f64 = 4.5;
/// Our two colours of words.
const DARK: Colour = Colour([0x0F, 0x17, 0x2A]);
const LIGHT: Colour = Colour([0xFF, 0xFF, 0xFF]);

/// An opaque colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour([u8; 3]);

impl Colour {
    /// Reads `#RRGGBB`.
    pub fn parse(text: &str) -> Option<Colour> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Colour([byte(0)?, byte(2)?, byte(4)?]))
    }

    /// That of our two colours of words which can be read best on it.
    pub fn words(self) -> Colour {
        if contrast(self, LIGHT) >= contrast(self, DARK) { LIGHT } else { DARK }
    }

    /// How well words of ours can be read on it.
    pub fn readable(self) -> f64 {
        contrast(self, self.words())
    }

    /// Whether words on it are light.
    pub fn is_dark(self) -> bool {
        self.words() == LIGHT
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|byte| {
            let share = f64::from(byte) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Colour([red, green, blue]) = self;
        write!(f, "#{red:02X}{green:02X}{blue:02X}")
    }
}

/// 1 to 21.
fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (one.luminance() + 0.05, other.luminance() + 0.05);
    one.max(other) / one.min(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read() {
        for (colour, words, ratio, good) in [
            ("#FFFFFF", "#0F172A", "17.8", true),
            ("#000000", "#FFFFFF", "21.0", true),
            ("#2563eb", "#FFFFFF", "5.1", true),
            ("#F59E0B", "#0F172A", "8.3", true),
            ("#808080", "#0F172A", "4.5", true),
            ("#747474", "#FFFFFF", "4.6", true),
            ("#7A7A7A", "#FFFFFF", "4.2", false),
        ] {
            let found = Colour::parse(colour).unwrap();
            let shown = format!("{:.1}", (found.readable() * 10.0).floor() / 10.0);
            assert_eq!((found.words().to_string().as_str(), shown.as_str()), (words, ratio), "{colour}");
            assert_eq!(found.readable() >= LEAST, good, "{colour}");
        }
    }

    #[test]
    fn nothing_else_is_a_colour() {
        for text in ["", "#", "#FFF", "FFFFFF", "#GGGGGG", "#FFFFFF;", "#ÄÄÄ", "#+12345", "red", "#1234567"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }
}
