//! What the pages for recipients look like: the frame of every page, in the colours and with the logo of the workspace.

use super::colour::{Colour, LEAST};
use super::words::{Words, words};
use api_types::{Contrast, PreferenceCentre};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use storage::{Connection, StorageError, WorkspaceId, preference_centre, workspace};

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// How a workspace's pages look, and what they say.
#[derive(Clone, Default)]
pub(crate) struct Look {
    pub settings: PreferenceCentre,
    /// The workspace's name.
    pub workspace: String,
    /// Name of the logo.
    pub logo: Option<String>,
}

impl Look {
    /// That of a workspace.
    pub fn read(c: &Connection, id: WorkspaceId) -> Result<Look, StorageError> {
        Ok(Look {
            settings: preference_centre::get(c, id)?,
            workspace: workspace::find(c, id)?.map(|workspace| workspace.name).unwrap_or_default(),
            logo: preference_centre::logo_name(c, id)?,
        })
    }

    pub(super) fn words(&self) -> &'static Words {
        words(self.settings.language)
    }

    /// A text of ours as HTML, with the workspace's name and the address, masked, in their places.
    pub(super) fn fill(&self, text: &str, address: &str) -> String {
        escape(text)
            .replace("{workspace}", &format!("<b>{}</b>", escape(&self.workspace)))
            .replace("{address}", &escape(&mail::mask(address)))
    }

    /// Subject and text of the mail that confirms a change.
    pub fn confirmation(&self, url: &str) -> (String, String) {
        let (words, own) = (self.words(), &self.settings);
        let subject = match own.confirmation_subject.as_str() {
            "" => words.confirmation_subject,
            own => own,
        };
        let text = match own.confirmation_text.as_str() {
            "" => words.confirmation_text.replace("{workspace}", &self.workspace),
            own => own.to_owned(),
        };
        (subject.to_owned(), format!("{text}\n\n{}\n{url}\n", words.confirmation_link))
    }

    /// A page as an answer.
    pub(super) fn page(&self, status: StatusCode, title: &str, content: &str) -> Response {
        let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
        (status, headers, Html(self.html(title, content))).into_response()
    }

    /// A page. `title` is text, `content` is HTML.
    pub(super) fn html(&self, title: &str, content: &str) -> String {
        let (lang, title) = (self.words().lang, escape(title));
        let logo = self.logo.as_ref().map(|name| {
            format!("<img class=\"logo\" src=\"{}\" alt=\"{}\">", logo_path(name), escape(&self.workspace))
        });
        format!(
            "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
             <style>{STYLE}{}</style></head><body><main>{}<h1>{title}</h1>{content}</main></body></html>",
            self.colours(),
            logo.unwrap_or_default(),
        )
    }

    /// What the workspace has chosen, behind our own colours. Only what is a colour gets into the style.
    fn colours(&self) -> String {
        let chosen = &self.settings;
        let mut own = String::new();
        if let Some(accent) = Colour::parse(&chosen.accent) {
            own += &format!("--accent:{accent};--on-accent:{};", accent.words());
        }
        if let Some(page) = Colour::parse(&chosen.page) {
            own += &format!("--page:{page};");
        }
        if let Some(card) = Colour::parse(&chosen.card) {
            let (words, scheme) = (card.words(), if card.is_dark() { "dark" } else { "light" });
            own += &format!("color-scheme:{scheme};--card:{card};--border:{words}40;--text:{words};--muted:{words};");
        }
        if own.is_empty() { own } else { format!(":root{{{own}}}") }
    }
}

/// How well the chosen colours can be read.
pub(crate) fn contrasts(settings: &PreferenceCentre) -> Vec<Contrast> {
    let judged = [("words on buttons", "accent", &settings.accent), ("words on the card", "card", &settings.card)];
    let judge = |(what, field, colour): (&str, &str, &String)| {
        let ratio = Colour::parse(colour)?.readable();
        // Cut, not rounded: 4.49 is not 4.5.
        let shown = (ratio * 10.0).floor() / 10.0;
        Some(Contrast { what: what.to_owned(), field: field.to_owned(), ratio: shown, good: ratio >= LEAST })
    };
    judged.into_iter().filter_map(judge).collect()
}

/// Where a logo is.
pub(crate) fn logo_path(name: &str) -> String {
    format!("/logo/{name}")
}

const STYLE: &str = ":root{color-scheme:light dark;--page:#F8FAFC;--card:#FFF;--border:#E2E8F0;--text:#0F172A;--muted:#475569;--accent:#2563EB;--on-accent:#FFF}\
    @media(prefers-color-scheme:dark){:root{--page:#0F172A;--card:#1E293B;--border:#334155;--text:#F1F5F9;--muted:#94A3B8}}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}\
    main{box-sizing:border-box;width:min(30rem,calc(100vw - 2rem));margin:1rem 0;padding:2rem;background:var(--card);border:1px solid var(--border);border-radius:12px;overflow-wrap:anywhere}\
    .logo{display:block;max-width:100%;max-height:80px;margin:0 0 1.5rem}\
    h1{margin:0 0 1rem;font-size:20px;line-height:28px}p{margin:0 0 1.25rem}.quiet{margin:1.25rem 0 0;color:var(--muted);font-size:14px}\
    .note{margin:0 0 1.25rem;padding:.75rem 1rem;border:1px solid var(--border);border-radius:8px}.note>:last-child{margin:0}\
    fieldset{margin:0 0 1.25rem;padding:0;border:0}legend{padding:0;margin:0 0 .25rem;font-weight:600}\
    label{display:flex;gap:.75rem;align-items:center;min-height:44px;cursor:pointer}label small{display:block;color:var(--muted);font-size:14px}\
    input[type=radio],input[type=checkbox]{flex:none;width:20px;height:20px;margin:0;accent-color:var(--accent)}\
    a{color:inherit}button{min-height:44px;padding:0 1.5rem;border:0;border-radius:8px;background:var(--accent);color:var(--on-accent);font:inherit;cursor:pointer}\
    a:focus-visible,input:focus-visible,button:focus-visible{outline:2px solid var(--text);outline-offset:2px}";

/// Text as HTML, in attributes too.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text of several paragraphs as HTML.
pub(super) fn paragraphs(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("<p>{}</p>", escape(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let look = Look { workspace: "<script>\"&{address}".to_owned(), ..Look::default() };
        let filled = look.fill("From {workspace} to {address}.", "ana<b>@example.com");
        assert_eq!(filled, "From <b>&lt;script&gt;&quot;&amp;a***@example.com</b> to a***@example.com.");
        let page = look.html("</title><script>", &paragraphs("one\n\n<b>two"));
        assert!(page.contains("<p>one</p><p>&lt;b&gt;two</p>") && !page.contains("<script>"), "{page}");
    }

    #[test]
    fn only_colours_get_into_the_style() {
        let set = |accent: &str, page: &str, card: &str| {
            let [accent, page, card] = [accent, page, card].map(str::to_owned);
            Look { settings: PreferenceCentre { accent, page, card, ..PreferenceCentre::default() }, ..Look::default() }
                .colours()
        };
        for (colours, expected) in [
            (set("", "", ""), ""),
            (set("red;}</style>", "#FFF", "url(x)"), ""),
            (set("#f59e0b", "", ""), ":root{--accent:#F59E0B;--on-accent:#0F172A;}"),
            (
                set("", "#112233", "#000000"),
                ":root{--page:#112233;color-scheme:dark;--card:#000000;--border:#FFFFFF40;--text:#FFFFFF;--muted:#FFFFFF;}",
            ),
        ] {
            assert_eq!(colours, expected);
        }
    }
}
