//! API keys: made, shown once, revoked.

use api_types::{ApiKey, CreatedApiKey, NewApiKey, Page};
use leptos::prelude::*;
use view::message::{SCOPE_CHOICES, allowed, scopes};

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

/// What a new key may do unless more is chosen.
const FIRST: &str = SCOPE_CHOICES[0].0;

#[component]
pub fn ApiKeys() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || api.get::<Page<ApiKey>>(view::query::with("/api_keys", &[("cursor", &cursor.get())])));
    let adding = RwSignal::new(false);
    let revoking = RwSignal::new(None::<ApiKey>);
    let changed = Callback::new(move |()| page.reload());
    let add = Callback::new(move |()| adding.set(true));
    let heads = || {
        vec![
            Head::text("Name"),
            Head::text("Begins with"),
            Head::text("May do"),
            Head::text("Made"),
            Head::text("Last used"),
            Head::text(""),
        ]
    };
    let row = move |key: &ApiKey| {
        let chosen = key.clone();
        let revoke = Callback::new(move |()| revoking.set(Some(chosen.clone())));
        Row::new(vec![
            key.name.clone().into_any(),
            view! { <code>{key.prefix.clone()}"…"</code> }.into_any(),
            allowed(&key.scopes, key.rate_per_minute).into_any(),
            moment(&key.created_at),
            key.last_used_at.as_deref().map_or_else(|| "never".into_any(), ago),
            view! { <Button look=Look::Ghost on_press=revoke label=format!("Revoke {}", key.name)>"Revoke"</Button> }
                .into_any(),
        ])
    };
    let empty = move || {
        view! {
            <Empty title="No API key yet" about="A key lets your own programs do what this console does: send messages, import contacts, launch campaigns, read outcomes.">
                <Button look=Look::Primary on_press=add>"Make a key"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="API keys" about="For your own programs. The API is described at /api/v1/openapi.json.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Make a key"</Button>
        </PageHeader>
        {list("API keys", query, page, &[], heads, row, empty)}
        <NewKeyDialog open=adding changed/>
        <RevokeDialog revoking changed/>
    }
    .into_any()
}

#[component]
fn NewKeyDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let name = RwSignal::new(String::new());
    let scope = RwSignal::new(FIRST.to_owned());
    let rate = RwSignal::new(String::new());
    let made = RwSignal::new(None::<CreatedApiKey>);
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            made.set(None);
            name.set(String::new());
            scope.set(FIRST.to_owned());
            rate.set(String::new());
        }
    });
    let choose = Callback::new(move |word| scope.set(word));
    let choices: Vec<_> =
        SCOPE_CHOICES.iter().map(|(word, _, label)| ((*word).to_owned(), (*label).to_owned())).collect();
    let choices = Signal::stored(choices);
    let send = Callback::new(move |()| {
        let new = NewApiKey {
            name: name.get_untracked(),
            scopes: scopes(&scope.get_untracked()),
            rate_per_minute: view::message::rate(&rate.get_untracked()),
        };
        submit.run(async move {
            let key: CreatedApiKey = api.post("/api_keys".to_owned(), &new).await?;
            made.try_set(Some(key));
            changed.run(());
            Ok(())
        });
    });
    let body = move || {
        match made.get() {
        Some(key) => view! {
            <p>"This is the key. It is shown only now: copy it to where it is used, as "<code>"Authorization: Bearer …"</code>"."</p>
            <CopyBox value=key.key what="the key"/>
            <div class="actions end"><Button look=Look::Primary on_press=Callback::new(move |()| open.set(false))>"I have it"</Button></div>
        }
        .into_any(),
        None => view! {
            <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                <Field id="key-name" label="What it is for" hint="For example: shop, nightly import." error=submit.field("name")>
                    <TextInput id="key-name" value=name required=true focus=true/>
                </Field>
                <Field id="key-scope" label="What it may do" hint="As little as it needs: who finds the key can do no more." error=submit.field("scopes")>
                    <Select id="key-scope" value=scope on_choice=choose options=choices/>
                </Field>
                <Field id="key-rate" label="Requests a minute" hint="Each message of a batch counts. Empty: no limit of its own." error=submit.field("rate_per_minute")>
                    <TextInput id="key-rate" value=rate kind="number"/>
                </Field>
                {form_error(submit.rest(&["name", "scopes", "rate_per_minute"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Make the key"</Button>
                </div>
            </form>
        }
        .into_any(),
    }
    };
    view! { <Dialog open title="Make an API key">{body}</Dialog> }.into_any()
}

#[component]
fn RevokeDialog(revoking: RwSignal<Option<ApiKey>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(revoking);
    let submit = Submit::new();
    let name =
        Signal::derive(move || revoking.with(|key| key.as_ref().map(|key| key.name.clone()).unwrap_or_default()));
    let revoke = Callback::new(move |()| {
        let Some(key) = revoking.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/api_keys/{}", key.id)).await?;
            toasts.good(format!("{} is revoked", key.name));
            revoking.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="Revoke this key?" confirm="Revoke" busy=submit.busy failure=submit.rest(&[]) on_confirm=revoke>
            <p>"Programs that use the key "<strong>{name}</strong>" are refused from then on. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}
