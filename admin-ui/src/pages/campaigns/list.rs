//! The list of campaigns.

use api_types::{Campaign, CampaignState};
use leptos::prelude::*;
use view::progress::{headline, settled};
use view::tone::{self, campaign_word};

use crate::load::listed;
use crate::nav::use_query;
use crate::parts::*;

const STATES: [CampaignState; 5] = [
    CampaignState::Draft,
    CampaignState::Running,
    CampaignState::Paused,
    CampaignState::Cancelled,
    CampaignState::Finished,
];

#[component]
pub fn Campaigns() -> impl IntoView {
    let query = use_query();
    let page = listed::<Campaign>(query, &["q", "state"], || "/campaigns".to_owned());
    let running = page.map(|page| page.items.iter().any(|campaign| campaign.state == CampaignState::Running));
    let page = page.every(5, move || running.get_untracked());
    let states: Vec<Choice> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(STATES.iter().map(|state| (campaign_word(*state).to_owned(), tone::campaign(*state).1.to_owned())))
        .collect();
    let heads = || {
        vec![
            Head::text("Campaign"),
            Head::text("State"),
            Head::text("Audience"),
            Head::number("Accepted"),
            Head::number("Bounced"),
            Head::text("Progress"),
            Head::text("Launched"),
        ]
    };
    let empty = || {
        view! {
            <Empty title="No campaign yet" about="A campaign sends a template to a segment, once to each contact. You watch it go and see what happened to every recipient.">
                <LinkButton href="/campaigns/new" look=Look::Primary>"Make a campaign"</LinkButton>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Campaigns" about="What you sent, what is being sent, what is being written.">
            <LinkButton href="/campaigns/new" look=Look::Primary>{icon(Icon::Plus)}"Make a campaign"</LinkButton>
        </PageHeader>
        <Toolbar>
            <Search query label="Search campaigns"/>
            <FilterBy query param="state" label="State" options=states/>
        </Toolbar>
        {list("Campaigns", query, page, &["q", "state"], heads, row, empty)}
    }
    .into_any()
}

fn row(campaign: &Campaign) -> Row {
    let (tone, word) = tone::campaign(campaign.state);
    let href = match campaign.state {
        CampaignState::Draft => format!("/campaigns/{}/edit", campaign.id),
        _ => format!("/campaigns/{}", campaign.id),
    };
    let progress = campaign.progress.as_ref();
    let bar = progress.map_or_else(none, |progress| {
        let percent = settled(progress) as f64 / progress.accepted.max(1) as f64 * 100.0;
        view! { <ProgressBar percent=Signal::stored(percent) label=headline(progress)/> }.into_any()
    });
    Row::new(vec![
        view! { <a href=href>{campaign.name.clone()}</a> }.into_any(),
        badge(tone, word),
        campaign.segment.clone().unwrap_or_else(|| "Everybody".to_owned()).into_any(),
        progress.map_or_else(none, |progress| figure(progress.delivered)),
        progress.map_or_else(none, |progress| figure(progress.bounced)),
        bar,
        campaign.launched_at.as_deref().map_or_else(none, moment),
    ])
}
