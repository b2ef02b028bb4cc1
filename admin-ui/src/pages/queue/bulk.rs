//! What can be done with many recipients at once: chosen ones, or all that match.

use std::collections::BTreeSet;

use api_types::{MatchCount, Page, QueueAction, QueueActionKind, QueueFilter, QueueJob, QueueJobState};
use leptos::prelude::*;
use view::query::with;
use view::queue as words;

use crate::api::use_api;
use crate::load::{Load, load};
use crate::parts::*;
use crate::submit::Submit;

/// Jobs shown.
const JOBS: &str = "5";

/// The chosen recipients.
pub type Chosen = RwSignal<BTreeSet<i64>>;

/// A box that chooses a recipient.
pub fn choice(chosen: Chosen, id: i64, address: &str) -> AnyView {
    let toggle = move |_| {
        chosen.update(|chosen| {
            if !chosen.remove(&id) {
                chosen.insert(id);
            }
        });
    };
    view! {
        <input type="checkbox" aria-label=format!("Choose {address}")
            prop:checked=move || chosen.with(|chosen| chosen.contains(&id)) on:change=toggle/>
    }
    .into_any()
}

/// The bar: who is meant, and what to do with them.
#[component]
pub fn BulkBar(
    chosen: Chosen,
    /// The page's filter as the API's, and as its query.
    filter: Signal<QueueFilter>,
    query: Signal<Vec<(&'static str, String)>>,
    pools: Signal<Vec<String>>,
    changed: Callback<()>,
) -> impl IntoView {
    let asking = RwSignal::new(None::<QueueActionKind>);
    let count = Memo::new(move |_| chosen.with(BTreeSet::len) as u64);
    let who = move || match count.get() {
        0 => "All that match:".to_owned(),
        n => format!("{} chosen:", view::number::grouped(n)),
    };
    let buttons = words::ACTIONS.map(|kind| {
        let look = if kind == QueueActionKind::Bounce { Look::Danger } else { Look::Secondary };
        let ask = Callback::new(move |()| asking.set(Some(kind)));
        view! { <Button look on_press=ask>{words::action(kind)}"…"</Button> }
    });
    let clear = Callback::new(move |()| chosen.set(BTreeSet::new()));
    view! {
        <div class="toolbar bulk" role="group" aria-label="Actions on many recipients">
            <span role="status">{who}</span>
            {buttons.collect_view()}
            {move || (count.get() > 0).then(|| view! { <Button look=Look::Ghost on_press=clear>"Choose none"</Button> })}
        </div>
        <ActionDialog asking chosen filter query pools changed/>
    }
    .into_any()
}

#[component]
fn ActionDialog(
    asking: RwSignal<Option<QueueActionKind>>,
    chosen: Chosen,
    filter: Signal<QueueFilter>,
    query: Signal<Vec<(&'static str, String)>>,
    pools: Signal<Vec<String>>,
    changed: Callback<()>,
) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(asking);
    let reason = RwSignal::new(String::new());
    let pool = RwSignal::new(String::new());
    let matching = RwSignal::new(None::<MatchCount>);
    // How many match is asked when the dialog opens: the list has moved on since it was read.
    Effect::new(move |_| {
        if !open.get() {
            return;
        }
        matching.set(None);
        let picked = chosen.with_untracked(BTreeSet::len) as u64;
        if picked > 0 {
            matching.set(Some(MatchCount { count: picked, exact: true }));
            return;
        }
        let pairs = query.get_untracked();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = with("/recipients/count", &pairs);
        leptos::task::spawn_local(async move {
            if let Ok(count) = api.get::<MatchCount>(path).await {
                matching.try_set(Some(count));
            }
        });
    });
    let submit = Submit::new();
    let kind = move || asking.get().unwrap_or(QueueActionKind::Hold);
    let confirm = Callback::new(move |()| {
        let Some(action) = asking.get_untracked() else { return };
        let ids: Vec<i64> = chosen.get_untracked().into_iter().collect();
        let meant = if ids.is_empty() { filter.get_untracked() } else { QueueFilter { ids, ..QueueFilter::default() } };
        let order = QueueAction {
            action,
            all: meant == QueueFilter::default(),
            filter: meant,
            pool: (action == QueueActionKind::Reroute).then(|| pool.get_untracked()),
            reason: reason.get_untracked(),
        };
        submit.run(async move {
            api.post::<QueueJob>("/queue/actions".to_owned(), &order).await?;
            toasts.good("It has begun; the job below says how far it is.");
            asking.try_set(None);
            reason.try_set(String::new());
            chosen.try_set(BTreeSet::new());
            changed.run(());
            Ok(())
        });
    });
    let title = Signal::derive(move || {
        let whom = matching.get().map_or_else(|| "…".to_owned(), words::meant);
        format!("{}: {whom}?", words::action(kind()))
    });
    let look = Signal::derive(move || words::action(kind()).to_owned());
    let everybody = move || {
        let all = chosen.with(BTreeSet::is_empty) && filter.get() == QueueFilter::default();
        all.then(|| view! { <p><strong>"No filter is set: this is everybody in the queue."</strong></p> })
    };
    let choose = Callback::new(move |name: String| pool.set(name));
    let options = Signal::derive(move || {
        let first = (String::new(), "Choose a pool".to_owned());
        std::iter::once(first).chain(pools.get().into_iter().map(|name| (name.clone(), name))).collect::<Vec<_>>()
    });
    view! {
        <ConfirmDialog open title confirm=look busy=submit.busy failure=submit.rest(&[]) on_confirm=confirm>
            <p>{move || words::action_about(kind())}" What is being sent right now is not touched."</p>
            {everybody}
            {move || (kind() == QueueActionKind::Reroute).then(|| view! {
                <Field id="pool" label="Pool"><Select id="pool" value=pool on_choice=choose options/></Field>
            })}
            <Field id="why" label="Why" hint="Kept with each of them."><TextInput id="why" value=reason/></Field>
        </ConfirmDialog>
    }
    .into_any()
}

/// The last jobs, looked at again while one runs.
pub fn use_jobs() -> Load<Page<QueueJob>> {
    let api = use_api();
    let jobs = load(move || api.get::<Page<QueueJob>>(with("/queue/jobs", &[("limit", JOBS)])));
    let running = jobs.map(|page| page.items.iter().any(|job| job.state == QueueJobState::Running));
    jobs.every(1, move || running.get_untracked())
}

/// The jobs as a table; nothing where there are none.
pub fn jobs(rows: &[QueueJob], changed: Callback<()>) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing was done by hand yet."</p> }.into_any();
    }
    let heads = vec![
        Head::text("Action"),
        Head::text("With whom"),
        Head::text("State"),
        Head::text("Figures"),
        Head::text("By"),
        Head::text(""),
    ];
    let row = |job: &QueueJob| {
        let (tone, word) = words::job(job.state);
        let running = job.state == QueueJobState::Running;
        let bar = running.then(
            || view! { <ProgressBar percent=Signal::stored(words::job_percent(job)) label="Progress of the job"/> },
        );
        let cancel = if running { view! { <CancelJob id=job.id changed/> }.into_any() } else { none() };
        let to = job.pool.as_ref().map(|pool| format!(" to {pool}"));
        Row::new(vec![
            view! { {words::action(job.action)}{to} }.into_any(),
            job.filter.clone().into_any(),
            view! { {badge(tone, word)}{bar} }.into_any(),
            words::job_figures(job).into_any(),
            view! { {job.created_by.clone()}", "{ago(&job.created_at)} }.into_any(),
            cancel,
        ])
    };
    table("Jobs", heads, rows.iter().map(row).collect())
}

#[component]
fn CancelJob(id: i64, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let submit = Submit::new();
    let cancel = Callback::new(move |()| {
        submit.run(async move {
            let ended = api.act::<QueueJob>(format!("/queue/jobs/{id}/cancel")).await;
            match &ended {
                Ok(job) => toasts.good(format!("Cancelled: {}", words::job_figures(job))),
                Err(failure) => toasts.failed(failure),
            }
            changed.run(());
            ended.map(|_| ())
        });
    });
    view! { <Button busy=submit.busy on_press=cancel>"Cancel"</Button> }.into_any()
}
