//! The checklist before launch, and the launch itself.

use api_types::{CheckLevel, CheckPoint, Checklist};
use leptos::prelude::*;
use view::number::{counted, grouped};
use view::query::with;
use view::tone;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_nav;
use crate::parts::*;
use crate::submit::Submit;

/// Checks a draft as it is saved, and launches it. `name` is typed to confirm.
#[component]
pub fn Review(id: i64, name: Signal<String>) -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let check = load(move || api.get::<Checklist>(format!("/campaigns/{id}/check")));
    let ready = check.map(|check| check.ready);
    let receiving = check.map(|check| check.receiving);
    let asking = RwSignal::new(false);
    let submit = Submit::new();
    let launch = Callback::new(move |()| {
        submit.run(async move {
            api.act::<serde_json::Value>(format!("/campaigns/{id}/launch")).await?;
            asking.try_set(false);
            nav.to(&format!("/campaigns/{id}"));
            Ok(())
        });
    });
    let again = Callback::new(move |()| check.reload());
    let count = move || counted(receiving.get(), "contact", "contacts");
    view! {
        {check.show(8, move |check| view! {
            <p class="lead">{move || audience(&check.get())}</p>
            <ul class="checklist">{move || check.with(|check| check.points.iter().map(|point| check_row(id, point)).collect_view())}</ul>
        }.into_any())}
        <div class="actions">
            <Button busy=check.busy on_press=again>"Check again"</Button>
            <Button look=Look::Primary disabled=Signal::derive(move || !ready.get()) on_press=Callback::new(move |()| asking.set(true))>"Launch…"</Button>
        </div>
        <ConfirmDialog open=asking title="Launch this campaign?" confirm="Launch now" look=Look::Primary type_name=name busy=submit.busy failure=submit.rest(&[]) on_confirm=launch>
            <p>"It goes to "<strong>{count}</strong>" now. You can pause or cancel at any time, but what was sent cannot be recalled."</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn audience(check: &Checklist) -> String {
    let receiving = counted(check.receiving, "contact", "contacts");
    match check.suppressed {
        0 => format!("{receiving} will receive it."),
        left_out => format!("{receiving} will receive it; {} left out because they are suppressed.", grouped(left_out)),
    }
}

fn check_row(id: i64, point: &CheckPoint) -> AnyView {
    let (tone, word) = tone::check(point.level);
    let step = match point.name.as_str() {
        "audience" => "audience",
        "sender" | "domain" | "dkim" | "egress" | "warm_up" => "sender",
        _ => "content",
    };
    let edit = match point.name.as_str() {
        "postal_address" => "/workspace".to_owned(),
        _ => with(&format!("/campaigns/{id}/edit"), &[("step", step)]),
    };
    let change = (point.level != CheckLevel::Ok).then(|| view! { <a href=edit>"Change"</a> });
    view! {
        <li data-tone=tone.name()>
            {badge(tone, word)}
            <span><strong>{tone::words(&point.name)}</strong>" "{point.message.clone()}</span>
            {change}
        </li>
    }
    .into_any()
}
