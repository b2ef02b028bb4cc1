//! One import: mapping, progress that survives a reload, the result with every refused row.

use api_types::{Import, ImportError, ImportState, Page};
use leptos::prelude::*;
use view::number::{bytes, grouped};
use view::query::with;
use view::tone;

use super::mapping::Mapping;
use crate::api::use_api;
use crate::load::{Load, load};
use crate::nav::{use_id, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn ImportPage() -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let import = load(move || api.get::<Import>(format!("/imports/{}", id.get())));
    let state = Memo::new(move |_| import.data.with(|import| import.as_ref().map(|import| import.state)));
    let import = import.every(1, move || state.get_untracked() == Some(ImportState::Running));
    let title = import.title(|import| import.file_name.clone());
    let body = move || match state.get() {
        None => ().into_any(),
        Some(ImportState::Draft) => view! { <Mapping import/> }.into_any(),
        Some(ImportState::Running) => running(import),
        Some(ImportState::Finished | ImportState::Cancelled | ImportState::Failed) => {
            view! { <Ended import/> }.into_any()
        }
    };
    view! {
        <PageHeader title above=("/contacts/import".to_owned(), "Import contacts")>
            {move || state.get().map(|state| { let (tone, word) = tone::import(state); badge(tone, word) })}
        </PageHeader>
        {import.show(6, move |_| body.into_any())}
    }
    .into_any()
}

fn figures(import: Load<Import>) -> AnyView {
    let text = move |value: fn(&Import) -> u64| import.map(move |import| grouped(value(import)));
    view! {
        <div class="stats">
            <StatCard label="Rows read" figure=text(|import| import.rows)/>
            <StatCard label="New contacts" figure=text(|import| import.created)/>
            <StatCard label="Changed" figure=text(|import| import.updated)/>
            <StatCard label="Skipped" figure=text(|import| import.skipped) hint=Signal::stored("there already, nothing to change".to_owned())/>
            <StatCard label="Refused" figure=text(|import| import.failed) hint=Signal::stored("each is in the report".to_owned())/>
        </div>
    }
    .into_any()
}

fn running(import: Load<Import>) -> AnyView {
    let api = use_api();
    let submit = Submit::new();
    let cancel = Callback::new(move |()| {
        let Some(id) = import.data.with_untracked(|import| import.as_ref().map(|import| import.id)) else { return };
        submit.run(async move {
            api.act::<serde_json::Value>(format!("/imports/{id}/cancel")).await?;
            import.reload();
            Ok(())
        });
    });
    let percent = import.map(view::import::percent);
    let text = import.map(|import| format!("{} of {} read", bytes(import.bytes_done), bytes(import.bytes_total)));
    view! {
        <section class="card">
            <ProgressBar percent label="Import"/>
            <p class="muted" role="status">{text}". You can leave this page; the import goes on."</p>
            {form_error(submit.rest(&[]))}
            <div class="actions"><Button busy=submit.busy on_press=cancel>"Cancel the import"</Button></div>
        </section>
        {figures(import)}
    }
    .into_any()
}

#[component]
fn Ended(import: Load<Import>) -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let id = use_id();
    let cursor = query.param("cursor");
    let failed = import.map(|import| import.failed);
    let message = import.map(|import| import.message.clone());
    let errors = load(move || {
        let path = format!("/imports/{}/errors", id.get());
        api.get::<Page<ImportError>>(with(&path, &[("cursor", &cursor.get())]))
    });
    let heads = || {
        vec![Head::number("Line"), Head::text("Column"), Head::text("What stood there"), Head::text("What is wrong")]
    };
    let row = |error: &ImportError| {
        Row::new(vec![
            figure(error.line),
            error.column.clone().into_any(),
            view! { <code>{error.value.clone()}</code> }.into_any(),
            error.reason.clone().into_any(),
        ])
    };
    let empty = || view! { <p class="muted">"Every row could be read."</p> }.into_any();
    let report = move || format!("/api/v1/imports/{}/errors.csv", id.get());
    view! {
        {move || message.get().map(|message| view! { <p class="form-error" role="alert">{message}</p> })}
        {figures(import)}
        <div class="actions">
            <LinkButton href="/contacts" look=Look::Primary>"To the contacts"</LinkButton>
            {move || (failed.get() > 0).then(|| view! { <a class="button" rel="external" download="" href=report>"Download the refused rows"</a> })}
        </div>
        <h2 class="section">"Refused rows"</h2>
        {list("Refused rows", query, errors, &[], heads, row, empty)}
    }
    .into_any()
}
