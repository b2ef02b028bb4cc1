//! What can be done with a journey as a whole: pause, resume, end, delete, let somebody in.

use api_types::{Journey, JourneyEntry, JourneyEntryInput, JourneyState};
use leptos::prelude::*;

use crate::api::use_api;
use crate::nav::{use_id, use_nav};
use crate::parts::*;
use crate::submit::Submit;

/// The buttons that its state allows.
#[component]
pub fn Actions(state: Signal<Option<JourneyState>>, name: Signal<String>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let submit = Submit::new();
    let (ending, deleting, entering) = (RwSignal::new(false), RwSignal::new(false), RwSignal::new(false));
    let act = move |word: &'static str, said: &'static str| {
        Callback::new(move |()| {
            let id = id.get_untracked();
            submit.run(async move {
                let answer = api.act::<Journey>(format!("/journeys/{id}/{word}")).await;
                if answer.is_ok() {
                    toasts.good(said);
                    ending.try_set(false);
                    changed.run(());
                } else if let (Err(failure), false) = (&answer, ending.try_get_untracked() == Some(true)) {
                    toasts.failed(failure);
                }
                answer.map(|_: Journey| ())
            });
        })
    };
    let pause = act("pause", "Paused. Everybody stays where they are.");
    let (resume, end) = (act("resume", "Going on"), act("end", "Ended"));
    let delete = Callback::new(move |()| {
        let id = id.get_untracked();
        submit.run(async move {
            api.delete(format!("/journeys/{id}")).await?;
            toasts.good("The journey is deleted");
            nav.to("/journeys");
            Ok(())
        });
    });
    let show = |open: RwSignal<bool>| Callback::new(move |()| open.set(true));
    let buttons = move || match state.get() {
        Some(JourneyState::Draft) => {
            view! { <Button look=Look::Danger on_press=show(deleting)>"Delete"</Button> }.into_any()
        }
        Some(JourneyState::Live) => view! {
            <Button look=Look::Danger on_press=show(ending)>"End…"</Button>
            <Button on_press=show(entering)>"Let a contact in…"</Button>
            <Button look=Look::Primary busy=submit.busy on_press=pause>"Pause"</Button>
        }
        .into_any(),
        Some(JourneyState::Paused) => view! {
            <Button look=Look::Danger on_press=show(ending)>"End…"</Button>
            <Button look=Look::Primary busy=submit.busy on_press=resume>"Resume"</Button>
        }
        .into_any(),
        _ => ().into_any(),
    };
    view! {
        {buttons}
        <ConfirmDialog open=ending title="End this journey?" confirm="End the journey" type_name=name busy=submit.busy failure=submit.rest(&[]) on_confirm=end>
            <p>"Everybody who is under way is led out, and mail of it that was not sent yet never will be. It cannot be published again; its figures stay."</p>
        </ConfirmDialog>
        <ConfirmDialog open=deleting title="Delete this journey?" confirm="Delete" busy=submit.busy failure=submit.rest(&[]) on_confirm=delete>
            <p>"It was never published, so nobody has entered. Its steps are gone. This cannot be undone."</p>
        </ConfirmDialog>
        <EnterDialog open=entering changed/>
    }
    .into_any()
}

#[component]
fn EnterDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let id = use_id();
    let email = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let id = id.get_untracked();
        let input = JourneyEntryInput { contact_id: None, email: email.get_untracked() };
        submit.run(async move {
            let entry: JourneyEntry = api.post(format!("/journeys/{id}/entries"), &input).await?;
            toasts.good(entry.message);
            open.try_set(false);
            email.try_set(String::new());
            changed.run(());
            Ok(())
        });
    };
    view! {
        <Dialog open title="Let a contact in".to_owned()>
            <form on:submit=send>
                <Field id="enter-email" label="Address" hint="Of a contact that you have. Who is suppressed is not let in." error=submit.field("email")>
                    <TextInput id="enter-email" value=email kind="email" required=true focus=true/>
                </Field>
                {form_error(submit.rest(&["email"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Let in"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
