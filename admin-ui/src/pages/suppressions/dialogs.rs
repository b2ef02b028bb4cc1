//! What is done with the list: an address is put on it, many are imported, one is taken off.

use api_types::{Done, NewSuppression, RemoveSuppression, Role, Suppression, SuppressionsImported};
use leptos::prelude::*;
use view::number::{counted, grouped};
use view::query::with;
use view::suppression;
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlInputElement};

use super::choices;
use crate::api::{use_api, use_me};
use crate::parts::*;
use crate::submit::Submit;

/// The choice of the whole installation.
const GLOBAL: &str = "global";

/// For whom an entry holds. The whole installation is the administrators'.
fn scope_field(
    id: &'static str,
    scope: RwSignal<String>,
    error: Signal<Option<String>>,
    may_globally: bool,
) -> Option<AnyView> {
    let options = choices(&[("", "This workspace"), (GLOBAL, "Every workspace of the installation")]);
    let field = move || {
        view! {
            <Field id=id label="Holds for" error=error>
                <Select id=id value=scope on_choice=Callback::new(move |choice| scope.set(choice)) options=options/>
            </Field>
        }
        .into_any()
    };
    may_globally.then(field)
}

#[component]
pub fn AddDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let address = RwSignal::new(String::new());
    let note = RwSignal::new(String::new());
    let covers = RwSignal::new("all".to_owned());
    let scope = RwSignal::new(String::new());
    let until = RwSignal::new(String::new());
    let covered = || choices(&[("all", "Every mail"), ("marketing", "Campaigns and other bulk mail")]);
    let may_globally = use_me().role.may(Role::Admin);
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let new = NewSuppression {
            address: address.get_untracked(),
            note: note.get_untracked(),
            covers: covers.with_untracked(|covers| suppression::covers_of(covers)),
            global: scope.with_untracked(|scope| scope == GLOBAL),
            expires_at: until.with_untracked(|day| suppression::end_of_day(day)),
        };
        submit.run(async move {
            let name = new.address.clone();
            api.post::<serde_json::Value>("/suppressions".to_owned(), &new).await?;
            toasts.good(format!("Nothing will be sent to {name}"));
            open.try_set(false);
            address.try_set(String::new());
            note.try_set(String::new());
            until.try_set(String::new());
            changed.run(());
            Ok(())
        });
    };
    view! {
        <Dialog open title="Suppress an address">
            <form on:submit=send>
                <Field id="address" label="Address" error=submit.field("address")>
                    <TextInput id="address" value=address kind="email" required=true focus=true/>
                </Field>
                <Field id="covers" label="What it does not get" error=submit.field("covers")>
                    <Select id="covers" value=covers on_choice=Callback::new(move |choice| covers.set(choice)) options=covered()/>
                </Field>
                {scope_field("scope", scope, submit.field("global"), may_globally)}
                <Field id="until" label="Until" hint="The last day, in UTC. Leave it empty for ever." error=submit.field("expires_at")>
                    <TextInput id="until" value=until kind="date"/>
                </Field>
                <Field id="note" label="Why" hint="Kept beside it, for whoever looks at it later." error=submit.field("note")>
                    <TextInput id="note" value=note/>
                </Field>
                {form_error(submit.rest(&["address", "covers", "global", "expires_at", "note"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Suppress"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

fn brought(told: &SuppressionsImported) -> String {
    format!("{} added, {} there already", grouped(told.added), grouped(told.known))
}

#[component]
pub fn ImportDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let node = NodeRef::<leptos::html::Input>::new();
    let submit = Submit::new();
    let refused = RwSignal::new(None::<SuppressionsImported>);
    let may_globally = use_me().role.may(Role::Admin);
    let scope = RwSignal::new(String::new());
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = node.get_untracked().and_then(|node| node.dyn_into::<HtmlInputElement>().ok());
        let Some(file) = input.and_then(|input| input.files()?.get(0)) else { return };
        let Ok(form) = FormData::new() else { return };
        if form.append_with_blob_and_filename("file", &file, &file.name()).is_err() {
            return;
        }
        refused.set(None);
        let path =
            with("/suppressions/import", &[("global", if scope.get_untracked() == GLOBAL { "true" } else { "" })]);
        submit.run(async move {
            let told: SuppressionsImported = api.upload(path, form).await?;
            changed.run(());
            if told.failed > 0 {
                refused.try_set(Some(told));
            } else {
                toasts.good(brought(&told));
                open.try_set(false);
            }
            Ok(())
        });
    };
    let rows = move || {
        refused.get().map(|told| {
            let lines = told.errors.iter().map(|error| {
                let text = format!("Line {}, {} “{}”: {}", error.line, error.column, error.value, error.reason);
                view! { <li>{text}</li> }
            });
            let more = told.failed.saturating_sub(told.errors.len() as u64);
            let more = (more > 0).then(|| view! { <li>{format!("and {more} more")}</li> });
            view! { <div role="alert"><p>{brought(&told)}". "{counted(told.failed, "row was", "rows were")}" refused; mend them and import the file again:"</p><ul class="refusals">{lines.collect_view()}{more}</ul></div> }
        })
    };
    let hint = "Columns: address, or address_hash (SHA-256 of the address in lower case); if you like reason, covers (marketing or all), note, expires_at.";
    view! {
        <Dialog open title="Import a list">
            <form on:submit=send>
                <Field id="list" label="CSV file" hint=hint error=submit.field("file")>
                    <input node_ref=node id="list" class="input" type="file" accept=".csv,.tsv,.txt,text/csv" required=true
                        aria-describedby="list-error list-hint"/>
                </Field>
                {scope_field("import-scope", scope, submit.field("global"), may_globally)}
                {rows}
                {form_error(submit.rest(&["file", "global"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Close"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Suppress these"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn RemoveDialog(removing: RwSignal<Option<Suppression>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(removing);
    let reason = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(row) = removing.get_untracked() else { return };
        let body = RemoveSuppression { reason: reason.get_untracked() };
        submit.run(async move {
            let done: Done = api.post(format!("/suppressions/{}/remove", row.id), &body).await?;
            toasts.good(done.message);
            removing.try_set(None);
            reason.try_set(String::new());
            changed.run(());
            Ok(())
        });
    };
    let body = move || {
        removing.with(|row| {
            let row = row.as_ref()?;
            let address = row.address.clone().unwrap_or_else(|| "This address".to_owned());
            let whose = if row.global { " of every workspace" } else { "" };
            Some(format!(
                "{address} can get mail{whose} again from then on. After a complaint or an unsubscribe do this only when the \
                 person asked for it."
            ))
        })
    };
    view! {
        <Dialog open title="Remove from the list?">
            <form on:submit=send>
                <p class="dialog-body">{body}</p>
                <Field id="reason" label="Why" hint="Kept in the history." error=submit.field("reason")>
                    <TextInput id="reason" value=reason required=true focus=true/>
                </Field>
                {form_error(submit.rest(&["reason"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Keep it there"</Button>
                    <Button submit=true look=Look::Danger busy=submit.busy>"Remove"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
