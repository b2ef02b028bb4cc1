//! Overview: the truth in one glance; the first steps where there is nothing yet.

use api_types::{Campaign, HourFigures, Notice, Overview as Figures, Page, ProviderDay, SendingDomain, Template};
use leptos::prelude::*;
use view::number::{counted, grouped, share};
use view::setup::{self, Has};
use view::tone;

use crate::api::use_api;
use crate::load::{Load, Shown, load};
use crate::parts::{hour as clock, *};

#[component]
pub fn Overview() -> impl IntoView {
    let api = use_api();
    let overview = load(move || api.get::<Figures>("/overview".to_owned())).every(15, || true);
    let domains = load(move || api.get::<Page<SendingDomain>>("/domains".to_owned()));
    let templates = load(move || api.get::<Page<Template>>("/templates?limit=1".to_owned()));
    view! {
        <PageHeader title="Overview" about="What left in the last 24 hours, and what needs you."/>
        {overview.show(6, move |figures| view! {
            {notices(overview.map(|overview| overview.notices.clone()))}
            {first_steps(figures, domains, templates)}
            {stats(overview)}
            <Card title="The last 24 hours">{move || chart(&overview.map(|overview| overview.hours.clone()).get())}</Card>
            <div class="columns">
                <Card title="Providers, last 24 hours">{move || providers(&figures.with(|figures| figures.providers.clone()))}</Card>
                <Card title="Newest campaigns">{move || campaigns(&figures.with(|figures| figures.campaigns.clone()))}</Card>
            </div>
        }.into_any())}
    }
    .into_any()
}

fn notices(notices: Memo<Vec<Notice>>) -> AnyView {
    let rows = move || {
        let notice = |notice: Notice| {
            let (tone, word) = tone::notice(&notice.tone);
            view! {
                <li class="notice" data-tone=tone.name()>
                    {badge(tone, word)}
                    <span>{notice.message}</span>
                    {notice.link.map(|href| view! { <a href=href>"Look"</a> })}
                </li>
            }
        };
        let notices = notices.get();
        (!notices.is_empty()).then(|| {
            let rows = notices.into_iter().map(notice).collect_view();
            view! { <ul class="notices" aria-label="Notices">{rows}</ul> }
        })
    };
    rows.into_any()
}

fn first_steps(
    figures: Shown<Figures>,
    domains: Load<Page<SendingDomain>>,
    templates: Load<Page<Template>>,
) -> AnyView {
    let has = Memo::new(move |_| {
        // Nothing is asked of anybody before it is known what is there.
        let verified = domains.data.with(|page| {
            page.as_ref().map(|page| page.items.iter().any(|domain| view::domain::is_ready(domain.health)))
        })?;
        let templates = templates.data.with(|page| page.as_ref().map(|page| !page.items.is_empty()))?;
        Some(figures.with(|figures| Has {
            // A host in a lab never gets its records published; what was sent proves that it can send.
            verified_domain: verified || figures.delivered_day > 0,
            contacts: figures.contacts > 0,
            templates,
            campaigns: figures.campaigns.iter().any(|campaign| campaign.launched_at.is_some()),
        }))
    });
    let steps = move || {
        let steps = setup::steps(has.get()?);
        let row = |step: setup::Step| {
            let (tone, word) = if step.done { (tone::Tone::Success, "Done") } else { (tone::Tone::Neutral, "To do") };
            view! {
                <li data-done=step.done.to_string()>
                    {badge(tone, word)}
                    <div><a href=step.href>{step.title}</a><p class="muted">{step.reason}</p></div>
                </li>
            }
        };
        (!steps.is_empty()).then(|| {
            view! { <Card title="First steps"><ol class="steps">{steps.into_iter().map(row).collect_view()}</ol></Card> }
        })
    };
    steps.into_any()
}

fn stats(overview: Load<Figures>) -> AnyView {
    let text = move |value: fn(&Figures) -> u64| overview.map(move |figures| grouped(value(figures)));
    let spark = move |value: fn(&HourFigures) -> u64| {
        overview.map(move |figures| figures.hours.iter().map(value).collect::<Vec<_>>())
    };
    let bounced = overview.map(|figures| match figures.delivered_day + figures.bounced_day {
        0 => "last 24 hours".to_owned(),
        settled => format!("{} of what was settled", share(figures.bounced_day, settled)),
    });
    let suppressed = overview.map(|figures| counted(figures.suppressed, "address suppressed", "addresses suppressed"));
    view! {
        <div class="stats">
            <StatCard label="Accepted by receivers" figure=text(|figures| figures.delivered_day) hint=Signal::stored("last 24 hours".to_owned()) spark=spark(|hour| hour.delivered)/>
            <StatCard label="Bounced" figure=text(|figures| figures.bounced_day) hint=bounced spark=spark(|hour| hour.bounced)/>
            <StatCard label="Deferred attempts" figure=text(|figures| figures.deferred_day) hint=Signal::stored("tried again by themselves".to_owned()) spark=spark(|hour| hour.deferred)/>
            <StatCard label="In the queue" figure=text(|figures| figures.queued) hint=Signal::stored("waiting or being sent".to_owned()) href="/queue"/>
            <StatCard label="Contacts" figure=text(|figures| figures.contacts) hint=suppressed href="/contacts"/>
        </div>
    }
    .into_any()
}

const SERIES: [Series; 3] = [("Accepted", "success"), ("Bounced", "danger"), ("Deferred attempts", "warning")];

fn chart(hours: &[HourFigures]) -> AnyView {
    if hours.iter().all(|hour| hour.delivered + hour.bounced + hour.deferred == 0) {
        return view! { <p class="muted">"Nothing was sent in the last 24 hours."</p> }.into_any();
    }
    let column = |(index, hour): (usize, &HourFigures)| Column {
        name: local(&hour.at),
        tick: if index % 4 == 0 { clock(&hour.at) } else { String::new() },
        values: vec![hour.delivered, hour.bounced, hour.deferred],
    };
    bar_chart("Accepted, bounced and deferred by the hour", &SERIES, hours.iter().enumerate().map(column).collect())
}

fn providers(providers: &[ProviderDay]) -> AnyView {
    if providers.is_empty() {
        return view! { <p class="muted">"Nothing was sent in the last 24 hours."</p> }.into_any();
    }
    let heads =
        vec![Head::text("Provider"), Head::number("Accepted"), Head::number("Bounced"), Head::number("Deferred")];
    let row = |row: &ProviderDay| {
        Row::new(vec![
            row.provider.clone().into_any(),
            figure(row.delivered),
            figure(row.bounced),
            figure(row.deferred),
        ])
    };
    table("Providers in the last 24 hours", heads, providers.iter().map(row).collect())
}

fn campaigns(campaigns: &[Campaign]) -> AnyView {
    if campaigns.is_empty() {
        return view! { <p class="muted">"No campaign yet. "<a href="/campaigns/new">"Make the first one"</a></p> }
            .into_any();
    }
    let row = |campaign: &Campaign| {
        let (tone, word) = tone::campaign(campaign.state);
        let delivered = campaign.progress.as_ref().map(|progress| progress.delivered);
        Row::new(vec![
            view! { <a href=format!("/campaigns/{}", campaign.id)>{campaign.name.clone()}</a> }.into_any(),
            badge(tone, word),
            delivered.map_or_else(none, figure),
        ])
    };
    let heads = vec![Head::text("Campaign"), Head::text("State"), Head::number("Accepted")];
    table("Newest campaigns", heads, campaigns.iter().map(row).collect())
}
