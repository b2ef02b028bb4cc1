//! The outline of a journey's steps: added, changed, removed in place; saved as a draft, checked, published.

use api_types::{
    CheckLevel, Field as ContactField, Filter, Journey, JourneyCheck, JourneyGraph, JourneyInput, JourneyState,
    JourneyStep, Page, Role, Template,
};
use leptos::prelude::*;
use view::journey::{self, KINDS, Line, Place, What};
use view::tone;

use super::one::waiting_link;
use super::step::StepDialog;
use crate::api::{use_api, use_me};
use crate::guard::UnsavedGuard;
use crate::load::{Load, Shown, load};
use crate::pages::segments::vocabulary;
use crate::parts::*;
use crate::submit::Submit;

/// What the lines of the outline and the dialog of a step share.
#[derive(Clone, Copy)]
pub struct Desk {
    pub graph: RwSignal<JourneyGraph>,
    /// The step that is being edited.
    pub editing: RwSignal<Option<String>>,
    /// Where a step is being added.
    pub adding: RwSignal<Option<Place>>,
    pub templates: Memo<Vec<Choice>>,
    pub vocabulary: Vocabulary,
    check: Load<JourneyCheck>,
    found: Shown<Journey>,
    may_change: Memo<bool>,
}

#[component]
pub fn Editor(found: Shown<Journey>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let first = found.get_untracked();
    let id = first.summary.id;
    let is_marketer = use_me().role.may(Role::Marketer);
    let may_change = Memo::new(move |_| is_marketer && found.with(|found| found.summary.state != JourneyState::Ended));
    let name = RwSignal::new(first.summary.name.clone());
    let graph = RwSignal::new(first.graph.clone());
    let fields = load(move || api.get::<Page<ContactField>>("/fields".to_owned()));
    let vocabulary = vocabulary(fields);
    let goal_on = RwSignal::new(first.graph.goal.is_some());
    let goal_tree = EditedFilter::new(&first.graph.goal.clone().unwrap_or_else(Filter::everyone));
    let tree = goal_tree.clone();
    let draft = Memo::new(move |_| {
        let goal =
            if goal_on.get() { vocabulary.fields.with(|fields| tree.filter(fields)).map(Some) } else { Ok(None) };
        goal.map(|goal| JourneyInput { name: name.get(), graph: JourneyGraph { goal, ..graph.get() } })
    });
    let saved = RwSignal::new(JourneyInput { name: first.summary.name.clone(), graph: first.graph.clone() });
    let dirty = Memo::new(move |_| draft.with(|draft| saved.with(|saved| draft.as_ref() != Ok(saved))));
    let check = load(move || {
        saved.track();
        api.get::<JourneyCheck>(format!("/journeys/{id}/check"))
    });
    let templates = load(move || api.get::<Page<Template>>("/templates?limit=200".to_owned()));
    let templates = templates.map(|page| {
        page.items.iter().map(|template| (template.id.to_string(), template.name.clone())).collect::<Vec<Choice>>()
    });
    let desk = Desk {
        graph,
        editing: RwSignal::new(None),
        adding: RwSignal::new(None),
        templates,
        vocabulary,
        check,
        found,
        may_change,
    };
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Ok(input) = draft.get_untracked() else { return };
        submit.run(async move {
            let kept: Journey = api.put(format!("/journeys/{id}"), &input).await?;
            toasts.good(format!("{} is saved", kept.summary.name));
            saved.try_set(input);
            changed.run(());
            Ok(())
        });
    };
    let missing = move || draft.with(|draft| draft.as_ref().err().cloned());
    let goal_tree = StoredValue::new(goal_tree);
    let goal = move || {
        goal_on.get().then(|| {
            fields.show(2, move |_| view! { <FilterTree edited=goal_tree.get_value() vocabulary/> }.into_any())
        })
    };
    let outline = move || {
        let lines = graph.with(journey::outline);
        let rows = lines.into_iter().map(|line| row(desk, line)).collect_view();
        view! { <ol class="outline">{rows}</ol> }
    };
    view! {
        <UnsavedGuard dirty/>
        <form on:submit=send>
            // Who may not change it sees it all the same.
            <fieldset class="card" disabled=move || !may_change.get()>
                <Field id="name" label="Name" error=submit.field("name")><TextInput id="name" value=name required=true/></Field>
                {entrance(desk)}
                <Check label="It has a goal: who meets it leaves before the next step" checked=goal_on on_change=Callback::new(move |on| goal_on.set(on))/>
                {goal}
                <p class="form-error" role="status">{missing}</p>
            </fieldset>
            <section class="card">
                <header class="card-head"><h2>"Steps"</h2></header>
                {whole(desk)}
                {outline}
            </section>
            {form_error(submit.rest(&["name"]))}
            {move || may_change.get().then(|| view! {
                <div class="actions end">
                    <span class="muted" role="status">{move || if dirty.get() { "Not saved yet" } else { "" }}</span>
                    <Button submit=true busy=submit.busy disabled=Signal::derive(move || draft.with(Result::is_err))>"Save"</Button>
                </div>
            })}
        </form>
        // Apart from the form: what is confirmed in its dialog must not save.
        {move || may_change.get().then(|| view! { <Publish id desk dirty changed/> })}
        <StepDialog desk/>
        <AddDialog desk/>
    }
    .into_any()
}

/// Who enters, and how often.
fn entrance(desk: Desk) -> AnyView {
    let graph = desk.graph;
    let lists = Signal::derive(move || {
        let first = (String::new(), "Nobody by a list: by hand and over the API".to_owned());
        std::iter::once(first).chain(desk.vocabulary.lists.get()).collect::<Vec<Choice>>()
    });
    let chosen = Signal::derive(move || graph.with(|graph| graph.list_id.map(|id| id.to_string()).unwrap_or_default()));
    let choose = Callback::new(move |id: String| graph.update(|graph| graph.list_id = id.parse().ok()));
    let often = [("", "Once"), ("1", "Again after a day"), ("7", "Again after a week"), ("30", "Again after 30 days")];
    let often = Signal::derive(move || {
        let mut rows: Vec<Choice> =
            often.iter().map(|(days, label)| ((*days).to_owned(), (*label).to_owned())).collect();
        let now = graph.with(|graph| graph.reentry_days.map(|days| days.to_string()).unwrap_or_default());
        if rows.iter().all(|(days, _)| *days != now) {
            rows.push((now.clone(), format!("Again after {now} days")));
        }
        rows
    });
    let days =
        Signal::derive(move || graph.with(|graph| graph.reentry_days.map(|days| days.to_string()).unwrap_or_default()));
    let set_days = Callback::new(move |days: String| graph.update(|graph| graph.reentry_days = days.parse().ok()));
    view! {
        <Field id="list_id" label="Who joins this list enters" hint=Signal::stored("And who leaves it is led out. Suppressed contacts do not enter.".to_owned())>
            <Select id="list_id" value=chosen on_choice=choose options=lists/>
        </Field>
        <Field id="reentry" label="How often" hint=Signal::stored("Counted from the last entry, once that has ended.".to_owned())>
            <Select id="reentry" value=days on_choice=set_days options=often/>
        </Field>
    }
    .into_any()
}

/// What the last check says of the journey as a whole.
fn whole(desk: Desk) -> AnyView {
    (move || points(desk, None)).into_any()
}

/// What the last check says of a step, as far as something has to be done.
fn points(desk: Desk, step: Option<String>) -> AnyView {
    desk.check.data.with(|check| {
        let of = check.iter().flat_map(|check| &check.points);
        let of = of.filter(|point| point.step == step && point.level != CheckLevel::Ok);
        let lines = of.map(|point| {
            let (tone, word) = tone::check(point.level);
            view! { <li>{badge(tone, word)}" "{point.message.clone()}</li> }
        });
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then(|| view! { <ul class="plain-list">{lines}</ul> }).into_any()
    })
}

/// A line of the outline, with the way to add a step before it.
fn row(desk: Desk, line: Line) -> AnyView {
    let depth = line.depth.min(6).to_string();
    let branch = line.branch.clone().map(|branch| view! { <span class="outline-branch">{branch}</span> });
    let add = line.place.clone().filter(|_| desk.may_change.get()).map(|place| add(desk, place));
    let body = match line.what {
        What::Step(key) => step(desk, key, line.place.is_none()),
        What::GoesTo(key) => {
            let title = desk.graph.with_untracked(|graph| journey::title(graph, &key));
            view! { <span class="muted">"goes on with “"{title}"”"</span> }.into_any()
        }
        What::Open => view! { <span class="muted">"leads nowhere yet"</span> }.into_any(),
    };
    view! { <li data-depth=depth>{branch}{add}<div class="outline-step">{body}</div></li> }.into_any()
}

/// The button that adds a step at a place.
fn add(desk: Desk, place: Place) -> AnyView {
    let label = desk.graph.with_untracked(|graph| journey::place_name(graph, &place));
    let press = Callback::new(move |()| desk.adding.set(Some(place.clone())));
    view! { <div class="outline-add"><Button look=Look::Ghost label on_press=press>{icon(Icon::Plus)}"Add a step"</Button></div> }
        .into_any()
}

/// Adds a step at a place, or leads to one that is there.
#[component]
fn AddDialog(desk: Desk) -> impl IntoView {
    let open = open_for(desk.adding);
    view! { <Dialog open title="Add a step".to_owned()>{move || desk.adding.get().map(|place| kinds(desk, place))}</Dialog> }
        .into_any()
}

fn kinds(desk: Desk, place: Place) -> AnyView {
    let Desk { graph, editing, adding, .. } = desk;
    let kind = |(word, label): (&'static str, &'static str)| {
        let place = place.clone();
        let press = Callback::new(move |()| {
            let mut made = String::new();
            graph.update(|graph| {
                let action = journey::beginning(word, graph);
                made = journey::insert(graph, &place, action);
            });
            adding.set(None);
            // An exit has nothing to say.
            if word != "exit" {
                editing.set(Some(made));
            }
        });
        view! { <Button on_press=press>{label}</Button> }.into_any()
    };
    let new: Vec<AnyView> = KINDS.into_iter().map(kind).collect();
    let there: Vec<Choice> = graph.with_untracked(|graph| {
        let named = |step: &JourneyStep| (step.key.clone(), journey::title(graph, &step.key));
        std::iter::once((String::new(), "Choose a step".to_owned())).chain(graph.steps.iter().map(named)).collect()
    });
    let to = RwSignal::new(String::new());
    let lead = Callback::new(move |()| {
        graph.update(|graph| journey::connect(graph, &place, &to.get_untracked()));
        adding.set(None);
    });
    view! {
        <div class="kinds">{new}</div>
        <Field id="step-there" label="Or go on with a step that is there">
            <Select id="step-there" value=to on_choice=Callback::new(move |key| to.set(key)) options=there/>
        </Field>
        <div class="actions end">
            <Button on_press=Callback::new(move |()| adding.set(None))>"Cancel"</Button>
            <Button disabled=Signal::derive(move || to.with(String::is_empty)) on_press=lead>"Go on with it"</Button>
        </div>
    }
    .into_any()
}

fn step(desk: Desk, key: String, loose: bool) -> AnyView {
    let graph = desk.graph;
    let Some(found) = graph.with_untracked(|graph| graph.step(&key).cloned()) else { return ().into_any() };
    let title = graph.with_untracked(|graph| journey::title(graph, &key));
    let action = found.action.clone();
    let summary = move || {
        journey::summary(&action, |what, id| {
            let id = id.to_string();
            let find = |rows: &Vec<Choice>| rows.iter().find(|(value, _)| *value == id).map(|(_, name)| name.clone());
            if what == "template" { desk.templates.with(find) } else { desk.vocabulary.lists.with(find) }
        })
    };
    let figures = {
        let key = key.clone();
        move || desk.found.with(|found| step_figures(found, &key))
    };
    let (edited, removed, checked) = (key.clone(), key.clone(), key);
    let on_edit = Callback::new(move |()| desk.editing.set(Some(edited.clone())));
    let on_remove = Callback::new(move |()| graph.update(|graph| journey::remove(graph, &removed)));
    let named = title.clone();
    let buttons = move || {
        view! {
            <Button look=Look::Ghost label=format!("Edit {named}") on_press=on_edit>"Edit"</Button>
            <Button look=Look::Ghost label=format!("Remove {named}") on_press=on_remove>"Remove"</Button>
        }
    };
    view! {
        <div class="outline-head">
            <span><strong>{title}</strong>" "<span class="muted">{summary}</span>{loose.then_some(" (no way leads to it)")}</span>
            <span class="actions">{desk.may_change.get().then(buttons)}</span>
        </div>
        {figures}
        {move || points(desk, Some(checked.clone()))}
    }
    .into_any()
}

/// Who waits at a step of the newest version, and what it sent.
fn step_figures(found: &Journey, key: &str) -> AnyView {
    let version = found.summary.version;
    let Some(step) = found.figures.iter().find(|step| step.version == version && step.step == key) else {
        return ().into_any();
    };
    let waiting = (step.waiting > 0).then(|| {
        view! { <span>{waiting_link(found.summary.id, step)}" waiting now"</span> }
    });
    let sent = (!step.campaign_ids.is_empty()).then(|| {
        let words = format!(
            "{} sent, {} delivered, {} bounced, {} unsubscribed",
            step.sent, step.delivered, step.bounced, step.unsubscribed
        );
        view! { <span>{words}</span> }
    });
    view! { <p class="facts-line muted">{waiting}{sent}</p> }.into_any()
}

#[component]
fn Publish(id: i64, desk: Desk, dirty: Memo<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let asking = RwSignal::new(false);
    let submit = Submit::new();
    let ready = desk.check.map(|check| check.ready);
    let unchanged = move || desk.found.with(|found| !found.changed);
    let blocked = Signal::derive(move || dirty.get() || !ready.get() || unchanged());
    let publish = Callback::new(move |()| {
        submit.run(async move {
            let live: Journey = api.act(format!("/journeys/{id}/publish")).await?;
            toasts.good(format!("Version {} is published", live.summary.version));
            asking.try_set(false);
            changed.run(());
            Ok(())
        });
    });
    let version = move || desk.found.with(|found| found.summary.version + 1);
    // A button that does nothing says why.
    let why_not = move || match (unchanged(), dirty.get(), ready.get()) {
        (_, true, _) => "Save before you publish.",
        (true, ..) => "This is what is published.",
        (_, _, false) => "Mend first what must be mended, as the steps say.",
        _ => "",
    };
    view! {
        <div class="actions end">
            <span class="muted" role="status">{why_not}</span>
            <Button look=Look::Primary disabled=blocked on_press=Callback::new(move |()| asking.set(true))>"Publish…"</Button>
        </div>
        <ConfirmDialog open=asking title="Publish this journey?" confirm="Publish" look=Look::Primary busy=submit.busy failure=submit.rest(&[]) on_confirm=publish>
            <p>"Contacts enter by version "{version}" from now on. Those under way stay on the version by which they entered, and get its mails as they were."</p>
        </ConfirmDialog>
    }
    .into_any()
}
