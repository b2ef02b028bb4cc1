//! One answer.

use api_types::{ReplyMail, ReplyRow};
use leptos::prelude::*;
use view::number::grouped;
use view::reply;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_id;
use crate::parts::*;

#[component]
pub fn ReplyPage() -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let mail = load(move || api.get::<ReplyMail>(format!("/replies/{}", id.get())));
    let title = mail.title(|mail| reply::subject(&mail.reply));
    view! {
        <PageHeader title above=("/replies".to_owned(), "Replies") ready=mail.there()/>
        {mail.show(8, move |mail| view! {
            <Card title="The answer">{move || mail.with(|mail| facts(&mail.reply))}</Card>
            <Card title="As it came">
                {move || mail.with(|mail| mail.is_cut).then(|| view! { <p class="muted">"Only its beginning is kept."</p> })}
                <pre class="preview-text" tabindex="0">{move || mail.with(|mail| mail.content.clone())}</pre>
            </Card>
        }.into_any())}
    }
    .into_any()
}

fn facts(row: &ReplyRow) -> AnyView {
    let (tone, word) = reply::done(row.done);
    let link = |href: Option<String>, text: &'static str| match href {
        Some(href) => view! { <a href=href>{text}</a> }.into_any(),
        None => none(),
    };
    view! {
        <dl class="facts">
            <dt>"From"</dt><dd>{row.from.clone()}</dd>
            <dt>"To"</dt><dd>{row.address.clone()}</dd>
            <dt>"Came"</dt><dd>{moment(&row.received_at)}</dd>
            <dt>"What was done"</dt><dd>{badge(tone, word)}" "{row.why.clone()}</dd>
            <dt>"Answers"</dt><dd>{link(row.recipient_id.map(|id| format!("/recipients/{id}")), "the mail to this recipient")}</dd>
            <dt>"Forwarded as"</dt><dd>{link(row.message_id.map(|id| format!("/messages/{id}")), "this message")}</dd>
            <dt>"Size"</dt><dd>{format!("{} bytes", grouped(row.size_bytes))}</dd>
        </dl>
    }
    .into_any()
}
