//! All sending domains with how each stands.

use api_types::{DomainDetail, NewDomain, Page, SendingDomain};
use leptos::prelude::*;

use crate::api::use_api;
use crate::load::load;
use crate::nav::{use_nav, use_query};
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
    let heads = || {
        vec![
            Head::text("Domain"),
            Head::text("Health"),
            Head::text("Why"),
            Head::text("Records"),
            Head::text("Return path"),
            Head::text("Last check"),
        ]
    };
    let row = |domain: &SendingDomain| {
        let (tone, word) = view::domain::health(domain.health);
        Row::new(vec![
            view! { <a href=format!("/domains/{}", domain.id)>{domain.domain.clone()}</a> }.into_any(),
            badge(tone, word),
            domain.health_reason.clone().into_any(),
            format!("{} of {}", domain.records_ok, domain.records_total).into_any(),
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
