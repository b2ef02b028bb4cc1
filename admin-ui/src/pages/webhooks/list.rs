//! The list of webhooks.

use api_types::{Page, Webhook};
use leptos::prelude::*;
use view::webhook;

use super::edit::EditDialog;
use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;

/// Health is asked for so often.
const EVERY_SECONDS: u64 = 10;

#[component]
pub fn Webhooks() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || api.get::<Page<Webhook>>(view::query::with("/webhooks", &[("cursor", &cursor.get())])))
        .every(EVERY_SECONDS, || true);
    let adding = RwSignal::new(false);
    let changed = Callback::new(move |()| page.reload());
    let add = Callback::new(move |()| adding.set(true));
    let heads = || {
        let mut heads = ["Name", "Leads to", "Told of", "State", "Last success"].map(Head::text).to_vec();
        heads.push(Head::number("Failed in a row"));
        heads
    };
    let row = |hook: &Webhook| {
        let (tone, word) = webhook::standing(hook);
        Row::new(vec![
            view! { <a href=format!("/webhooks/{}", hook.id)>{hook.name.clone()}</a> }.into_any(),
            view! { <code>{hook.url.clone()}</code> }.into_any(),
            webhook::told_of(hook).into_any(),
            badge(tone, word),
            hook.health.success_at.as_deref().map_or_else(|| "never".into_any(), ago),
            figure(hook.health.attempts_failed.into()),
        ])
    };
    let empty = move || {
        view! {
            <Empty title="No webhook yet" about="A webhook tells a program of yours what happens to mail, within a second: delivered, bounced, complained, unsubscribed.">
                <Button look=Look::Primary on_press=add>"Add a webhook"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Webhooks" about="Signed requests to your own programs, one for each thing that happens.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Add a webhook"</Button>
        </PageHeader>
        {list("Webhooks", query, page, &[], heads, row, empty)}
        <EditDialog open=adding webhook=Signal::stored(None) changed/>
    }
    .into_any()
}
