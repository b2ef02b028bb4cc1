//! The automatic plain text of an HTML part: paragraphs, lists, and links with their addresses behind the words.

use crate::merge::tags::{Hidden, Kind};
use html2text::config;
use html2text::render::TextDecorator;
use std::cell::RefCell;
use std::rc::Rc;

/// Columns: with the quote marks of an answer still below 80.
const WIDTH: usize = 76;

/// The plain text of `html`, whose merge tags are hidden in `hidden`. The addresses of links are hidden there too, so
/// that none is broken over two lines.
pub(crate) fn plain(html: &str, hidden: &mut Hidden) -> Option<String> {
    let addresses = Rc::new(RefCell::new((std::mem::take(hidden), Vec::new())));
    let text = config::with_decorator(Decorator { addresses: Rc::clone(&addresses) })
        .raw_mode(true)
        .no_table_borders()
        .link_footnotes(false)
        .allow_width_overflow()
        .string_from_read(html.as_bytes(), WIDTH);
    *hidden = std::mem::take(&mut addresses.borrow_mut().0);
    Some(tidy(&text.ok()?))
}

/// No blanks at line ends, never more than one empty line.
pub(crate) fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 1;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() && empty > 0 {
            out.push('\n');
        }
        empty = 0;
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[derive(Clone)]
struct Decorator {
    /// Where addresses are hidden, and those of the links that are open now.
    addresses: Rc<RefCell<(Hidden, Vec<String>)>>,
}

impl TextDecorator for Decorator {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        let mut inner = self.addresses.borrow_mut();
        let kept = if url.starts_with('#') { String::new() } else { inner.0.keep(Kind::Value, url.to_owned()) };
        inner.1.push(kept);
        (String::new(), ())
    }

    fn decorate_link_end(&mut self) -> String {
        match self.addresses.borrow_mut().1.pop() {
            Some(url) if !url.is_empty() => format!(" ({url})"),
            _ => String::new(),
        }
    }

    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_em_end(&self) -> String {
        String::new()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strong_end(&self) -> String {
        String::new()
    }

    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_code_end(&self) -> String {
        String::new()
    }

    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_superscript_end(&self) -> String {
        String::new()
    }

    fn decorate_preformat_first(&self) {}

    fn decorate_preformat_cont(&self) {}

    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }

    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }

    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }

    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }

    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }

    fn make_subblock_decorator(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expected: expect_test::Expect) {
        let mut hidden = Hidden::default();
        let html = hidden.hide(html);
        let text = plain(&html, &mut hidden).unwrap();
        expected.assert_eq(&hidden.reveal(&text));
    }

    #[test]
    fn paragraphs_lists_links() {
        check(
            "<html><head><title>T</title><style>p { color: red }</style></head><body><h1>Hello {{ contact.first_name }}</h1>\
             <p>Our <b>spring</b> offer: <a href='https://shop.example/a/very/long/address/that/is/longer/than/one/line/of/text?with=query'>see it</a>.</p>\
             <ul><li>One<li>Two</ul><img src='x.png' alt='A ship'><table><tr><td>left</td><td>right</td></tr></table>\
             {% if contact.vip %}<p>Only for you.</p>{% endif %}<a href='{{ unsubscribe_url }}'>Unsubscribe</a></body></html>",
            expect_test::expect![[r#"
                Hello {{ contact.first_name }}

                Our spring offer: see it (https://shop.example/a/very/long/address/that/is/longer/than/one/line/of/text?with=query).
                - One
                - Two

                A ship

                left
                right
                {% if contact.vip %}

                Only for you.

                {% endif %}Unsubscribe ({{ unsubscribe_url }})
            "#]],
        );
    }
}
