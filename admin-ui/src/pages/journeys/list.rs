//! The list of journeys, and making one.

use api_types::{Journey, JourneyInput, JourneyState, JourneySummary, Role};
use leptos::prelude::*;
use view::journey;
use view::query::with;

use crate::api::{use_api, use_me};
use crate::load::listed;
use crate::nav::{use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

const STATES: [JourneyState; 4] = [JourneyState::Draft, JourneyState::Live, JourneyState::Paused, JourneyState::Ended];

#[component]
pub fn Journeys() -> impl IntoView {
    let query = use_query();
    let may_change = use_me().role.may(Role::Marketer);
    let page = listed::<JourneySummary>(query, &["q", "state"], || "/journeys".to_owned());
    let live = page.map(|page| page.items.iter().any(|journey| journey.state == JourneyState::Live));
    let page = page.every(10, move || live.get_untracked());
    let states: Vec<Choice> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(STATES.iter().map(|state| (journey::state_word(*state).to_owned(), journey::state(*state).1.to_owned())))
        .collect();
    let heads = || {
        vec![
            Head::text("Journey"),
            Head::text("State"),
            Head::number("Under way"),
            Head::number("Entered"),
            Head::number("Finished"),
            Head::number("Goal"),
            Head::text("Changed"),
        ]
    };
    let make = move || {
        may_change.then(|| {
            view! { <LinkButton href="/journeys/new" look=Look::Primary>{icon(Icon::Plus)}"Make a journey"</LinkButton> }
        })
    };
    let empty = move || {
        view! {
            <Empty title="No journey yet" about="A journey sends a series of mails to each contact from the day on which it enters, with waits between them, and stops by itself when the contact unsubscribes or its address does not work.">
                {make()}
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Journeys" about="What happens to a contact, step by step, from the day on which it enters.">{make()}</PageHeader>
        <Toolbar>
            <Search query label="Search journeys"/>
            <FilterBy query param="state" label="State" options=states/>
        </Toolbar>
        {list("Journeys", query, page, &["q", "state"], heads, row, empty)}
    }
    .into_any()
}

fn row(found: &JourneySummary) -> Row {
    let (tone, word) = journey::state(found.state);
    let ended = |reason: &str| found.ended.get(reason).copied().unwrap_or(0);
    let who = |n: u64, filter: (&str, &str)| {
        figure_link(n, with(&format!("/journeys/{}", found.id), &[("tab", "contacts"), filter]))
    };
    Row::new(vec![
        view! { <a href=format!("/journeys/{}", found.id)>{found.name.clone()}</a> }.into_any(),
        badge(tone, word),
        who(found.waiting, ("state", "waiting")),
        who(found.entered, ("state", "")),
        who(ended("finished"), ("reason", "finished")),
        who(ended("goal"), ("reason", "goal")),
        moment(&found.updated_at),
    ])
}

#[component]
pub fn NewJourney() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let name = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = JourneyInput { name: name.get_untracked(), graph: journey::empty() };
        submit.run(async move {
            let made: Journey = api.post("/journeys".to_owned(), &input).await?;
            nav.replace(&format!("/journeys/{}", made.summary.id));
            Ok(())
        });
    };
    view! {
        <PageHeader title="Make a journey" above=("/journeys".to_owned(), "Journeys") about="Nobody enters before you publish it."/>
        <form class="card narrow" on:submit=send>
            <Field id="name" label="Name" hint="Only you see it, for example: Welcome." error=submit.field("name")>
                <TextInput id="name" value=name required=true focus=true/>
            </Field>
            {form_error(submit.rest(&["name"]))}
            <div class="actions end"><Button submit=true look=Look::Primary busy=submit.busy>"Next: steps"</Button></div>
        </form>
    }
    .into_any()
}
