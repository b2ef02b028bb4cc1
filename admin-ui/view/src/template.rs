//! The template editor: merge tags, places in the source, what a new template begins with.

use api_types::{Field, TemplateInput, TemplateKind};

/// A merge tag that can be picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeTag {
    /// What is inserted.
    pub tag: String,
    /// What it becomes.
    pub meaning: String,
}

/// Every merge tag of the workspace.
#[must_use]
pub fn merge_tags(fields: &[Field]) -> Vec<MergeTag> {
    let fixed = [
        ("{{ contact.first_name | default: \"there\" }}", "First name, or \"there\""),
        ("{{ contact.last_name }}", "Last name"),
        ("{{ contact.email }}", "Email address"),
        ("{{ unsubscribe_url }}", "Link to unsubscribe"),
        ("{{ preferences_url }}", "Link to the preference centre"),
        ("{{ campaign.name }}", "Name of the campaign"),
        ("{{ workspace.name }}", "Name of the workspace"),
    ];
    let mut tags: Vec<MergeTag> = fixed
        .iter()
        .map(|(tag, meaning)| MergeTag { tag: (*tag).to_owned(), meaning: (*meaning).to_owned() })
        .collect();
    for field in fields {
        tags.push(MergeTag {
            tag: format!("{{{{ contact.{} }}}}", field.name),
            meaning: format!("Field {}", field.name),
        });
    }
    tags
}

/// Puts `tag` where the cursor is. `start` and `end` are UTF-16 positions, as browsers count; returns the new text
/// and the position after the tag.
#[must_use]
pub fn insert(text: &str, start: u32, end: u32, tag: &str) -> (String, u32) {
    let units: Vec<u16> = text.encode_utf16().collect();
    let start = (start as usize).min(units.len());
    let end = (end as usize).clamp(start, units.len());
    let mut joined = units[..start].to_vec();
    joined.extend(tag.encode_utf16());
    let after = joined.len();
    joined.extend(&units[end..]);
    (String::from_utf16_lossy(&joined), u32::try_from(after).unwrap_or(u32::MAX))
}

/// The UTF-16 positions of a line, from 1, so that the editor can select what a problem is about.
#[must_use]
pub fn line_span(text: &str, line: u32) -> (u32, u32) {
    let mut start = 0;
    for (index, content) in text.split('\n').enumerate() {
        let length = content.encode_utf16().count() as u32;
        if index as u32 + 1 == line {
            return (start, start + length);
        }
        start += length + 1;
    }
    (start.saturating_sub(1), start.saturating_sub(1))
}

/// What a new template begins with: something that can be sent.
#[must_use]
pub fn starter(kind: TemplateKind) -> TemplateInput {
    let source = match kind {
        TemplateKind::Mjml => include_str!("starter.mjml"),
        TemplateKind::Html => include_str!("starter.html"),
    };
    TemplateInput {
        name: String::new(),
        kind,
        subject: "News for {{ contact.first_name | default: \"you\" }}".to_owned(),
        preheader: "What happened this month, in two minutes".to_owned(),
        source: source.to_owned(),
    }
}

/// Whether a mail says itself what it looks like in the dark.
#[must_use]
pub fn has_dark_styles(html: &str) -> bool {
    html.contains("prefers-color-scheme")
}

/// Gmail cuts a message at this size, and the unsubscribe link with it.
pub const GMAIL_CUT_BYTES: u64 = 102_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_where_the_cursor_is_even_behind_an_emoji() {
        assert_eq!(insert("Hi 👋 you", 6, 9, "X"), ("Hi 👋 X".to_owned(), 7));
        assert_eq!(insert("ab", 9, 1, "X"), ("abX".to_owned(), 3));
    }

    #[test]
    fn dark_styles_are_seen() {
        assert!(has_dark_styles("<style>@media (prefers-color-scheme: dark) { a { color: red } }</style>"));
        assert!(!has_dark_styles(&starter(TemplateKind::Html).source));
    }

    #[test]
    fn lines_are_found() {
        assert_eq!(line_span("ab\ncde\n", 2), (3, 6));
        assert_eq!(line_span("ab", 7), (2, 2));
    }

    #[test]
    fn starters_can_be_unsubscribed_from() {
        for kind in [TemplateKind::Mjml, TemplateKind::Html] {
            assert!(starter(kind).source.contains("unsubscribe_url"));
        }
    }
}
