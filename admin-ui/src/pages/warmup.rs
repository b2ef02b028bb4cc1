//! Warm-up, on the Egress page: how far each source and sending domain is at each provider, and what to change about it.

use api_types::{
    NewWarmupDomain, Page, SendingDomain, SetWarmupStage, WarmupDomain, WarmupForecast, WarmupLine, WarmupPlan,
    WarmupState,
};
use leptos::prelude::*;
use view::number::{counted, grouped};
use view::query::with;
use view::warmup;

use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

/// The table of all warm-ups, with their actions.
#[component]
pub fn WarmupCard() -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let query = use_query();
    let (axis, cursor) = (query.param("axis"), query.param("cursor"));
    let page = load(move || {
        let path = with("/warmup", &[("axis", &axis.get()), ("cursor", &cursor.get())]);
        api.get::<Page<WarmupLine>>(path)
    })
    .every(10, || true);
    let changed = Callback::new(move |()| page.reload());
    let setting = RwSignal::new(None::<WarmupLine>);
    let submit = Submit::new();
    // One at a time is enough: the answer comes at once.
    let act = Callback::new(move |(id, verb): (i64, &'static str)| {
        submit.run(async move {
            let answer = api.act::<WarmupLine>(format!("/warmup/{id}/{verb}")).await;
            match &answer {
                Ok(line) => toasts.good(warmup::changed(line)),
                Err(failure) => toasts.failed(failure),
            }
            changed.run(());
            answer.map(|_| ())
        });
    });
    let heads = || {
        vec![
            Head::text("From"),
            Head::text("Provider"),
            Head::text("State"),
            Head::text("Stage"),
            Head::number("Sent today"),
            Head::number("Accepted"),
            Head::number("Deferred"),
            Head::number("Blocked"),
            Head::text("Why"),
            Head::text(""),
        ]
    };
    let row = move |line: &WarmupLine| line_row(line, act, setting);
    let empty = || {
        let about = "A new address earns its volume at each provider day by day. Give a source a plan in packetboat.toml \
                     (warmup = \"standard\"), or begin with a sending domain below; its first mail makes a row here.";
        view! { <p class="muted">{about}</p> }.into_any()
    };
    let options = [("", "Sources and domains"), ("source", "Sources"), ("domain", "Sending domains")]
        .map(|(word, label)| (word.to_owned(), label.to_owned()))
        .to_vec();
    view! {
        <Card title="Warm-up">
            <Toolbar><FilterBy query param="axis" label="What warms up" options=options/></Toolbar>
            {list("Warm-up", query, page, &["axis"], heads, row, empty)}
        </Card>
        <Domains changed/>
        <StageDialog setting changed/>
    }
    .into_any()
}

fn line_row(line: &WarmupLine, act: Callback<(i64, &'static str)>, setting: RwSignal<Option<WarmupLine>>) -> Row {
    let (tone, word) = warmup::state(line.state);
    let id = line.id;
    let whose = format!("{} at {}", line.subject, line.provider);
    let verb = match line.state {
        WarmupState::Running => Some(("pause", "Pause")),
        WarmupState::Paused => Some(("resume", "Resume")),
        WarmupState::Done => None,
    };
    let verb = verb.map(|(path, face)| {
        let press = Callback::new(move |()| act.run((id, path)));
        view! { <Button look=Look::Ghost on_press=press label=format!("{face} {whose}")>{face}</Button> }
    });
    let chosen = line.clone();
    let set = Callback::new(move |()| setting.set(Some(chosen.clone())));
    // What follows no plan any more can only rest.
    let actions = line.plan.is_some().then(|| {
        view! {
            <span class="actions">
                {verb}
                <Button look=Look::Ghost on_press=set label=format!("Set the stage of {whose}")>"Set stage"</Button>
            </span>
        }
    });
    Row::new(vec![
        line.subject.clone().into_any(),
        line.provider.clone().into_any(),
        badge(tone, word),
        warmup::stage(line).into_any(),
        warmup::today(line).into_any(),
        figure(line.delivered),
        figure(line.deferred),
        figure(line.blocked),
        view! { <span class="answer">{line.note.clone()}" "{moment(&line.noted_at)}</span> }.into_any(),
        actions.into_any(),
    ])
}

#[component]
fn StageDialog(setting: RwSignal<Option<WarmupLine>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(setting);
    let stage = RwSignal::new(String::new());
    let plans = load(move || api.get::<Vec<WarmupPlan>>("/warmup/plans".to_owned()));
    Effect::new(move |_| {
        if let Some(line) = setting.get() {
            stage.set(line.stage.to_string());
        }
    });
    let options = Signal::derive(move || {
        let stages = setting.with(|line| {
            let plan = line.as_ref()?.plan.clone()?;
            plans.data.with(|plans| plans.as_ref()?.iter().find(|known| known.name == plan).map(|p| p.stages.clone()))
        });
        warmup::stage_choices(&stages.unwrap_or_default())
    });
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(line) = setting.get_untracked() else { return };
        let Ok(stage) = stage.get_untracked().parse() else { return };
        submit.run(async move {
            let path = format!("/warmup/{}/stage", line.id);
            let line: WarmupLine = api.post(path, &SetWarmupStage { stage }).await?;
            toasts.good(warmup::changed(&line));
            setting.try_set(None);
            changed.run(());
            Ok(())
        });
    };
    let whose = move || {
        setting
            .with(|line| line.as_ref().map(|line| format!("{} at {}", line.subject, line.provider)))
            .unwrap_or_default()
    };
    view! {
        <Dialog open title="Set the stage">
            <form on:submit=send>
                <p class="dialog-body">{whose}". What left today counts. A higher stage than the provider is used to may get the mail deferred or blocked there."</p>
                <Field id="stage" label="Stage" error=submit.field("stage")>
                    <Select id="stage" value=stage on_choice=Callback::new(move |chosen| stage.set(chosen)) options/>
                </Field>
                {form_error(submit.rest(&["stage"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Set the stage"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

/// Sending domains that warm up.
#[component]
fn Domains(changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let begun = load(move || api.get::<Vec<WarmupDomain>>("/warmup/domains".to_owned()));
    let adding = RwSignal::new(false);
    let ending = RwSignal::new(None::<WarmupDomain>);
    let all_changed = Callback::new(move |()| {
        begun.reload();
        changed.run(());
    });
    let body = move |begun: &[WarmupDomain]| {
        if begun.is_empty() {
            let about =
                "A domain that never sent earns its volume too, whatever the source. Begin before its first campaign.";
            return view! { <p class="muted">{about}</p> }.into_any();
        }
        let row = |domain: &WarmupDomain| {
            let chosen = domain.clone();
            let end = Callback::new(move |()| ending.set(Some(chosen.clone())));
            let label = format!("End the warm-up of {}", domain.domain);
            Row::new(vec![
                domain.domain.clone().into_any(),
                domain.plan.clone().into_any(),
                view! { {moment(&domain.created_at)}" by "{domain.created_by.clone()} }.into_any(),
                view! { <Button look=Look::Ghost on_press=end label>"End"</Button> }.into_any(),
            ])
        };
        let heads = vec![Head::text("Domain"), Head::text("Plan"), Head::text("Since"), Head::text("")];
        table("Sending domains that warm up", heads, begun.iter().map(row).collect())
    };
    let add = Callback::new(move |()| adding.set(true));
    let actions = view! { <Button on_press=add>"Warm up a domain"</Button> }.into_any();
    view! {
        <Card title="Sending domains that warm up" actions>
            {begun.show(2, move |begun| view! { {move || begun.with(|begun| body(begun))} }.into_any())}
        </Card>
        <BeginDialog open=adding changed=all_changed/>
        <EndDialog ending changed=all_changed/>
    }
    .into_any()
}

#[component]
fn BeginDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let domain = RwSignal::new(String::new());
    let plan = RwSignal::new("standard".to_owned());
    let domains = load(move || api.get::<Page<SendingDomain>>("/domains?limit=200".to_owned()));
    let plans = load(move || api.get::<Vec<WarmupPlan>>("/warmup/plans".to_owned()));
    let domain_options = Signal::derive(move || {
        let known = domains.data.with(|page| {
            page.iter()
                .flat_map(|page| &page.items)
                .map(|row| (row.domain.clone(), row.domain.clone()))
                .collect::<Vec<_>>()
        });
        std::iter::once((String::new(), "Choose a domain".to_owned())).chain(known).collect::<Vec<_>>()
    });
    let plan_options = Signal::derive(move || {
        plans.data.with(|plans| plans.iter().flatten().map(warmup::plan_choice).collect::<Vec<_>>())
    });
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let new = NewWarmupDomain { domain: domain.get_untracked(), plan: plan.get_untracked() };
        submit.run(async move {
            let begun: WarmupDomain = api.post("/warmup/domains".to_owned(), &new).await?;
            toasts.good(format!("{} follows the plan {} at each provider", begun.domain, begun.plan));
            open.try_set(false);
            changed.run(());
            Ok(())
        });
    };
    view! {
        <Dialog open title="Warm up a sending domain">
            <form on:submit=send>
                <Field id="warm-domain" label="Domain" error=submit.field("domain")>
                    <Select id="warm-domain" value=domain on_choice=Callback::new(move |chosen| domain.set(chosen)) options=domain_options/>
                </Field>
                <Field id="warm-plan" label="Plan" hint="Messages a day to each provider. Mail over that waits for the next day." error=submit.field("plan")>
                    <Select id="warm-plan" value=plan on_choice=Callback::new(move |chosen| plan.set(chosen)) options=plan_options/>
                </Field>
                {form_error(submit.rest(&["domain", "plan"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Begin"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
fn EndDialog(ending: RwSignal<Option<WarmupDomain>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(ending);
    let submit = Submit::new();
    let name = Signal::derive(move || {
        ending.with(|domain| domain.as_ref().map(|domain| domain.domain.clone()).unwrap_or_default())
    });
    let end = Callback::new(move |()| {
        let Some(domain) = ending.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/warmup/domains/{}", domain.id)).await?;
            toasts.good(format!("The warm-up of {} has ended", domain.domain));
            ending.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="End this warm-up?" confirm="End the warm-up" busy=submit.busy failure=submit.rest(&[]) on_confirm=end>
            <p>"Mail of "<strong>{name}</strong>" is limited no more, and how far it was at each provider is forgotten."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// On a campaign's page: when the warm-ups let the rest of it go. Nothing where they limit nothing.
#[component]
pub fn CampaignWarmup(#[prop(into)] id: Signal<i64>, #[prop(into)] live: Signal<bool>) -> impl IntoView {
    let api = use_api();
    let forecast = load(move || {
        let wanted = live.get();
        let call = api.get::<WarmupForecast>(format!("/warmup/forecast?campaign_id={}", id.get()));
        async move { if wanted { call.await.map(Some) } else { Ok(None) } }
    })
    .every(60, move || live.get_untracked());
    let body = move || {
        let forecast = forecast.data.get().flatten()?;
        let limited = warmup::limited(&forecast);
        if limited.is_empty() {
            return None;
        }
        let rows = limited.iter().map(|at| {
            Row::new(vec![
                at.provider.clone().into_any(),
                figure(at.waiting),
                grouped(at.allowed_today.unwrap_or_default()).into_any(),
                at.finishes_at.as_deref().map_or_else(|| "not within a year".into_any(), moment),
            ])
        });
        let heads = vec![
            Head::text("Provider"),
            Head::number("Not sent yet"),
            Head::number("Allowed today"),
            Head::text("Finished about"),
        ];
        let rows = table("What the warm-up allows", heads, rows.collect());
        let others = (forecast.others > 0).then(|| {
            let others = counted(forecast.others, "recipient", "recipients");
            view! { <p class="muted">{others}" at other domains, with few each, not counted here."</p> }
        });
        Some(view! { <Card title="Limited by warm-up">{rows}{others}</Card> })
    };
    body.into_any()
}
