//! List hygiene: rules for contacts that stay silent, whom each would reach now, what they did.

use api_types::{Hygiene, HygieneRan, HygieneRun, HygieneSettings, Role};
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;
use view::tone::Tone;

use crate::api::{use_api, use_me};
use crate::guard::UnsavedGuard;
use crate::load::{Load, Shown, load};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn HygienePage() -> impl IntoView {
    let api = use_api();
    // What is being tried; nothing until something was typed.
    let [sunset_months, reengage_months] = [(); 2].map(|()| RwSignal::new(String::new()));
    let hygiene = load(move || {
        let months = [("sunset_months", sunset_months.get()), ("reengage_months", reengage_months.get())];
        let months = months.map(|(name, text)| (name, view::hygiene::months(&text)));
        api.get::<Hygiene>(with("/hygiene", &[(months[0].0, &months[0].1), (months[1].0, &months[1].1)]))
    });
    view! {
        <PageHeader title="List hygiene" about="Mail that nobody reads harms the mail that others want. These rules deal with contacts that stay silent."/>
        {hygiene.show(6, move |found| {
            view! {
                <Rules found hygiene sunset_months reengage_months/>
                <Card title="What the rules did">{move || found.with(|found| runs(&found.runs))}</Card>
            }.into_any()
        })}
    }
    .into_any()
}

#[component]
fn Rules(
    found: Shown<Hygiene>,
    hygiene: Load<Hygiene>,
    sunset_months: RwSignal<String>,
    reengage_months: RwSignal<String>,
) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let may_change = use_me().role.may(Role::Admin);
    let readonly = Signal::derive(move || !may_change);
    let saved = RwSignal::new(found.get_untracked().settings);
    let start = saved.get_untracked();
    let (sunset, reengage) = (RwSignal::new(start.sunset), RwSignal::new(start.reengage));
    let tag = RwSignal::new(start.reengage_tag.clone());
    sunset_months.set(start.sunset_months.to_string());
    reengage_months.set(start.reengage_months.to_string());
    let now = move || HygieneSettings {
        sunset: sunset.get(),
        sunset_months: sunset_months.get().trim().parse().unwrap_or_default(),
        reengage: reengage.get(),
        reengage_months: reengage_months.get().trim().parse().unwrap_or_default(),
        reengage_tag: tag.get(),
    };
    let dirty = Memo::new(move |_| now() != saved.get());
    let submit = Submit::new();
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let wanted = untrack(now);
        submit.run(async move {
            let kept: Hygiene = api.put("/hygiene".to_owned(), &wanted).await?;
            saved.try_set(kept.settings.clone());
            tag.try_set(kept.settings.reengage_tag.clone());
            hygiene.data.put(kept);
            toasts.good("Saved");
            Ok(())
        });
    };
    let running = Submit::new();
    let run = Callback::new(move |()| {
        running.run(async move {
            let ran: HygieneRan = api.act("/hygiene/run".to_owned()).await?;
            toasts.good(view::hygiene::ran(&ran));
            hygiene.reload();
            Ok(())
        });
    });
    let nothing_on = Signal::derive(move || dirty.get() || saved.with(|rules| !rules.sunset && !rules.reengage));
    let would = move |n: fn(&Hygiene) -> u64| Signal::derive(move || grouped(found.with(n)));
    view! {
        <UnsavedGuard dirty/>
        <form on:submit=save>
            <Card title="Ask whether they still want mail">
                <p class="muted">"Contacts that were mailed for so long without a sign of engagement get a tag, and lose it when they are engaged again. Send those with the tag a campaign that asks."</p>
                <Check label="The rule is on" checked=reengage on_change=Callback::new(move |on| reengage.set(on)) disabled=readonly/>
                <div class="narrow">
                    <Field id="reengage-months" label="After so many months" error=submit.field("reengage_months")>
                        <TextInput id="reengage-months" value=reengage_months kind="number" required=true disabled=readonly/>
                    </Field>
                    <Field id="reengage-tag" label="Tag" error=submit.field("reengage_tag")>
                        <TextInput id="reengage-tag" value=tag required=true disabled=readonly/>
                    </Field>
                </div>
                <p role="status"><strong>{would(|found| found.reengage_would)}</strong>" contacts would get the tag now. "{those(reengage_months)}</p>
            </Card>
            <Card title="Stop mail that nobody reads">
                <p class="muted">"Contacts that were mailed for longer still without any sign of engagement get no campaigns any more. The first sign ends that by itself, and so does the preference centre."</p>
                <Check label="The rule is on" checked=sunset on_change=Callback::new(move |on| sunset.set(on)) disabled=readonly/>
                <div class="narrow">
                    <Field id="sunset-months" label="After so many months" error=submit.field("sunset_months")>
                        <TextInput id="sunset-months" value=sunset_months kind="number" required=true disabled=readonly/>
                    </Field>
                </div>
                {move || (!found.with(|found| found.engagement_known)).then(|| view! {
                    <p class="notice" data-tone="warning">
                        {badge(Tone::Warning, "Nothing is measured")}
                        <span>"Nobody showed a sign of engagement in these months as far as is known, so the rule would mean everybody. It can be turned on once there is one: an answer, a visit to the preference centre, or the column engaged_at of imported contacts."</span>
                    </p>
                })}
                <p role="status"><strong>{would(|found| found.sunset_would)}</strong>" contacts would get no campaigns any more. "{those(sunset_months)}</p>
                <p><a href=with("/suppressions", &[("reason", "sunset")])>{would(|found| found.sunset_now)}" addresses"</a>" get none now because of this rule."</p>
            </Card>
            {form_error(submit.rest(&["sunset_months", "reengage_months", "reengage_tag"]))}
            {form_error(running.rest(&[]))}
            {if may_change {
                view! {
                    <div class="actions spaced">
                        <Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || !dirty.get())>"Save"</Button>
                        <Button busy=running.busy disabled=nothing_on on_press=run>"Apply what is on now"</Button>
                        <span class="muted">"Rules that are on are applied once a day."</span>
                    </div>
                }.into_any()
            } else {
                view! { <p class="muted">"An owner or administrator can change this."</p> }.into_any()
            }}
        </form>
    }
    .into_any()
}

/// The way to the contacts themselves, ready to become a segment.
fn those(months: RwSignal<String>) -> AnyView {
    let href = move || with("/segments/new", &[("unengaged", &view::hygiene::months(&months.get()))]);
    view! { <a href=href>"See who they are"</a> }.into_any()
}

fn runs(runs: &[HygieneRun]) -> AnyView {
    if runs.is_empty() {
        return view! { <p class="muted">"Nothing yet: no rule was applied."</p> }.into_any();
    }
    let heads =
        vec![Head::text("When"), Head::text("Rule"), Head::text("By"), Head::number("Contacts"), Head::text("")];
    let row = |run: &HygieneRun| {
        let ended = match run.finished_at.is_some() {
            true => badge(Tone::Success, "Done"),
            false => badge(Tone::Neutral, "Not ended"),
        };
        Row::new(vec![
            moment(&run.started_at),
            view::hygiene::rule(&run.rule).into_any(),
            run.started_by.clone().into_any(),
            figure(run.changed),
            ended,
        ])
    };
    table("Runs of the rules", heads, runs.iter().map(row).collect())
}
