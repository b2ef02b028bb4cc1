//! Reply addresses: made, changed, deleted.

use api_types::{Page, ReplyAddress, Webhook};
use leptos::prelude::*;
use view::query::with;
use view::reply;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

pub fn addresses(adding: RwSignal<bool>) -> AnyView {
    let api = use_api();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || api.get::<Page<ReplyAddress>>(with("/reply-addresses", &[("cursor", &cursor.get())])));
    let changed = Callback::new(move |()| page.reload());
    let (changing, removing) = (RwSignal::new(None::<ReplyAddress>), RwSignal::new(None::<ReplyAddress>));
    let add = Callback::new(move |()| adding.set(true));
    let heads = || ["Address", "Answers are", "Made by", "Since", ""].map(Head::text).to_vec();
    let row = move |row: &ReplyAddress| address_row(row, changing, removing);
    let empty = move || {
        view! {
            <Empty title="No reply address yet" about="An address at the return path of a sending domain, or at a domain whose MX is this host: what people answer there is kept, or sent on to your team.">
                <Button look=Look::Primary on_press=add>"Add a reply address"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        {list("Reply addresses", query, page, &[], heads, row, empty)}
        <AddressDialog open=adding changed/>
        <ChangeDialog changing changed/>
        <RemoveDialog removing changed/>
    }
    .into_any()
}

fn address_row(
    row: &ReplyAddress,
    changing: RwSignal<Option<ReplyAddress>>,
    removing: RwSignal<Option<ReplyAddress>>,
) -> Row {
    let (changed, removed) = (row.clone(), row.clone());
    let on_change = Callback::new(move |()| changing.set(Some(changed.clone())));
    let on_remove = Callback::new(move |()| removing.set(Some(removed.clone())));
    Row::new(vec![
        row.address.clone().into_any(),
        reply::what(row).into_any(),
        row.created_by.clone().into_any(),
        ago(&row.created_at),
        view! {
            <Button look=Look::Ghost on_press=on_change label=format!("Change {}", row.address)>"Change"</Button>
            <Button look=Look::Ghost on_press=on_remove label=format!("Delete {}", row.address)>"Delete"</Button>
        }
        .into_any(),
    ])
}

/// Which way answers go, and to which address where they are forwarded.
#[component]
fn Way(
    choice: RwSignal<String>,
    forward_to: RwSignal<String>,
    webhook_error: Signal<Option<String>>,
    forward_error: Signal<Option<String>>,
) -> impl IntoView {
    let api = use_api();
    let hooks = load(move || api.get::<Page<Webhook>>("/webhooks?limit=200".to_owned()));
    let options = Signal::derive(move || {
        reply::choices(&hooks.data.with(|page| page.as_ref().map(|page| page.items.clone()).unwrap_or_default()))
    });
    let choose = Callback::new(move |word: String| choice.set(word));
    view! {
        <Field id="reply-way" label="What happens with answers" hint="Whatever it is, they are kept for reading too." error=webhook_error>
            <Select id="reply-way" value=choice on_choice=choose options/>
        </Field>
        {move || (choice.get() == "forward").then(|| view! {
            <Field id="reply-forward" label="Forward to" error=forward_error>
                <TextInput id="reply-forward" value=forward_to kind="email" required=true/>
            </Field>
        })}
    }
    .into_any()
}

/// Asks for an address and what is done with its answers.
#[component]
pub fn AddressDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let [address, choice, forward_to] = [(); 3].map(|()| RwSignal::new(String::new()));
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            address.set(String::new());
            choice.set("keep".to_owned());
            forward_to.set(String::new());
        }
    });
    let send = Callback::new(move |()| {
        let change = reply::change(&choice.get_untracked(), &forward_to.get_untracked());
        let new = reply::new(&address.get_untracked(), change);
        submit.run(async move {
            let made: ReplyAddress = api.post("/reply-addresses".to_owned(), &new).await?;
            toasts.good(format!("Answers to {} are {}", made.address, reply::what(&made)));
            open.try_set(false);
            changed.run(());
            Ok(())
        });
    });
    let (webhook_error, forward_error) = (submit.field("webhook_id"), submit.field("forward_to"));
    view! {
        <Dialog open title="Add a reply address">
            <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                <Field id="reply-address" label="Address" hint="At the return path of a sending domain, such as hello@bounce.example.com, or at a domain below a sending domain whose MX is this host." error=submit.field("address")>
                    <TextInput id="reply-address" value=address kind="email" required=true focus=true/>
                </Field>
                <Way choice forward_to webhook_error forward_error/>
                {form_error(submit.rest(&["address", "forward_to", "webhook_id"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Add the address"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
fn ChangeDialog(changing: RwSignal<Option<ReplyAddress>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(changing);
    let [choice, forward_to] = [(); 2].map(|()| RwSignal::new(String::new()));
    let submit = Submit::new();
    Effect::new(move |_| {
        let known = changing.with(|row| row.as_ref().map(|row| (reply::choice(row), row.forward_to.clone())));
        let (known, to) = known.unwrap_or_default();
        choice.set(known);
        forward_to.set(to.unwrap_or_default());
    });
    let send = Callback::new(move |()| {
        let Some(row) = changing.get_untracked() else { return };
        let change = reply::change(&choice.get_untracked(), &forward_to.get_untracked());
        submit.run(async move {
            let now: ReplyAddress = api.patch(format!("/reply-addresses/{}", row.id), &change).await?;
            toasts.good(format!("Answers to {} are {}", now.address, reply::what(&now)));
            changing.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    let (webhook_error, forward_error) = (submit.field("webhook_id"), submit.field("forward_to"));
    view! {
        <Dialog open title="What happens with answers">
            <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                <Way choice forward_to webhook_error forward_error/>
                {form_error(submit.rest(&["forward_to", "webhook_id"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Save"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
fn RemoveDialog(removing: RwSignal<Option<ReplyAddress>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(removing);
    let submit = Submit::new();
    let name =
        Signal::derive(move || removing.with(|row| row.as_ref().map(|row| row.address.clone()).unwrap_or_default()));
    let remove = Callback::new(move |()| {
        let Some(row) = removing.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/reply-addresses/{}", row.id)).await?;
            toasts.good(format!("{} is deleted", row.address));
            removing.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="Delete this reply address?" confirm="Delete" busy=submit.busy failure=submit.rest(&[]) on_confirm=remove>
            <p>"Mail to "<strong>{name}</strong>" is refused from then on: who answers gets an error from their own server. What came there stays readable."</p>
        </ConfirmDialog>
    }
    .into_any()
}
