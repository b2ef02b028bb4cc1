//! On which lists a contact stands.

use api_types::{ContactList, ContactListsInput, ListStatus, Page};
use leptos::prelude::*;
use view::tone::Tone;

use crate::api::{Api, use_api, use_me};
use crate::load::{Load, load};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn ContactLists(id: Memo<i64>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let lists = load(move || api.get::<Page<ContactList>>(format!("/contacts/{}/lists", id.get())));
    let submit = Submit::new();
    let asking = RwSignal::new(None::<ContactList>);
    let open = open_for(asking);
    let change = Callback::new(move |(list, on): (i64, bool)| {
        let wanted = with_or_without(&lists, list, on);
        put(api, lists, submit, (id.get_untracked(), wanted), changed);
    });
    let confirmed = Callback::new(move |()| {
        if let Some(list) = asking.get_untracked() {
            asking.set(None);
            change.run((list.id, true));
        }
    });
    view! {
        <Card title="Lists">
            {lists.show(2, move |page| view! { {move || page.with(|page| rows(&page.items, submit, change, asking))} }.into_any())}
            {form_error(submit.rest(&[]))}
        </Card>
        <ConfirmDialog open title="Put it on the list again?" confirm="Put it there" look=Look::Primary on_confirm=confirmed>
            <p>"This contact has left the list. Put it there again only when the person asked for it."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// The lists that a contact is on, with one more or one less.
fn with_or_without(lists: &Load<Page<ContactList>>, list: i64, on: bool) -> Vec<i64> {
    lists.data.with_untracked(|page| {
        let all = page.as_ref().map(|page| page.items.as_slice()).unwrap_or_default();
        let is_on = |one: &&ContactList| match one.id == list {
            true => on,
            false => one.status == Some(ListStatus::Subscribed),
        };
        all.iter().filter(is_on).map(|one| one.id).collect()
    })
}

fn put(
    api: Api,
    lists: Load<Page<ContactList>>,
    submit: Submit,
    (contact, wanted): (i64, Vec<i64>),
    changed: Callback<()>,
) {
    submit.run(async move {
        let now = api.put(format!("/contacts/{contact}/lists"), &ContactListsInput { lists: wanted }).await?;
        lists.data.put(now);
        changed.run(());
        Ok(())
    });
}

fn rows(
    items: &[ContactList],
    submit: Submit,
    change: Callback<(i64, bool)>,
    asking: RwSignal<Option<ContactList>>,
) -> AnyView {
    if items.is_empty() {
        return view! { <p class="muted">"There is no list yet. "<a href="/lists">"Make one"</a></p> }.into_any();
    }
    let may_change = use_me().role.may(api_types::Role::Marketer);
    let disabled = Signal::derive(move || !may_change || submit.busy.get());
    let row = |one: &ContactList| {
        let list = one.clone();
        let on_change = Callback::new(move |on: bool| match (on, list.status) {
            // Its own wish: somebody has to stand for the change.
            (true, Some(ListStatus::Left)) => asking.set(Some(list.clone())),
            _ => change.run((list.id, on)),
        });
        let left = (one.status == Some(ListStatus::Left)).then(|| badge(Tone::Warning, "Left it"));
        let since = one.since.as_deref().map(|at| view! { <span class="muted">"since "{moment(at)}</span> });
        view! {
            <li class="list-standing">
                <Check label=one.name.clone() checked=one.status == Some(ListStatus::Subscribed) on_change disabled/>
                {left}{since}
            </li>
        }
    };
    view! { <ul class="plain-list">{items.iter().map(row).collect_view()}</ul> }.into_any()
}
