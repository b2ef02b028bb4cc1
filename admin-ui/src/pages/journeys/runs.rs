//! Who is under way in a journey or was, with what each has done.

use api_types::{Journey, JourneyFigures, JourneyLogEntry, JourneyRun, JourneyState, Page, Role};
use leptos::prelude::*;
use view::journey;
use view::tone::Tone;

use crate::api::{use_api, use_me};
use crate::load::{Shown, listed, load};
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

const FILTERS: [&str; 4] = ["state", "step", "version", "reason"];

#[component]
pub fn Runs(found: Shown<Journey>) -> impl IntoView {
    let query = use_query();
    let may_change = use_me().role.may(Role::Marketer);
    let id = found.with_untracked(|found| found.summary.id);
    let page = listed::<JourneyRun>(query, &FILTERS, move || format!("/journeys/{id}/runs"));
    let page = page.every(10, move || found.with_untracked(|found| found.summary.state == JourneyState::Live));
    let states = [("", "Under way or over"), ("waiting", "Under way"), ("ended", "Over")];
    let states: Vec<Choice> = states.iter().map(|(word, label)| ((*word).to_owned(), (*label).to_owned())).collect();
    let steps = Signal::derive(move || {
        found.with(|found| {
            let name = |step: &JourneyFigures| journey::called(&found.graph, &step.step, &step.name);
            let steps = journey::in_order(found).into_iter().map(|step| (step.step.clone(), name(&step)));
            each_once("Every step", steps)
        })
    });
    let versions = Signal::derive(move || {
        found.with(|found| {
            let versions =
                found.figures.iter().map(|step| (step.version.to_string(), format!("Version {}", step.version)));
            each_once("Every version", versions)
        })
    });
    let reasons = Signal::derive(move || {
        found.with(|found| {
            let reasons = found.summary.ended.keys();
            each_once("However it ended", reasons.map(|word| (word.clone(), journey::end_reason(word).1.to_owned())))
        })
    });
    let log_of = RwSignal::new(None::<JourneyRun>);
    let taking_out = RwSignal::new(None::<JourneyRun>);
    let heads = || {
        vec![
            Head::text("Contact"),
            Head::text("State"),
            Head::text("Step"),
            Head::text("Entered"),
            Head::text("Goes on, or ended"),
            Head::text(""),
        ]
    };
    let row = move |run: &JourneyRun| {
        let step = found.with_untracked(|found| journey::called(&found.graph, &run.step, &run.step_name));
        run_row(run, step, may_change, log_of, taking_out)
    };
    let empty = || {
        view! { <Empty title="Nobody yet" about="Contacts appear here as soon as they enter, and stay with the reason why they left."/> }
            .into_any()
    };
    view! {
        <Toolbar>
            <FilterBy query param="state" label="State" options=states/>
            <FilterBy query param="step" label="Step" options=steps/>
            <FilterBy query param="version" label="Version" options=versions/>
            <FilterBy query param="reason" label="How it ended" options=reasons/>
        </Toolbar>
        {list("Contacts", query, page, &FILTERS, heads, row, empty)}
        <LogDialog found log_of/>
        <TakeOutDialog id taking_out changed=Callback::new(move |()| page.reload())/>
    }
    .into_any()
}

/// Choices after the one of everything, each once.
fn each_once(every: &str, choices: impl Iterator<Item = Choice>) -> Vec<Choice> {
    let mut rows: Vec<Choice> = vec![(String::new(), every.to_owned())];
    for choice in choices {
        if rows.iter().all(|(word, _)| *word != choice.0) {
            rows.push(choice);
        }
    }
    rows
}

fn run_row(
    run: &JourneyRun,
    step: String,
    may_change: bool,
    log_of: RwSignal<Option<JourneyRun>>,
    taking_out: RwSignal<Option<JourneyRun>>,
) -> Row {
    let who = match &run.email {
        Some(email) => view! { <a href=format!("/contacts/{}", run.contact_id)>{email.clone()}</a> }.into_any(),
        None => view! { <span class="muted">"Deleted"</span> }.into_any(),
    };
    let state = match &run.end_reason {
        Some(reason) => {
            let (tone, word) = journey::end_reason(reason);
            view! { {badge(tone, word)}<br/><span class="muted">{run.end_words.clone()}</span> }.into_any()
        }
        None => badge(Tone::Active, "Under way"),
    };
    let (logged, taken) = (run.clone(), run.clone());
    let name = run.email.clone().unwrap_or_default();
    let waits = run.end_reason.is_none();
    let actions = view! {
        <Button look=Look::Ghost label=format!("What {name} has done") on_press=Callback::new(move |()| log_of.set(Some(logged.clone())))>"Log"</Button>
        {(may_change && waits).then(|| view! {
            <Button look=Look::Ghost label=format!("Take {name} out") on_press=Callback::new(move |()| taking_out.set(Some(taken.clone())))>"Take out"</Button>
        })}
    };
    Row::new(vec![
        who,
        state,
        step.into_any(),
        moment(&run.entered_at),
        run.due_at.as_deref().or(run.ended_at.as_deref()).map_or_else(none, moment),
        actions.into_any(),
    ])
}

#[component]
fn LogDialog(found: Shown<Journey>, log_of: RwSignal<Option<JourneyRun>>) -> impl IntoView {
    let open = open_for(log_of);
    let title = Memo::new(move |_| {
        log_of.with(|run| run.as_ref().and_then(|run| run.email.clone()).unwrap_or_else(|| "A contact".to_owned()))
    });
    view! { <Dialog open title>{move || log_of.get().map(|run| log(found, &run))}</Dialog> }.into_any()
}

/// What a run has done.
fn log(found: Shown<Journey>, run: &JourneyRun) -> AnyView {
    let api = use_api();
    let id = found.with_untracked(|found| found.summary.id);
    let path = format!("/journeys/{id}/runs/{}/log", run.id);
    let entries = load(move || api.get::<Page<JourneyLogEntry>>(path.clone()));
    let line = move |entry: &JourneyLogEntry| {
        let name = found.with_untracked(|found| journey::called(&found.graph, &entry.step, &entry.name));
        view! { <li>{moment(&entry.at)}" "<strong>{name}</strong>" "<span class="muted">{entry.reason.clone()}</span></li> }
    };
    view! {
        <p class="muted">{run.source.clone()}" "{moment(&run.entered_at)}</p>
        {entries.show(4, move |page| view! {
            <ol class="plain-list">{move || page.with(|page| page.items.iter().map(line).collect_view())}</ol>
        }.into_any())}
    }
    .into_any()
}

#[component]
fn TakeOutDialog(id: i64, taking_out: RwSignal<Option<JourneyRun>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(taking_out);
    let submit = Submit::new();
    let confirmed = Callback::new(move |()| {
        let Some(run) = taking_out.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/journeys/{id}/runs/{}", run.id)).await?;
            toasts.good("The contact was taken out");
            taking_out.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    let who = move || taking_out.with(|run| run.as_ref().and_then(|run| run.email.clone()).unwrap_or_default());
    view! {
        <ConfirmDialog open title="Take this contact out?" confirm="Take out" busy=submit.busy failure=submit.rest(&[]) on_confirm=confirmed>
            <p>{who}" gets no further mail of this journey, but what is in the queue already is sent."</p>
        </ConfirmDialog>
    }
    .into_any()
}
