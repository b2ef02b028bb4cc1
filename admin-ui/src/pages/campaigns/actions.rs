//! What can be done with a campaign: pause, resume, cancel, delete a draft.

use api_types::{Campaign, CampaignState, Progress};
use leptos::prelude::*;
use view::progress::cancel_warning;

use crate::api::use_api;
use crate::nav::{use_id, use_nav};
use crate::parts::*;
use crate::submit::Submit;

/// The buttons that its state allows.
#[component]
pub fn Actions(
    state: Signal<Option<CampaignState>>,
    name: Signal<String>,
    progress: Signal<Progress>,
    changed: Callback<()>,
) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let id = use_id();
    let submit = Submit::new();
    let cancelling = RwSignal::new(false);
    let act = move |word: &'static str, said: &'static str| {
        Callback::new(move |()| {
            let id = id.get_untracked();
            submit.run(async move {
                let answer = api.act::<serde_json::Value>(format!("/campaigns/{id}/{word}")).await;
                if answer.is_ok() {
                    toasts.good(said);
                    cancelling.try_set(false);
                    changed.run(());
                } else if let (Err(failure), false) = (&answer, cancelling.try_get_untracked() == Some(true)) {
                    toasts.failed(failure);
                }
                answer.map(|_: serde_json::Value| ())
            });
        })
    };
    let (pause, resume, cancel) = (
        act("pause", "Paused. What is on its way right now still arrives."),
        act("resume", "Going on"),
        act("cancel", "Cancelled"),
    );
    let ask = Callback::new(move |()| cancelling.set(true));
    let buttons = move || match state.get() {
        Some(CampaignState::Running) => view! {
            <Button look=Look::Danger on_press=ask>"Cancel…"</Button>
            <Button look=Look::Primary busy=submit.busy on_press=pause>"Pause"</Button>
        }
        .into_any(),
        Some(CampaignState::Paused) => view! {
            <Button look=Look::Danger on_press=ask>"Cancel…"</Button>
            <Button look=Look::Primary busy=submit.busy on_press=resume>"Resume"</Button>
        }
        .into_any(),
        _ => ().into_any(),
    };
    view! {
        {buttons}
        <ConfirmDialog open=cancelling title="Cancel this campaign?" confirm="Cancel the campaign" type_name=name busy=submit.busy failure=submit.rest(&[]) on_confirm=cancel>
            <p>{move || cancel_warning(&progress.get())}</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// Deletes a draft.
#[component]
pub fn DeleteDraft() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let asking = RwSignal::new(false);
    let submit = Submit::new();
    let delete = Callback::new(move |()| {
        let id = id.get_untracked();
        submit.run(async move {
            api.delete(format!("/campaigns/{id}")).await?;
            toasts.good("The draft is deleted");
            nav.to("/campaigns");
            Ok(())
        });
    });
    view! {
        <Button look=Look::Danger on_press=Callback::new(move |()| asking.set(true))>"Delete the draft"</Button>
        <ConfirmDialog open=asking title="Delete this draft?" confirm="Delete" busy=submit.busy failure=submit.rest(&[]) on_confirm=delete>
            <p>"The template and the segment stay; only this draft is gone. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// The facts of a campaign that do not move.
pub fn facts(campaign: &Campaign) -> AnyView {
    let template = campaign.template_id.map_or_else(none, |id| {
        let name = campaign.template.clone().unwrap_or_else(|| format!("Template {id}"));
        let version = campaign.template_version.map(|version| format!(" (version {version})"));
        view! { <a href=format!("/templates/{id}")>{name}</a>{version} }.into_any()
    });
    let audience = match (campaign.segment_id, campaign.segment.clone()) {
        (Some(id), name) => {
            view! { <a href=format!("/segments/{id}")>{name.unwrap_or_else(|| format!("Segment {id}"))}</a> }.into_any()
        }
        (None, _) => "Everybody".into_any(),
    };
    let from = if campaign.from_name.is_empty() {
        campaign.from_email.clone()
    } else {
        format!("{} <{}>", campaign.from_name, campaign.from_email)
    };
    let time = |label: &'static str, at: &Option<String>| {
        at.clone().map(|at| view! { <dt>{label}</dt><dd>{moment(&at)}</dd> })
    };
    view! {
        <dl class="facts">
            <dt>"Template"</dt><dd>{template}</dd>
            <dt>"Audience"</dt><dd>{audience}</dd>
            <dt>"From"</dt><dd>{from}</dd>
            <dt>"Stream"</dt><dd><a href="/egress">{campaign.stream.clone()}</a></dd>
            {(!campaign.pool.is_empty()).then(|| view! { <dt>"Pool"</dt><dd><a href="/egress">{campaign.pool.clone()}</a></dd> })}
            {time("Launched", &campaign.launched_at)}
            {time("Finished", &campaign.finished_at)}
        </dl>
    }
    .into_any()
}
