//! A test delivery: one real message, its conversation shown as it goes on.

use std::time::Duration;

use api_types::{NewTestDelivery, TestDelivery};
use leptos::prelude::*;
use view::tone;

use crate::api::use_api;
use crate::parts::*;
use crate::submit::Submit;

/// Asks for address and source, then shows what is said.
#[component]
pub fn TestDialog(open: RwSignal<bool>, sources: Signal<Vec<String>>) -> impl IntoView {
    let api = use_api();
    let address = RwSignal::new(String::new());
    let source = RwSignal::new(String::new());
    let state = RwSignal::new(None::<TestDelivery>);
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            state.set(None);
        }
    });
    // Looked at every second, as long as the dialog is open and something may still happen.
    let look = move || {
        let id =
            state.with_untracked(|state| state.as_ref().filter(|state| !state.done).map(|state| state.recipient.id));
        let Some(id) = id.filter(|_| open.get_untracked()) else { return };
        leptos::task::spawn_local(async move {
            if let Ok(now) = api.get::<TestDelivery>(format!("/test-deliveries/{id}")).await {
                state.try_update(|state| {
                    if state.as_ref().is_some_and(|state| state.recipient.id == id) {
                        *state = Some(now);
                    }
                });
            }
        });
    };
    if let Ok(handle) = set_interval_with_handle(look, Duration::from_secs(1)) {
        on_cleanup(move || handle.clear());
    }
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let known = sources.get_untracked();
        let picked = source.get_untracked();
        let source = if picked.is_empty() { known.first().cloned().unwrap_or_default() } else { picked };
        let new = NewTestDelivery { address: address.get_untracked(), source, domain: None };
        submit.run(async move {
            let begun: TestDelivery = api.post("/test-deliveries".to_owned(), &new).await?;
            state.try_set(Some(begun));
            Ok(())
        });
    };
    let options =
        Signal::derive(move || sources.get().into_iter().map(|name| (name.clone(), name)).collect::<Vec<_>>());
    let choose = Callback::new(move |name: String| source.set(name));
    let close = Callback::new(move |()| open.set(false));
    view! {
        <Dialog open title="Test delivery">
            <form on:submit=send>
                <p class="muted">"One real message takes the real way, but leaves from the source that you choose."</p>
                <Field id="test-address" label="To" error=submit.field("address")>
                    <TextInput id="test-address" value=address kind="email" required=true focus=true/>
                </Field>
                <Field id="test-source" label="From the source" error=submit.field("source")>
                    <Select id="test-source" value=source on_choice=choose options/>
                </Field>
                {form_error(submit.rest(&["address", "source"]))}
                <div aria-live="polite">{move || state.get().map(|state| progress(&state))}</div>
                <div class="actions end">
                    <Button on_press=close>"Close"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Send"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

fn progress(test: &TestDelivery) -> AnyView {
    let (tone, word) = tone::recipient(&test.recipient.state);
    let waits = test.recipient.wait_reason.as_deref().filter(|reason| *reason != "turn").map(|reason| {
        let due = test.recipient.due_at.as_deref().map(|at| view! { ", next attempt "{ago(at)} });
        view! { <p>{tone::words(reason)}{due}</p> }
    });
    let said = if test.conversation.is_empty() {
        test.recipient.reply.clone().unwrap_or_else(|| "Nothing has been said yet.".to_owned())
    } else {
        test.conversation.clone()
    };
    view! {
        <p>{badge(tone, word)}" "<a href=format!("/recipients/{}", test.recipient.id)>"Everything about it"</a></p>
        {waits}
        <code class="reply">{said}</code>
    }
    .into_any()
}
