//! The workspace's name, time zone and postal address.

use api_types::{Role, WorkspaceSettings};
use leptos::prelude::*;

use crate::api::{use_api, use_me};
use crate::guard::UnsavedGuard;
use crate::load::load;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn WorkspacePage() -> impl IntoView {
    let api = use_api();
    let settings = load(move || api.get::<WorkspaceSettings>("/workspace".to_owned()));
    view! {
        <PageHeader title="Workspace" about="How you present yourself: templates and the footer of every campaign use it."/>
        {settings.show(4, move |settings| view! { <Settings saved=settings.get_untracked()/> }.into_any())}
    }
    .into_any()
}

#[component]
fn Settings(saved: WorkspaceSettings) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let may_change = use_me().role.may(Role::Admin);
    let name = RwSignal::new(saved.name.clone());
    let time_zone = RwSignal::new(saved.time_zone.clone());
    let postal_address = RwSignal::new(saved.postal_address.clone());
    let saved = RwSignal::new(saved);
    let submit = Submit::new();
    let now = move || WorkspaceSettings {
        name: name.get(),
        time_zone: time_zone.get(),
        postal_address: postal_address.get(),
    };
    let dirty = Memo::new(move |_| now() != saved.get());
    let save = Callback::new(move |()| {
        let wanted = untrack(now);
        submit.run(async move {
            let kept: WorkspaceSettings = api.put("/workspace".to_owned(), &wanted).await?;
            name.try_set(kept.name.clone());
            time_zone.try_set(kept.time_zone.clone());
            postal_address.try_set(kept.postal_address.clone());
            saved.try_set(kept);
            toasts.good("Saved");
            Ok(())
        });
    });
    let readonly = Signal::derive(move || !may_change);
    view! {
        <UnsavedGuard dirty/>
        <Card title="Settings">
            <form class="form" on:submit=move |event| { event.prevent_default(); save.run(()); }>
                <Field id="workspace-name" label="Name" hint="workspace.name in templates." error=submit.field("name")>
                    <TextInput id="workspace-name" value=name required=true disabled=readonly/>
                </Field>
                <Field id="postal-address" label="Postal address" hint="The law of many countries wants it in every campaign; it stands in the footer. workspace.postal_address in templates." error=submit.field("postal_address")>
                    <TextInput id="postal-address" value=postal_address placeholder="1 Example Road, 1000 Lisbon, Portugal" disabled=readonly/>
                </Field>
                <Field id="time-zone" label="Time zone" hint="IANA name. Segments mean their relative dates in it." error=submit.field("time_zone")>
                    <TextInput id="time-zone" value=time_zone required=true placeholder="Europe/Lisbon" disabled=readonly/>
                </Field>
                {form_error(submit.rest(&["name", "postal_address", "time_zone"]))}
                {if may_change {
                    view! { <div class="actions"><Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || !dirty.get())>"Save"</Button></div> }.into_any()
                } else {
                    view! { <p class="muted">"An owner or administrator can change this."</p> }.into_any()
                }}
            </form>
        </Card>
    }
    .into_any()
}
