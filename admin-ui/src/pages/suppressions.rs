//! Suppressions: addresses that nothing is sent to, why, since when.

use api_types::{Done, NewSuppression, Page, RemoveSuppression, Suppression, SuppressionCovers, SuppressionsImported};
use leptos::prelude::*;
use view::query::with;
use view::tone::{self, SUPPRESSION_REASONS, Tone};
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlInputElement};

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Suppressions() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let (q, reason, cursor) = (query.param("q"), query.param("reason"), query.param("cursor"));
    let global = query.param("global");
    let page = load(move || {
        let (q, reason, global, cursor) = (q.get(), reason.get(), global.get(), cursor.get());
        let narrowed = [("q", q.as_str()), ("reason", &reason), ("global", &global), ("cursor", &cursor)];
        api.get::<Page<Suppression>>(with("/suppressions", &narrowed))
    });
    let adding = RwSignal::new(false);
    let importing = RwSignal::new(false);
    let removing = RwSignal::new(None::<Suppression>);
    let changed = Callback::new(move |()| page.reload());
    let options: Vec<_> = std::iter::once((String::new(), "Every reason".to_owned()))
        .chain(
            SUPPRESSION_REASONS
                .iter()
                .map(|(word, reason)| ((*word).to_owned(), tone::suppression(*reason).1.to_owned())),
        )
        .collect();
    let heads = || {
        vec![
            Head::text("Address"),
            Head::text("Reason"),
            Head::text("Keeps away"),
            Head::text("Where from"),
            Head::text("Since"),
            Head::text(""),
        ]
    };
    let row = move |row: &Suppression| suppression_row(row, removing);
    let add = Callback::new(move |()| adding.set(true));
    let empty = move || {
        view! {
            <Empty title="Nobody is suppressed" about="Addresses come here by themselves: after a hard bounce, several soft ones, a complaint or an unsubscribe.">
                <Button look=Look::Primary on_press=add>"Suppress an address"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Suppressions" about="These addresses get no campaign; most of them get no mail at all. Checked at the last moment before sending.">
            <a class="button ghost" href="/api/v1/suppressions/export" rel="external" download="suppressions.csv">"Export"</a>
            <Button on_press=Callback::new(move |()| importing.set(true))>"Import"</Button>
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Suppress an address"</Button>
        </PageHeader>
        <Toolbar>
            <Search query label="Search addresses"/>
            <FilterBy query param="reason" label="Reason" options=options/>
            <FilterBy query param="global" label="Holds for" options=scopes()/>
        </Toolbar>
        {list("Suppressions", query, page, &["q", "reason", "global"], heads, row, empty)}
        <AddDialog open=adding changed/>
        <ImportDialog open=importing changed/>
        <RemoveDialog removing changed/>
    }
    .into_any()
}

fn suppression_row(row: &Suppression, removing: RwSignal<Option<Suppression>>) -> Row {
    let (tone, word) = tone::suppression(row.reason);
    let address = row.address.clone().unwrap_or_else(|| "only its hash is kept".to_owned());
    let trace = row.address.as_deref().map(view::trace::of_address);
    let shown = match trace {
        Some(href) => view! { <a href=href>{address.clone()}</a> }.into_any(),
        None => address.clone().into_any(),
    };
    let by = row.created_by.clone().map(|by| format!(" by {by}")).unwrap_or_default();
    let chosen = row.clone();
    let remove = Callback::new(move |()| removing.set(Some(chosen.clone())));
    let label = format!("Remove {address} from the list");
    Row::new(vec![
        shown,
        badge(tone, word),
        covers(row),
        view! { <span class="answer">{row.origin.clone()}{by}</span> }.into_any(),
        view! { {moment(&row.created_at)}{row.expires_at.as_deref().map(|at| view! { " until "{moment(at)} })} }
            .into_any(),
        view! { <Button look=Look::Ghost on_press=remove label>"Remove"</Button> }.into_any(),
    ])
}

fn covers(row: &Suppression) -> AnyView {
    let what = match row.covers {
        SuppressionCovers::All => "Every mail",
        SuppressionCovers::Marketing => "Campaigns",
    };
    let whose = row.global.then(|| badge(Tone::Neutral, "Every workspace"));
    view! { <span class="chips">{what}{whose}</span> }.into_any()
}

fn scopes() -> Vec<Choice> {
    let choice = |value: &str, label: &str| (value.to_owned(), label.to_owned());
    vec![
        choice("", "Whatever it holds for"),
        choice("false", "This workspace"),
        choice("true", "The whole installation"),
    ]
}

#[component]
fn AddDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let address = RwSignal::new(String::new());
    let note = RwSignal::new(String::new());
    let covers = RwSignal::new("all".to_owned());
    let choices = Signal::derive(|| {
        vec![
            ("all".to_owned(), "Every mail".to_owned()),
            ("marketing".to_owned(), "Campaigns and other bulk mail".to_owned()),
        ]
    });
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let only_marketing = covers.with_untracked(|covers| covers == "marketing");
        let new = NewSuppression {
            address: address.get_untracked(),
            note: note.get_untracked(),
            covers: if only_marketing { SuppressionCovers::Marketing } else { SuppressionCovers::All },
            global: false,
            expires_at: None,
        };
        submit.run(async move {
            let name = new.address.clone();
            api.post::<serde_json::Value>("/suppressions".to_owned(), &new).await?;
            toasts.good(format!("Nothing will be sent to {name}"));
            open.try_set(false);
            address.try_set(String::new());
            note.try_set(String::new());
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
                    <Select id="covers" value=covers on_choice=Callback::new(move |choice| covers.set(choice)) options=choices/>
                </Field>
                <Field id="note" label="Why" hint="Kept beside it, for whoever looks at it later." error=submit.field("note")>
                    <TextInput id="note" value=note/>
                </Field>
                {form_error(submit.rest(&["address", "covers", "note"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Suppress"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
fn ImportDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let node = NodeRef::<leptos::html::Input>::new();
    let submit = Submit::new();
    let refused = RwSignal::new(None::<SuppressionsImported>);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = node.get_untracked().and_then(|node| node.dyn_into::<HtmlInputElement>().ok());
        let Some(file) = input.and_then(|input| input.files()?.get(0)) else { return };
        let Ok(form) = FormData::new() else { return };
        if form.append_with_blob_and_filename("file", &file, &file.name()).is_err() {
            return;
        }
        refused.set(None);
        submit.run(async move {
            let told: SuppressionsImported = api.upload("/suppressions/import".to_owned(), form).await?;
            toasts.good(format!("{} added, {} stood there already", told.added, told.known));
            changed.run(());
            if told.failed > 0 {
                refused.try_set(Some(told));
            } else {
                open.try_set(false);
            }
            Ok(())
        });
    };
    let rows = move || {
        refused.get().map(|told| {
            let lines = told.errors.into_iter().map(|error| {
                let text = format!("Line {}, {}: {} ({})", error.line, error.column, error.reason, error.value);
                view! { <li>{text}</li> }
            });
            view! { <p>{told.failed}" rows were refused:"</p><ul>{lines.collect_view()}</ul> }
        })
    };
    let hint = "Columns: address, and if you like reason, covers (marketing or all), note, expires_at.";
    view! {
        <Dialog open title="Import a list">
            <form on:submit=send>
                <Field id="list" label="CSV file" hint=hint error=submit.field("file")>
                    <input node_ref=node id="list" class="input" type="file" accept=".csv,.tsv,.txt,text/csv" required=true
                        aria-describedby="list-error list-hint"/>
                </Field>
                {rows}
                {form_error(submit.rest(&["file"]))}
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
fn RemoveDialog(removing: RwSignal<Option<Suppression>>, changed: Callback<()>) -> impl IntoView {
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
    let address = move || removing.with(|row| row.as_ref().and_then(|row| row.address.clone()).unwrap_or_default());
    view! {
        <Dialog open title="Remove from the list?">
            <form on:submit=send>
                <p class="dialog-body">{address}" can get mail again from then on. After a complaint or an unsubscribe do this only when the person asked for it."</p>
                <Field id="reason" label="Why" hint="Kept with the event." error=submit.field("reason")>
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
