//! What replies and ratios made the engine do by itself, with the button that lifts it.

use api_types::Automation;
use leptos::prelude::*;
use view::shaping::standing;

use crate::api::use_api;
use crate::parts::*;
use crate::submit::Submit;

/// The automations as a table; `changed` is called when one was lifted.
pub fn automations(all: Signal<Vec<Automation>>, changed: Callback<()>) -> AnyView {
    let lifting = RwSignal::new(None::<Automation>);
    let body = move || {
        let all = all.get();
        if all.is_empty() {
            let about = "Nothing is held or slowed down. When a provider refuses or slows us, what follows from it stands here.";
            return view! { <p class="muted">{about}</p> }.into_any();
        }
        let heads = vec![
            Head::text("State"),
            Head::text("What"),
            Head::text("Why"),
            Head::text("Since"),
            Head::text("Until"),
            Head::text(""),
        ];
        table("Automations", heads, all.iter().map(|automation| row(automation, lifting)).collect())
    };
    view! { {body}<LiftDialog lifting changed/> }.into_any()
}

fn row(automation: &Automation, lifting: RwSignal<Option<Automation>>) -> Row {
    let (tone, word) = standing(automation);
    let chosen = automation.clone();
    let lift = Callback::new(move |()| lifting.set(Some(chosen.clone())));
    let alarm = automation.alarm.clone().map(|alarm| view! { <span>{alarm}</span> });
    let until = automation.hold_until.as_deref().unwrap_or(&automation.until);
    let label = format!("Lift {}", automation.rule);
    let button = automation.ended_at.is_none().then(|| {
        view! { <Button look=Look::Secondary on_press=lift label>"Lift"</Button> }
    });
    Row::new(vec![
        badge(tone, word),
        automation.effect.clone().into_any(),
        view! { <span class="answer">{alarm}<code>{automation.reply.clone()}</code></span> }.into_any(),
        ago(&automation.since),
        ago(until),
        button.into_any(),
    ])
}

#[component]
pub fn LiftDialog(lifting: RwSignal<Option<Automation>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(lifting);
    let submit = Submit::new();
    let lift = Callback::new(move |()| {
        let Some(automation) = lifting.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/automations/{}", automation.id)).await?;
            toasts.good(match automation.provider.as_str() {
                "" => "Mail goes on".to_owned(),
                provider => format!("Mail to {provider} goes on"),
            });
            lifting.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    let title =
        Signal::derive(move || lifting.with(|a| a.as_ref().map(|a| format!("Lift {}?", a.rule)).unwrap_or_default()));
    let about = move || {
        let by_figures = lifting.with(|a| a.as_ref().is_some_and(|a| a.provider.is_empty()));
        match by_figures {
            true => {
                "What waited because of it is sent at once. Only what comes from the next hour on can bring it back."
            }
            false => {
                "What waited because of it is sent at once. When the reason is still there, the next answer brings it back, and the provider may be harder then."
            }
        }
    };
    let effect = move || lifting.with(|a| a.as_ref().map(|a| a.effect.clone()).unwrap_or_default());
    view! {
        <ConfirmDialog open title confirm="Lift it" busy=submit.busy failure=submit.rest(&[]) on_confirm=lift>
            <p>{effect}</p>
            <p>{about}</p>
        </ConfirmDialog>
    }
    .into_any()
}
