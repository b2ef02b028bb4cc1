//! SMTP credentials: made, shown once, switched off and on, taken back.

use api_types::{CreatedSmtpCredential, NewSmtpCredential, Page, SmtpCredential, SmtpCredentialChange, SmtpServer};
use leptos::prelude::*;
use view::credential;
use view::tone::Tone;

use crate::api::use_api;
use crate::load::{Shown, load};
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn SmtpCredentials() -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || {
        api.get::<Page<SmtpCredential>>(view::query::with("/smtp-credentials", &[("cursor", &cursor.get())]))
    });
    let server = load(move || api.get::<SmtpServer>("/smtp-server".to_owned()));
    let adding = RwSignal::new(false);
    let removing = RwSignal::new(None::<SmtpCredential>);
    let changed = Callback::new(move |()| page.reload());
    let add = Callback::new(move |()| adding.set(true));
    let switching = Submit::new();
    let switch = Callback::new(move |row: SmtpCredential| {
        let change = SmtpCredentialChange { enabled: Some(!row.enabled), ..SmtpCredentialChange::default() };
        switching.run(async move {
            let now: SmtpCredential = api.patch(format!("/smtp-credentials/{}", row.id), &change).await?;
            toasts.good(format!("{} works {}", now.name, if now.enabled { "again" } else { "no longer" }));
            changed.run(());
            Ok(())
        });
    });
    let heads = || ["Name", "Login", "Stream", "Sends from", "Rate", "State", "Last used", ""].map(Head::text).to_vec();
    let row = move |row: &SmtpCredential| credential_row(row, switch, removing);
    let empty = move || {
        view! {
            <Empty title="No SMTP credential yet" about="With a credential a program of yours hands in mail by SMTP, and Packetboat signs and delivers it.">
                <Button look=Look::Primary on_press=add>"Make a credential"</Button>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="SMTP credentials" about="For programs that hand in mail by SMTP: login, password and what each may do.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Make a credential"</Button>
        </PageHeader>
        {server.show(1, ports)}
        {form_error(switching.rest(&[]))}
        {list("SMTP credentials", query, page, &[], heads, row, empty)}
        <NewDialog open=adding changed/>
        <RemoveDialog removing changed/>
    }
    .into_any()
}

/// Where programs sign in, or how to make it possible.
fn ports(server: Shown<SmtpServer>) -> AnyView {
    let text = move || match server.with(credential::ports).as_slice() {
        [] => "Nothing listens yet: set listen or listen_tls in [submission], and restart the daemon.".to_owned(),
        ports => format!("Programs sign in at {}.", ports.join(", or ")),
    };
    view! { <p class="muted">{text}</p> }.into_any()
}

fn credential_row(
    row: &SmtpCredential,
    switch: Callback<SmtpCredential>,
    removing: RwSignal<Option<SmtpCredential>>,
) -> Row {
    let (switched, removed) = (row.clone(), row.clone());
    let on_switch = Callback::new(move |()| switch.run(switched.clone()));
    let on_remove = Callback::new(move |()| removing.set(Some(removed.clone())));
    let (state, word) = if row.enabled { (Tone::Success, "Works") } else { (Tone::Neutral, "Disabled") };
    let action = if row.enabled { "Disable" } else { "Enable" };
    Row::new(vec![
        row.name.clone().into_any(),
        view! { <code>{row.login.clone()}</code> }.into_any(),
        row.stream.clone().into_any(),
        credential::reach(row).into_any(),
        credential::pace(row).into_any(),
        badge(state, word),
        row.last_used_at.as_deref().map_or_else(|| "never".into_any(), ago),
        view! {
            <Button look=Look::Ghost on_press=on_switch label=format!("{action} {}", row.name)>{action}</Button>
            <Button look=Look::Ghost on_press=on_remove label=format!("Remove {}", row.name)>"Remove"</Button>
        }
        .into_any(),
    ])
}

#[component]
fn NewDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let [name, stream, domains, rate] = [(); 4].map(|()| RwSignal::new(String::new()));
    let made = RwSignal::new(None::<CreatedSmtpCredential>);
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            made.set(None);
            for field in [name, domains, rate] {
                field.set(String::new());
            }
            stream.set("transactional".to_owned());
        }
    });
    let send = Callback::new(move |()| {
        let new = NewSmtpCredential {
            name: name.get_untracked(),
            stream: stream.get_untracked().trim().to_owned(),
            domains: credential::domains(&domains.get_untracked()),
            messages_per_minute: credential::rate(&rate.get_untracked()),
        };
        submit.run(async move {
            let created: CreatedSmtpCredential = api.post("/smtp-credentials".to_owned(), &new).await?;
            made.try_set(Some(created));
            changed.run(());
            Ok(())
        });
    });
    let body = move || {
        match made.get() {
        Some(created) => created_view(created, open),
        None => view! {
            <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                <Field id="credential-name" label="What it is for" hint="For example: shop, monitoring." error=submit.field("name")>
                    <TextInput id="credential-name" value=name required=true focus=true/>
                </Field>
                <Field id="credential-stream" label="Stream" hint="transactional, bulk, or one of your own; a message may name another." error=submit.field("stream")>
                    <TextInput id="credential-stream" value=stream/>
                </Field>
                <Field id="credential-domains" label="Sends from" hint="Sending domains with commas between them. Empty: every one, later ones too." error=submit.field("domains")>
                    <TextInput id="credential-domains" value=domains/>
                </Field>
                <Field id="credential-rate" label="Messages a minute" hint="Empty: no limit." error=submit.field("messages_per_minute")>
                    <TextInput id="credential-rate" value=rate/>
                </Field>
                {form_error(submit.rest(&["name", "stream", "domains", "messages_per_minute"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Make the credential"</Button>
                </div>
            </form>
        }
        .into_any(),
    }
    };
    view! { <Dialog open title="Make an SMTP credential">{body}</Dialog> }.into_any()
}

fn created_view(created: CreatedSmtpCredential, open: RwSignal<bool>) -> AnyView {
    let ports = credential::ports(&created.server);
    view! {
        <p>"The password is shown only now: copy it to where it is used."</p>
        <div class="field"><span class="field-label">"Login"</span><CopyBox value=created.credential.login what="the login"/></div>
        <div class="field"><span class="field-label">"Password"</span><CopyBox value=created.secret what="the password"/></div>
        {ports.into_iter().map(|line| view! { <p class="muted">{line}</p> }).collect_view()}
        <div class="actions end"><Button look=Look::Primary on_press=Callback::new(move |()| open.set(false))>"I have it"</Button></div>
    }
    .into_any()
}

#[component]
fn RemoveDialog(removing: RwSignal<Option<SmtpCredential>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(removing);
    let submit = Submit::new();
    let name =
        Signal::derive(move || removing.with(|row| row.as_ref().map(|row| row.name.clone()).unwrap_or_default()));
    let remove = Callback::new(move |()| {
        let Some(row) = removing.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/smtp-credentials/{}", row.id)).await?;
            toasts.good(format!("{} is removed", row.name));
            removing.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="Remove this credential?" confirm="Remove" busy=submit.busy failure=submit.rest(&[]) on_confirm=remove>
            <p>"Programs that use "<strong>{name}</strong>" are refused from then on. What they handed in is delivered all the same. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}
