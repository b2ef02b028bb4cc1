//! The dialog in which one step is edited.

use std::sync::Arc;

use api_types::{Filter, JourneyAction, JourneyMail, JourneyWeekday};
use leptos::prelude::*;
use view::journey;

use super::editor::Desk;
use crate::api::use_me;
use crate::parts::*;

/// What the inputs say, or what is missing.
type Collect = Arc<dyn Fn() -> Result<JourneyAction, String> + Send + Sync>;

const DAYS: [JourneyWeekday; 7] = [
    JourneyWeekday::Monday,
    JourneyWeekday::Tuesday,
    JourneyWeekday::Wednesday,
    JourneyWeekday::Thursday,
    JourneyWeekday::Friday,
    JourneyWeekday::Saturday,
    JourneyWeekday::Sunday,
];

#[component]
pub fn StepDialog(desk: Desk) -> impl IntoView {
    let open = open_for(desk.editing);
    let title = Memo::new(move |_| {
        let key = desk.editing.get();
        key.map(|key| desk.graph.with_untracked(|graph| journey::title(graph, &key))).unwrap_or_default()
    });
    view! { <Dialog open title>{move || desk.editing.get().map(|key| form(desk, key))}</Dialog> }.into_any()
}

fn form(desk: Desk, key: String) -> AnyView {
    let Some(step) = desk.graph.with_untracked(|graph| graph.step(&key).cloned()) else { return ().into_any() };
    let name = RwSignal::new(step.name.clone());
    let failure = RwSignal::new(None::<String>);
    let (inputs, collect) = inputs(desk, step.action);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match collect() {
            Ok(action) => {
                desk.graph.update(|graph| journey::change(graph, &key, name.get_untracked().trim().to_owned(), action));
                desk.editing.set(None);
            }
            Err(why) => failure.set(Some(why)),
        }
    };
    view! {
        <form on:submit=send>
            <Field id="step-name" label="Name" hint="What you call it; may stay empty.">
                <TextInput id="step-name" value=name/>
            </Field>
            {inputs}
            {form_error(failure.into())}
            <div class="actions end">
                <Button on_press=Callback::new(move |()| desk.editing.set(None))>"Cancel"</Button>
                <Button submit=true look=Look::Primary>"Done"</Button>
            </div>
        </form>
    }
    .into_any()
}

/// The inputs of a kind of step, and how to read them.
fn inputs(desk: Desk, action: JourneyAction) -> (AnyView, Collect) {
    match action {
        JourneyAction::Send(mail) => send(desk, mail),
        JourneyAction::Wait { minutes } => wait(minutes),
        JourneyAction::WaitUntil { weekdays, time } => wait_until(weekdays, time),
        JourneyAction::Split { filter } => split(desk, &filter),
        JourneyAction::Random { percents } => random(&percents),
        JourneyAction::AddTag { tag } => tag_input(tag, |tag| JourneyAction::AddTag { tag }),
        JourneyAction::RemoveTag { tag } => tag_input(tag, |tag| JourneyAction::RemoveTag { tag }),
        JourneyAction::JoinList { list_id } => list_input(desk, list_id, |list_id| JourneyAction::JoinList { list_id }),
        JourneyAction::LeaveList { list_id } => {
            list_input(desk, list_id, |list_id| JourneyAction::LeaveList { list_id })
        }
        JourneyAction::Exit => (().into_any(), Arc::new(|| Ok(JourneyAction::Exit))),
    }
}

fn send(desk: Desk, mail: JourneyMail) -> (AnyView, Collect) {
    let template = RwSignal::new(mail.template_id.map(|id| id.to_string()).unwrap_or_default());
    let texts = [mail.from_email, mail.from_name, mail.reply_to, mail.stream, mail.pool].map(RwSignal::new);
    let [from_email, from_name, reply_to, stream, pool] = texts;
    let options = Signal::derive(move || {
        let first = (String::new(), "Choose a template".to_owned());
        std::iter::once(first).chain(desk.templates.get()).collect::<Vec<Choice>>()
    });
    let view = view! {
        <Field id="step-template" label="Template" hint="Its newest version is pinned when the journey is published.">
            <Select id="step-template" value=template on_choice=Callback::new(move |id| template.set(id)) options/>
        </Field>
        <Field id="step-from" label="From address" hint="At one of your sending domains.">
            <TextInput id="step-from" value=from_email kind="email"/>
        </Field>
        <Field id="step-from-name" label="From name"><TextInput id="step-from-name" value=from_name/></Field>
        <Field id="step-reply" label="Answers go to" hint="The From address when empty.">
            <TextInput id="step-reply" value=reply_to kind="email"/>
        </Field>
        <Field id="step-stream" label="Stream" hint="“bulk” when empty."><TextInput id="step-stream" value=stream/></Field>
        <Field id="step-pool" label="Egress pool" hint="That of the stream when empty."><TextInput id="step-pool" value=pool/></Field>
    };
    let collect = move || {
        let text = |signal: RwSignal<String>| signal.get_untracked().trim().to_owned();
        Ok(JourneyAction::Send(JourneyMail {
            template_id: template.get_untracked().parse().ok(),
            from_email: text(from_email),
            from_name: text(from_name),
            reply_to: text(reply_to),
            stream: text(stream),
            pool: text(pool),
        }))
    };
    (view.into_any(), Arc::new(collect))
}

fn wait(minutes: u32) -> (AnyView, Collect) {
    let (n, unit) = journey::amount(minutes);
    let (n, unit) = (RwSignal::new(n.to_string()), RwSignal::new(unit.to_string()));
    let units = [("1440", "days"), ("60", "hours"), ("1", "minutes")];
    let units: Vec<Choice> = units.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect();
    let view = view! {
        <Field id="step-amount" label="How long"><TextInput id="step-amount" value=n kind="number" required=true/></Field>
        <Field id="step-unit" label="Unit">
            <Select id="step-unit" value=unit on_choice=Callback::new(move |word| unit.set(word)) options=Signal::stored(units)/>
        </Field>
    };
    let collect = move || {
        let read = |signal: RwSignal<String>| signal.get_untracked().trim().parse::<u32>().ok();
        let minutes = read(n).zip(read(unit)).and_then(|(n, unit)| n.checked_mul(unit));
        minutes.map(|minutes| JourneyAction::Wait { minutes }).ok_or_else(|| "Write a whole number.".to_owned())
    };
    (view.into_any(), Arc::new(collect))
}

fn wait_until(weekdays: Vec<JourneyWeekday>, time: String) -> (AnyView, Collect) {
    let days = RwSignal::new(weekdays);
    let time = RwSignal::new(time);
    let boxes = DAYS.map(|day| {
        let checked = Signal::derive(move || days.with(|days| days.contains(&day)));
        let change = Callback::new(move |on: bool| {
            days.update(|days| {
                days.retain(|other| *other != day);
                if on {
                    days.push(day);
                }
            });
        });
        view! { <Check label=format!("{day:?}") checked on_change=change/> }
    });
    let view = view! {
        <Field id="step-time" label="Time of day" hint=format!("In the workspace's time zone: {}.", use_me().time_zone)>
            <TextInput id="step-time" value=time kind="time" required=true/>
        </Field>
        <fieldset><legend class="field-label">"On one of these days; on any when none is ticked"</legend>{boxes.collect_view()}</fieldset>
    };
    let collect = move || {
        let chosen = days.get_untracked();
        let weekdays = DAYS.into_iter().filter(|day| chosen.contains(day)).collect();
        Ok(JourneyAction::WaitUntil { weekdays, time: time.get_untracked() })
    };
    (view.into_any(), Arc::new(collect))
}

fn split(desk: Desk, filter: &Filter) -> (AnyView, Collect) {
    let edited = EditedFilter::new(filter);
    let tree = edited.clone();
    let vocabulary = desk.vocabulary;
    let collect = move || {
        vocabulary.fields.with_untracked(|fields| tree.filter(fields)).map(|filter| JourneyAction::Split { filter })
    };
    let view = view! {
        <p class="muted">"Who meets this goes by “If so”, everybody else by “If not”."</p>
        <FilterTree edited vocabulary/>
    };
    (view.into_any(), Arc::new(collect))
}

fn random(percents: &[u8]) -> (AnyView, Collect) {
    let words: Vec<String> = percents.iter().map(ToString::to_string).collect();
    let shares = RwSignal::new(words.join(", "));
    let view = view! {
        <Field id="step-shares" label="Shares in percent" hint="One for each path, for example: 50, 50. They make 100 in all.">
            <TextInput id="step-shares" value=shares required=true/>
        </Field>
    };
    let collect = move || {
        let text = shares.get_untracked();
        let percents: Result<Vec<u8>, _> = text.split(',').map(|share| share.trim().parse()).collect();
        percents
            .map(|percents| JourneyAction::Random { percents })
            .map_err(|_| "Write whole numbers with commas between them.".to_owned())
    };
    (view.into_any(), Arc::new(collect))
}

fn tag_input(tag: String, made: fn(String) -> JourneyAction) -> (AnyView, Collect) {
    let tag = RwSignal::new(tag);
    let view = view! { <Field id="step-tag" label="Tag"><TextInput id="step-tag" value=tag required=true/></Field> };
    (view.into_any(), Arc::new(move || Ok(made(tag.get_untracked().trim().to_owned()))))
}

fn list_input(desk: Desk, list: i64, made: fn(i64) -> JourneyAction) -> (AnyView, Collect) {
    let chosen = RwSignal::new(if list == 0 { String::new() } else { list.to_string() });
    let options = Signal::derive(move || {
        let first = (String::new(), "Choose a list".to_owned());
        std::iter::once(first).chain(desk.vocabulary.lists.get()).collect::<Vec<Choice>>()
    });
    let view = view! {
        <Field id="step-list" label="List" hint="Who has left a list by their own wish is not put on it again.">
            <Select id="step-list" value=chosen on_choice=Callback::new(move |id| chosen.set(id)) options/>
        </Field>
    };
    let collect = move || chosen.get_untracked().parse().map(made).map_err(|_| "Choose a list.".to_owned());
    (view.into_any(), Arc::new(collect))
}
