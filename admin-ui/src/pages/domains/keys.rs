//! The signing keys of a domain: each one's life, what comes next, and the buttons that change it.

use api_types::{DomainDetail, DomainKey, RotationSchedule};
use leptos::prelude::*;
use view::domain::{can_be_forced, can_be_removed, history, step};

use crate::api::use_api;
use crate::load::Shown;
use crate::nav::use_id;
use crate::parts::*;
use crate::submit::Submit;

/// The keys, newest first, with rotation and its schedule.
#[component]
pub fn Keys(detail: Shown<DomainDetail>, fresh: Callback<DomainDetail>) -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let toasts = use_toasts();
    let (rotating, forcing) = (RwSignal::new(false), RwSignal::new(None::<DomainKey>));
    let (rotate, force, remove) = (Submit::new(), Submit::new(), Submit::new());
    let do_rotate = Callback::new(move |()| {
        let id = id.get_untracked();
        rotate.run(async move {
            fresh.run(api.act(format!("/domains/{id}/rotate")).await?);
            rotating.try_set(false);
            toasts.good("New keys are made. Publish their records.");
            Ok(())
        });
    });
    let do_force = Callback::new(move |()| {
        let (id, Some(key)) = (id.get_untracked(), forcing.get_untracked()) else { return };
        force.run(async move {
            fresh.run(api.act(format!("/domains/{id}/keys/{}/sign_anyway", key.id)).await?);
            forcing.try_set(None);
            toasts.good(format!("{} signs now", key.selector));
            Ok(())
        });
    });
    let do_remove = Callback::new(move |key: i64| {
        let id = id.get_untracked();
        remove.run(async move {
            let answer = async {
                api.delete(format!("/domains/{id}/keys/{key}")).await?;
                api.get(format!("/domains/{id}")).await
            };
            match answer.await {
                Ok(found) => {
                    fresh.run(found);
                    toasts.good("The key is removed");
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    let ask_force = Callback::new(move |key: DomainKey| forcing.set(Some(key)));
    let cards = move || {
        let keys = detail.with(|detail| detail.keys.clone());
        keys.iter().rev().map(|key| card(key, ask_force, do_remove)).collect_view()
    };
    let actions = view! { <Button look=Look::Primary on_press=Callback::new(move |()| rotating.set(true))>"Make new keys…"</Button> };
    view! {
        <Card title="Rotation" actions=actions.into_any()>
            <p class="muted">"New keys wait until their records are visible, then take over. The old ones' records stay for a while, are then emptied, and may later be deleted."</p>
            <Schedule detail fresh/>
        </Card>
        {cards}
        <ConfirmDialog open=rotating title="Make new keys?" confirm="Make new keys" look=Look::Primary busy=rotate.busy failure=rotate.rest(&[]) on_confirm=do_rotate>
            <p>"You get two new records to publish. Until they are visible everything goes on as it is."</p>
        </ConfirmDialog>
        <ConfirmDialog open=open_for(forcing) title="Sign without the record?" confirm="Sign anyway" busy=force.busy failure=force.rest(&[]) on_confirm=do_force>
            <p>"Receivers that cannot find the key's record treat the mail as unsigned, and many refuse it. It is noted that you did this."</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn card(key: &DomainKey, force: Callback<DomainKey>, remove: Callback<i64>) -> AnyView {
    let (tone, word) = step(key.step);
    let steps =
        history(key).into_iter().map(|(word, at)| view! { <dt>{word}</dt><dd>{moment(&at)}</dd> }).collect_view();
    let missing = key.missing_since.as_deref().map(|at| view! { <dt>"record missing since"</dt><dd>{moment(at)}</dd> });
    let forced = key.forced_by.clone().zip(key.forced_at.as_deref()).map(|(by, at)| {
        view! { <dt>"told to sign anyway"</dt><dd>{moment(at)}" by "{by}</dd> }
    });
    let next_at = key.next_at.as_deref().map(|at| view! { " "<span class="muted">{ago(at)}</span> });
    let (id, copy) = (key.id, key.clone());
    let force_button = can_be_forced(key.step).then(|| {
        let ask = Callback::new(move |()| force.run(copy.clone()));
        view! { <Button label=format!("Sign anyway with {}", key.selector) on_press=ask>"Sign anyway…"</Button> }
    });
    let remove_button = can_be_removed(key).then(|| {
        let label = format!("Remove the key {}", key.selector);
        view! { <Button look=Look::Danger label on_press=Callback::new(move |()| remove.run(id))>"Remove"</Button> }
    });
    let buttons = (force_button.is_some() || remove_button.is_some())
        .then(|| view! { <div class="actions">{force_button}{remove_button}</div> });
    view! {
        <section class="card record" data-tone=tone.name() aria-label=format!("Key {}", key.selector)>
            <header class="card-head">
                <h2><code>{key.selector.clone()}</code></h2>
                <span class="actions">{chip(key.algorithm.clone())}{badge(tone, word)}</span>
            </header>
            <p>{key.next.clone()}{next_at}</p>
            <dl class="facts">{steps}{missing}{forced}</dl>
            {buttons}
        </section>
    }
    .into_any()
}

/// How often new keys are made by themselves.
#[component]
fn Schedule(detail: Shown<DomainDetail>, fresh: Callback<DomainDetail>) -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let toasts = use_toasts();
    let submit = Submit::new();
    let chosen = Memo::new(move |_| {
        let days = detail.with(|detail| detail.domain.rotate_every_days);
        days.map(|days| days.to_string()).unwrap_or_default()
    });
    let options = Signal::derive(move || {
        let mut days = vec!["30".to_owned(), "90".to_owned(), "180".to_owned(), "365".to_owned()];
        let now = chosen.get();
        if !now.is_empty() && !days.contains(&now) {
            days.push(now);
        }
        let every = days.into_iter().map(|days| (days.clone(), format!("every {days} days")));
        std::iter::once((String::new(), "by hand only".to_owned())).chain(every).collect::<Vec<Choice>>()
    });
    let choose = Callback::new(move |word: String| {
        let id = id.get_untracked();
        let schedule = RotationSchedule { every_days: word.parse().ok() };
        submit.run(async move {
            match api.put(format!("/domains/{id}/schedule"), &schedule).await {
                Ok(found) => {
                    fresh.run(found);
                    toasts.good("Saved");
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    view! {
        <Field id="rotation" label="New keys" hint="A schedule makes keys; publishing their records stays with you.">
            <Select id="rotation" value=chosen on_choice=choose options/>
        </Field>
    }
    .into_any()
}
