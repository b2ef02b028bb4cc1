//! Sending domains: what to publish, what was found, what differs.

use api_types::{DomainDetail, DomainRecord, NewDomain, Page, SendingDomain};
use leptos::prelude::*;
use view::tone::{self, Tone};

use crate::api::use_api;
use crate::load::load;
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Domains() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let cursor = query.param("cursor");
    let page =
        load(move || api.get::<Page<SendingDomain>>(view::query::with("/domains", &[("cursor", &cursor.get())])));
    let adding = RwSignal::new(false);
    let add = Callback::new(move |()| adding.set(true));
    let heads =
        || vec![Head::text("Domain"), Head::text("Records"), Head::text("Return path"), Head::text("Last check")];
    let row = |domain: &SendingDomain| {
        let (tone, word) = standing(domain);
        Row::new(vec![
            view! { <a href=format!("/domains/{}", domain.id)>{domain.domain.clone()}</a> }.into_any(),
            badge(tone, word),
            view! { <code>{domain.return_path_domain.clone()}</code> }.into_any(),
            domain.checked_at.as_deref().map_or_else(|| "never".into_any(), ago),
        ])
    };
    let empty = move || {
        view! {
            <Empty title="No sending domain yet" about="The domain behind your From address. Signing keys are made with it, and you get every DNS record to publish.">
                <Button look=Look::Primary on_press=add>"Add a domain"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Domains" about="What you send from. Receivers look these records up to know that the mail is yours.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Add a domain"</Button>
        </PageHeader>
        {list("Sending domains", query, page, &[], heads, row, empty)}
        <AddDialog open=adding/>
    }
    .into_any()
}

fn standing(domain: &SendingDomain) -> (Tone, String) {
    let words = format!("{} of {} found", domain.records_ok, domain.records_total);
    match domain.checked_at {
        None => (Tone::Neutral, "Not checked yet".to_owned()),
        Some(_) if domain.records_ok == domain.records_total => (Tone::Success, words),
        Some(_) => (Tone::Warning, words),
    }
}

#[component]
fn AddDialog(open: RwSignal<bool>) -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let name = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let new = NewDomain { domain: name.get_untracked().trim().to_owned() };
        submit.run(async move {
            let added: DomainDetail = api.post("/domains".to_owned(), &new).await?;
            open.try_set(false);
            nav.to(&format!("/domains/{}", added.domain.id));
            Ok(())
        });
    };
    view! {
        <Dialog open title="Add a sending domain">
            <form on:submit=send>
                <Field id="domain" label="Domain" hint="The part after the @ of your From address, for example example.com." error=submit.field("domain")>
                    <TextInput id="domain" value=name required=true mono=true focus=true/>
                </Field>
                {form_error(submit.rest(&["domain"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Add and make keys"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
pub fn DomainPage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let detail = load(move || api.get::<DomainDetail>(format!("/domains/{}", id.get())));
    let title = detail.title(|detail| detail.domain.domain.clone());
    let verify = Submit::new();
    let check = Callback::new(move |()| {
        let id = id.get_untracked();
        verify.run(async move {
            let answer = api.act::<DomainDetail>(format!("/domains/{id}/verify")).await;
            match answer {
                Ok(fresh) => {
                    toasts.good(format!("{} of {} records found", fresh.domain.records_ok, fresh.domain.records_total));
                    detail.data.try_set(Some(fresh));
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    let removing = RwSignal::new(false);
    let remove = Submit::new();
    let removed = Callback::new(move |()| {
        let id = id.get_untracked();
        remove.run(async move {
            api.delete(format!("/domains/{id}")).await?;
            toasts.good("The domain is removed");
            nav.to("/domains");
            Ok(())
        });
    });
    view! {
        <PageHeader title ready=detail.there() above=("/domains".to_owned(), "Domains") about="Publish these records where the domain's DNS is kept, then check.">
            <Button look=Look::Danger on_press=Callback::new(move |()| removing.set(true))>"Remove"</Button>
            <Button look=Look::Primary busy=verify.busy on_press=check>"Check the records now"</Button>
        </PageHeader>
        {detail.show(8, move |detail| view! {
            <p class="muted checked" role="status">{move || match detail.with(|detail| detail.domain.checked_at.clone()) {
                Some(at) => view! { "Last checked "{ago(&at)}"." }.into_any(),
                None => "Not checked yet.".into_any(),
            }}</p>
            <div class="records">{move || detail.with(|detail| detail.records.iter().map(record).collect_view())}</div>
            <Card title="Signing keys">{move || keys(&detail.get())}</Card>
        }.into_any())}
        <ConfirmDialog open=removing title="Remove this domain?" confirm="Remove" type_name=title busy=remove.busy failure=remove.rest(&[]) on_confirm=removed>
            <p>"Its signing keys are destroyed. Campaigns cannot send from it any more, and mail already signed can no longer be verified once the records are gone. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn record(record: &DomainRecord) -> AnyView {
    let (tone, word) = tone::record(record.status, record.required);
    let found = match record.found.as_slice() {
        [] => view! { <span class="muted">"nothing"</span> }.into_any(),
        found => {
            found.iter().map(|value| view! { <code class="reply">{value.clone()}</code> }).collect_view().into_any()
        }
    };
    let compared =
        record.status != api_types::RecordStatus::Unchecked && record.status != api_types::RecordStatus::Found;
    let message = record.message.clone();
    view! {
        <article class="card record" data-tone=tone.name()>
            <header class="card-head">
                <h2>{record.purpose.clone()}</h2>
                <span class="actions">{if record.required { chip("required") } else { chip("recommended") }}{badge(tone, word)}</span>
            </header>
            <dl>
                <dt>"Type"</dt><dd><code>{record.kind.clone()}</code></dd>
                <dt>"Name"</dt><dd><CopyBox value=record.name.clone() what=format!("name of the {} record", record.purpose)/></dd>
                <dt>"Value"</dt><dd><CopyBox value=record.wanted.clone() what=format!("value of the {} record", record.purpose)/></dd>
                {compared.then(|| view! { <dt>"Found"</dt><dd>{found}</dd> })}
            </dl>
            {(!message.is_empty()).then(|| view! { <p class="muted">{message}</p> })}
        </article>
    }
    .into_any()
}

fn keys(detail: &DomainDetail) -> AnyView {
    let row = |key: &api_types::DomainKey| {
        Row::new(vec![
            view! { <code>{key.selector.clone()}</code> }.into_any(),
            key.algorithm.clone().into_any(),
            moment(&key.created_at),
        ])
    };
    let heads = vec![Head::text("Selector"), Head::text("Algorithm"), Head::text("Made")];
    table("Signing keys", heads, detail.keys.iter().map(row).collect())
}
