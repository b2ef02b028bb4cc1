//! What is paused, and pausing.

use api_types::{NewPause, Pause, PauseScope};
use leptos::prelude::*;

use crate::api::use_api;
use crate::parts::*;
use crate::submit::Submit;

const SCOPES: [(&str, PauseScope, &str); 6] = [
    ("everything", PauseScope::Everything, "Everything"),
    ("workspace", PauseScope::Workspace, "This workspace"),
    ("campaign", PauseScope::Campaign, "A campaign"),
    ("domain", PauseScope::Domain, "A recipient domain"),
    ("source", PauseScope::Source, "A source"),
    ("provider", PauseScope::Provider, "A provider"),
];

/// The list, with a way to end each.
pub fn pauses(rows: &[Pause], changed: Callback<()>) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing is paused."</p> }.into_any();
    }
    let heads = vec![Head::text("Paused"), Head::text("By"), Head::text("Why"), Head::text("Since"), Head::text("")];
    let row = |row: &Pause| {
        let resume = if row.can_end { view! { <Resume id=row.id.clone() changed/> }.into_any() } else { none() };
        let text = |text: &String| if text.is_empty() { none() } else { text.clone().into_any() };
        Row::new(vec![
            row.what.clone().into_any(),
            text(&row.created_by),
            text(&row.reason),
            ago(&row.created_at),
            resume,
        ])
    };
    table("Paused", heads, rows.iter().map(row).collect())
}

/// The button that ends a pause.
#[component]
pub fn Resume(id: String, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let submit = Submit::new();
    let resume = Callback::new(move |()| {
        let path = format!("/pauses/{id}");
        submit.run(async move {
            let ended = api.delete(path).await;
            match &ended {
                Ok(()) => toasts.good("It goes on"),
                Err(failure) => toasts.failed(failure),
            }
            changed.run(());
            ended
        });
    });
    view! { <Button busy=submit.busy on_press=resume>"Resume"</Button> }.into_any()
}

/// Asks what to pause.
#[component]
pub fn PauseDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let scope = RwSignal::new(SCOPES[0].0.to_owned());
    let subject = RwSignal::new(String::new());
    let reason = RwSignal::new(String::new());
    let submit = Submit::new();
    let chosen =
        move || SCOPES.iter().find(|(word, ..)| *word == scope.get()).map_or(PauseScope::Everything, |found| found.1);
    let named = Memo::new(move |_| !matches!(chosen(), PauseScope::Everything | PauseScope::Workspace));
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let new = NewPause {
            scope: untrack(chosen),
            subject: if named.get_untracked() { subject.get_untracked() } else { String::new() },
            reason: reason.get_untracked(),
        };
        submit.run(async move {
            let pause: Pause = api.post("/pauses".to_owned(), &new).await?;
            toasts.good(format!("Paused: {}. What is on its way right now still arrives.", pause.what));
            open.try_set(false);
            subject.try_set(String::new());
            reason.try_set(String::new());
            changed.run(());
            Ok(())
        });
    };
    let options: Vec<_> = SCOPES.iter().map(|(word, _, label)| ((*word).to_owned(), (*label).to_owned())).collect();
    let options = StoredValue::new(options);
    let choose = Callback::new(move |word: String| scope.set(word));
    let hint = move || match chosen() {
        PauseScope::Campaign => "Its number, as in the address of its page.",
        PauseScope::Source => "As in packetboat.toml. The other sources of its pool take over.",
        PauseScope::Provider => "As in the list of providers on this page.",
        _ => "",
    };
    view! {
        <Dialog open title="Pause">
            <form on:submit=send>
                <Field id="scope" label="What">
                    <Select id="scope" value=scope on_choice=choose options=options.get_value()/>
                </Field>
                {move || named.get().then(|| view! {
                    <Field id="subject" label="Which one" hint=Signal::derive(move || hint().to_owned()) error=submit.field("subject")>
                        <TextInput id="subject" value=subject required=true/>
                    </Field>
                })}
                <Field id="reason" label="Why" hint="Shown to whoever wonders why nothing moves." error=submit.field("reason")>
                    <TextInput id="reason" value=reason/>
                </Field>
                <p class="muted">"It holds at once and until somebody resumes. Nobody is lost; whose time is over meanwhile expires."</p>
                {form_error(submit.rest(&["subject", "reason"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Danger busy=submit.busy>"Pause"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
