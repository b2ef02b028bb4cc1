//! What reports say is wrong with us, with the button that ends such an alarm.

use api_types::{Done, ReportAlarm};
use leptos::prelude::*;
use view::tone::Tone;

use crate::api::use_api;
use crate::parts::*;
use crate::submit::Submit;

/// The alarms in force; nothing where there is none. `changed` is called when one was ended.
pub fn alarms(all: Signal<Vec<ReportAlarm>>, changed: Callback<()>) -> AnyView {
    let ending = RwSignal::new(None::<ReportAlarm>);
    let body = move || {
        let all = all.get();
        (!all.is_empty()).then(|| {
            let heads = vec![
                Head::text("State"),
                Head::text("Domain"),
                Head::text("What is wrong"),
                Head::text("Since"),
                Head::text(""),
            ];
            let rows = all.iter().map(|alarm| row(alarm, ending)).collect();
            let what = "An alarm ends by itself with a clean report of the same reporter about a later time; one about single mails, after seven days without a further one.";
            view! {
                <Card title="Alarms"><p class="muted">{what}</p>{table("Alarms", heads, rows)}</Card>
            }
        })
    };
    view! { {body}<EndDialog ending changed/> }.into_any()
}

fn row(alarm: &ReportAlarm, ending: RwSignal<Option<ReportAlarm>>) -> Row {
    let chosen = alarm.clone();
    let end = Callback::new(move |()| ending.set(Some(chosen.clone())));
    let label = format!("End the alarm about {} {}", alarm.domain, alarm.item);
    Row::new(vec![
        badge(Tone::Danger, "Fails"),
        alarm.domain.clone().into_any(),
        view! { <span class="answer">{alarm.text.clone()}</span> }.into_any(),
        ago(&alarm.since),
        view! { <Button on_press=end label>"It is mended"</Button> }.into_any(),
    ])
}

#[component]
fn EndDialog(ending: RwSignal<Option<ReportAlarm>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(ending);
    let submit = Submit::new();
    let end = Callback::new(move |()| {
        let Some(alarm) = ending.get_untracked() else { return };
        submit.run(async move {
            let done: Done = api.act(format!("/reports/alarms/{}/lift", alarm.id)).await?;
            toasts.good(done.message);
            ending.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    let text = move || ending.with(|alarm| alarm.as_ref().map(|alarm| alarm.text.clone()).unwrap_or_default());
    view! {
        <ConfirmDialog open title="End this alarm?" confirm="It is mended" busy=submit.busy failure=submit.rest(&[]) on_confirm=end>
            <p>{text}</p>
            <p>"Reports about the time until now do not bring it back. One about a later time does, when it still fails then."</p>
        </ConfirmDialog>
    }
    .into_any()
}
