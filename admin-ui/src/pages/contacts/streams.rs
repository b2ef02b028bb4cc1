//! Which streams a contact gets mail of.

use api_types::{ContactStream, ContactStreamsInput, Page};
use leptos::prelude::*;
use view::tone::Tone;

use crate::api::{use_api, use_me};
use crate::load::load;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn ContactStreams(id: Memo<i64>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let streams = load(move || api.get::<Page<ContactStream>>(format!("/contacts/{}/streams", id.get())));
    let submit = Submit::new();
    let asking = RwSignal::new(None::<ContactStream>);
    let open = open_for(asking);
    let change = Callback::new(move |(stream, wanted): (String, bool)| {
        let left = streams.data.with_untracked(|page| left_after(page.as_ref(), &stream, wanted));
        let contact = id.get_untracked();
        submit.run(async move {
            let now = api.put(format!("/contacts/{contact}/streams"), &ContactStreamsInput { left }).await?;
            streams.data.put(now);
            changed.run(());
            Ok(())
        });
    });
    let confirmed = Callback::new(move |()| {
        if let Some(one) = asking.get_untracked() {
            asking.set(None);
            change.run((one.stream, true));
        }
    });
    view! {
        <Card title="Streams">
            {streams.show(1, move |page| view! { {move || page.with(|page| rows(&page.items, submit, change, asking))} }.into_any())}
            {form_error(submit.rest(&[]))}
        </Card>
        <ConfirmDialog open title="Send it mail of the stream again?" confirm="Send it again" look=Look::Primary on_confirm=confirmed>
            <p>"This contact wants no mail of the stream. Send it some again only when the person asked for it."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// The streams that are left when one is wanted, or not.
fn left_after(page: Option<&Page<ContactStream>>, stream: &str, wanted: bool) -> Vec<String> {
    let all = page.map(|page| page.items.as_slice()).unwrap_or_default();
    let is_left = |one: &&ContactStream| match one.stream == stream {
        true => !wanted,
        false => one.left_at.is_some(),
    };
    all.iter().filter(is_left).map(|one| one.stream.clone()).collect()
}

fn rows(
    items: &[ContactStream],
    submit: Submit,
    change: Callback<(String, bool)>,
    asking: RwSignal<Option<ContactStream>>,
) -> AnyView {
    let may_change = use_me().role.may(api_types::Role::Marketer);
    let disabled = Signal::derive(move || !may_change || submit.busy.get());
    let row = |one: &ContactStream| {
        let stream = one.clone();
        // Coming back is its own wish: somebody has to stand for it.
        let on_change = Callback::new(move |on: bool| match on {
            true => asking.set(Some(stream.clone())),
            false => change.run((stream.stream.clone(), false)),
        });
        let left = one.left_at.as_deref().map(|at| {
            view! { {badge(Tone::Warning, "Wants none")}<span class="muted">"since "{moment(at)}</span> }
        });
        view! {
            <li class="list-standing">
                <Check label=one.title.clone() checked=one.left_at.is_none() on_change disabled/>
                {left}
            </li>
        }
    };
    view! { <ul class="plain-list">{items.iter().map(row).collect_view()}</ul> }.into_any()
}
