//! Importing: the upload, and every import there was.

use api_types::{Import, Page};
use leptos::prelude::*;
use view::number::bytes;
use view::tone;
use wasm_bindgen::JsCast;
use web_sys::{File, FormData, HtmlInputElement};

use crate::api::use_api;
use crate::load::load;
use crate::nav::{use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Imports() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || api.get::<Page<Import>>(view::query::with("/imports", &[("cursor", &cursor.get())])));
    let heads = || {
        vec![
            Head::text("File"),
            Head::text("State"),
            Head::number("Rows"),
            Head::number("New"),
            Head::number("Changed"),
            Head::number("Refused"),
            Head::text("Uploaded"),
        ]
    };
    let row = |import: &Import| {
        let (tone, word) = tone::import(import.state);
        Row::new(vec![
            view! { <a href=format!("/imports/{}", import.id)>{import.file_name.clone()}</a> }.into_any(),
            badge(tone, word),
            figure(import.rows),
            figure(import.created),
            figure(import.updated),
            figure(import.failed),
            moment(&import.created_at),
        ])
    };
    let empty = || view! { <p class="muted">"Nothing was imported yet."</p> }.into_any();
    view! {
        <PageHeader title="Import contacts" above=("/contacts".to_owned(), "Contacts") about="A CSV file with a heading line. You choose what each column means before anything is read."/>
        <Upload/>
        <h2 class="section">"Imports so far"</h2>
        {list("Imports", query, page, &[], heads, row, empty)}
    }
    .into_any()
}

#[component]
fn Upload() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let node = NodeRef::<leptos::html::Input>::new();
    let chosen = RwSignal::new(None::<String>);
    let submit = Submit::new();
    let choose = move |event: leptos::ev::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        chosen.set(input.as_ref().and_then(file).map(|file| format!("{}, {}", file.name(), bytes(file.size() as u64))));
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(file) = node.get_untracked().as_ref().and_then(file) else { return };
        let Ok(form) = FormData::new() else { return };
        if form.append_with_blob_and_filename("file", &file, &file.name()).is_err() {
            return;
        }
        submit.run(async move {
            let import: Import = api.upload("/imports".to_owned(), form).await?;
            nav.to(&format!("/imports/{}", import.id));
            Ok(())
        });
    };
    view! {
        <form class="card narrow" on:submit=send>
            <Field id="file" label="CSV file" hint="Comma, semicolon or tab; UTF-8 or an older encoding." error=submit.field("file")>
                <input node_ref=node id="file" class="input" type="file" accept=".csv,.tsv,.txt,text/csv" required=true
                    aria-describedby="file-error file-hint" on:change=choose/>
            </Field>
            {form_error(submit.rest(&["file"]))}
            <div class="actions end">
                <span class="muted" role="status">{chosen}</span>
                <Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || chosen.get().is_none())>"Upload"</Button>
            </div>
        </form>
    }
    .into_any()
}

fn file(input: &HtmlInputElement) -> Option<File> {
    input.files()?.get(0)
}
