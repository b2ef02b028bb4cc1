//! The one place where a setting is declared.
//!
//! `section!` writes a struct of public fields and, beside it, the description of each field as data. Reading, the
//! error texts, the example file and the reference page all come from that one declaration, so they cannot drift
//! apart. Defaults and bounds are written as TOML text and read by the same code that reads the operator's file.

use crate::read::Reader;

/// What is known of one setting, apart from its Rust type.
pub(crate) struct Declared {
    /// The key, as it stands in the file.
    pub name: &'static str,
    /// Sentences for the operator.
    pub doc: &'static [&'static str],
    /// The default as TOML text; `none` (unset by default) or `required`.
    pub default: &'static str,
    /// Lowest and highest value as TOML text.
    pub bounds: Option<[&'static str; 2]>,
    /// A value to show where there is no default.
    pub sample: Option<&'static str>,
    /// What kind of value it wants, for people.
    pub kind: fn() -> String,
}

impl Declared {
    /// The default as TOML text, where there is one.
    pub fn default_text(&self) -> Option<&'static str> {
        (!matches!(self.default, "none" | "required")).then_some(self.default)
    }

    /// What values are allowed, as one phrase: `a whole number, 1 to 100`.
    pub fn allowed(&self) -> String {
        let kind = (self.kind)();
        match self.bounds {
            Some([low, high]) => format!("{kind}, {} to {}", low.trim_matches('"'), high.trim_matches('"')),
            None => kind,
        }
    }
}

/// A table of settings.
pub(crate) trait Section: Sized {
    /// The table's name in the file.
    const KEY: &'static str;
    /// Sentences for the operator.
    const DOC: &'static [&'static str];

    /// Its settings in order of declaration.
    fn settings() -> &'static [Declared];

    /// Reads the table; `None` when a required setting is missing or wrong (a problem says so).
    fn read(reader: &mut Reader<'_, '_>) -> Option<Self>;
}

/// Declares a section: `name: Type = default in low..=high example sample;`, the last two optional.
macro_rules! section {
    ($(#[doc = $about:literal])+ $vis:vis struct $section:ident in $key:literal { $(
        $(#[doc = $doc:literal])+
        $name:ident : $type:ty = $default:tt $(in $low:literal ..= $high:literal)? $(example $sample:tt)? ;
    )+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $section { $($(#[doc = $doc])+ pub $name: $type,)+ }

        impl $crate::declare::Section for $section {
            const KEY: &'static str = $key;
            const DOC: &'static [&'static str] = &[$($about),+];

            fn settings() -> &'static [$crate::declare::Declared] {
                &[$($crate::declare::Declared {
                    name: stringify!($name),
                    doc: &[$($doc),+],
                    default: stringify!($default),
                    bounds: section!(@opt $([stringify!($low), stringify!($high)])?),
                    sample: section!(@opt $(stringify!($sample))?),
                    kind: <$type as $crate::setting::Setting>::kind,
                }),+]
            }

            fn read(reader: &mut $crate::read::Reader<'_, '_>) -> Option<Self> {
                $(let $name = reader.take::<$type>(stringify!($name), Self::settings());)+
                reader.refuse_the_rest::<Self>();
                Some($section { $($name: $name?),+ })
            }
        }
    };
    (@opt) => { None };
    (@opt $value:expr) => { Some($value) };
}
pub(crate) use section;
