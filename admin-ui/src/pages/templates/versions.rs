//! The versions of a template, with the way back to each.

use api_types::{Page, Template, TemplateVersion};
use leptos::prelude::*;
use view::query::with;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Versions(id: i64, current: Signal<u32>, on_restored: Callback<Template>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let query = use_query();
    let cursor = query.param("cursor");
    let page = load(move || {
        current.track();
        api.get::<Page<TemplateVersion>>(with(&format!("/templates/{id}/versions"), &[("cursor", &cursor.get())]))
    });
    let wanted = RwSignal::new(0_u32);
    let open = RwSignal::new(false);
    let submit = Submit::new();
    let restore = Callback::new(move |()| {
        let number = wanted.get_untracked();
        submit.run(async move {
            let template: Template = api.act(format!("/templates/{id}/versions/{number}/restore")).await?;
            toasts.good(format!("Version {number} is restored as version {}", template.version));
            open.try_set(false);
            on_restored.run(template);
            Ok(())
        });
    });
    let heads = || {
        vec![Head::number("Version"), Head::text("Subject"), Head::text("Saved by"), Head::text("When"), Head::text("")]
    };
    let row = move |version: &TemplateVersion| {
        let number = version.number;
        let ask = Callback::new(move |()| {
            wanted.set(number);
            open.set(true);
        });
        let action = match number == current.get_untracked() {
            true => view! { <span class="muted">"newest"</span> }.into_any(),
            false => view! { <Button look=Look::Ghost on_press=ask label=format!("Restore version {number}")>"Restore"</Button> }.into_any(),
        };
        Row::new(vec![
            figure(u64::from(number)),
            version.subject.clone().into_any(),
            version.created_by.clone().into_any(),
            moment(&version.created_at),
            action,
        ])
    };
    let title = Signal::derive(move || format!("Restore version {}?", wanted.get()));
    view! {
        {list("Versions", query, page, &[], heads, row, || ().into_any())}
        <ConfirmDialog open title confirm="Restore" look=Look::Primary busy=submit.busy failure=submit.rest(&[]) on_confirm=restore>
            <p>"It becomes a new version on top; nothing is lost. Campaigns already launched keep the version they were launched with."</p>
        </ConfirmDialog>
    }
    .into_any()
}
