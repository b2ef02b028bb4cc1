//! The live page: progress by server-sent events, by polling where they do not come through.

use api_types::{Campaign, CampaignState, Progress};
use leptos::prelude::*;
use view::number::rate;
use view::progress::{headline, is_live, parts, settled};
use view::tone;
use view::when::span;

use super::actions::{Actions, facts};
use super::figures::{providers, responses, states};
use crate::api::use_api;
use crate::live::follow;
use crate::load::load;
use crate::nav::{use_id, use_nav, use_query};
use crate::pages::warmup::CampaignWarmup;
use crate::parts::*;

#[component]
pub fn CampaignPage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let query = use_query();
    let id = use_id();
    let campaign = load(move || api.get::<Campaign>(format!("/campaigns/{}", id.get())));
    let fresh = RwSignal::new(None::<Progress>);
    let progress = Memo::new(move |_| {
        let first =
            move || campaign.data.with(|campaign| campaign.as_ref().and_then(|campaign| campaign.progress.clone()));
        fresh.get().or_else(first).unwrap_or_default()
    });
    let state = Memo::new(move |_| {
        let first = campaign.data.with(|campaign| campaign.as_ref().map(|campaign| campaign.state))?;
        Some(fresh.with(|fresh| fresh.as_ref().and_then(|fresh| fresh.state)).unwrap_or(first))
    });
    // The end of a campaign changes more than figures: who, when, why.
    Effect::new(move |before: Option<Option<CampaignState>>| {
        let now = state.get();
        if before.flatten().is_some() && before.flatten() != now {
            campaign.reload();
        }
        if now == Some(CampaignState::Draft) {
            nav.replace(&format!("/campaigns/{}/edit", id.get_untracked()));
        }
        now
    });
    watch(id, state, fresh);
    let title = campaign.title(|campaign| campaign.name.clone());
    let reason = campaign.map(|campaign| campaign.state_reason.clone());
    let changed = Callback::new(move |()| {
        fresh.set(None);
        campaign.reload();
    });
    let sort = query.param("sort");
    view! {
        <PageHeader title above=("/campaigns".to_owned(), "Campaigns")>
            <Actions state=state.into() name=title.into() progress=progress.into() changed/>
        </PageHeader>
        {campaign.show(8, move |campaign| view! {
            <p class="state-line">
                {move || state.get().map(|state| { let (tone, word) = tone::campaign(state); badge(tone, word) })}
                <span class="muted">{reason}</span>
            </p>
            <section class="card">
                {bar(progress)}
                {pace(progress, state)}
                {states(id.get_untracked(), progress)}
            </section>
            <Card title="What recipients did">{responses(id.get_untracked(), progress)}</Card>
            <CampaignWarmup id live=Signal::derive(move || state.get() == Some(CampaignState::Running))/>
            <Card title="Per receiving provider">{providers(id.get_untracked(), query, sort, progress)}</Card>
            <Card title="About" actions=view! { <a href=format!("/campaigns/{}/recipients", id.get_untracked())>"Every recipient"</a> }.into_any()>
                {move || campaign.with(facts)}
            </Card>
        }.into_any())}
    }
    .into_any()
}

/// Keeps the figures fresh while they move.
fn watch(id: Memo<i64>, state: Memo<Option<CampaignState>>, fresh: RwSignal<Option<Progress>>) {
    let api = use_api();
    let live = Memo::new(move |_| state.get().is_some_and(is_live));
    let connected = RwSignal::new(false);
    Effect::new(move |_| {
        if live.get() {
            let stream = follow(&format!("/campaigns/{}/stream", id.get()), move |progress: Progress| {
                fresh.try_set(Some(progress));
            });
            Effect::new(move |_| connected.set(stream.get()));
        }
    });
    let poll = load(move || {
        let wanted = live.get();
        let call = api.get::<Progress>(format!("/campaigns/{}/progress", id.get()));
        async move { if wanted { call.await.map(Some) } else { Ok(None) } }
    })
    .every(2, move || live.get_untracked() && !connected.get_untracked());
    Effect::new(move |_| {
        if let Some(Some(progress)) = poll.data.get() {
            fresh.set(Some(progress));
        }
    });
}

fn bar(progress: Memo<Progress>) -> AnyView {
    let parts = Signal::derive(move || progress.with(parts));
    let percent = Signal::derive(move || {
        progress.with(|progress| settled(progress) as f64 / progress.accepted.max(1) as f64 * 100.0)
    });
    let text = Signal::derive(move || progress.with(headline));
    view! { <p class="lead" data-test="headline">{text}</p><StateBar parts settled=percent text/> }.into_any()
}

/// How fast, how long, until when.
fn pace(progress: Memo<Progress>, state: Memo<Option<CampaignState>>) -> AnyView {
    let running = move || state.get() == Some(CampaignState::Running);
    let line = move || {
        let progress = progress.get();
        let average = format!("{} on average", rate(progress.rate_average));
        let elapsed = format!("{} since the launch", span(progress.elapsed_seconds));
        if !running() {
            return view! { <span>{average}</span><span>{elapsed}</span> }.into_any();
        }
        let end = progress.finishes_at.as_deref().map(|at| view! { <span>"finished "{ago(at)}" at this rate"</span> });
        view! { <span><strong>{rate(progress.rate_now)}</strong>" now"</span><span>{average}</span><span>{elapsed}</span>{end} }.into_any()
    };
    view! { <p class="pace muted">{line}</p> }.into_any()
}
