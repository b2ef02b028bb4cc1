//! One webhook: how it fares, what was told, and what can be done about it.

use api_types::{Page, Webhook, WebhookAnswer, WebhookChange, WebhookDelivery, WebhookDeliveryDetail, WebhookSecret};
use leptos::prelude::*;
use view::number::grouped;
use view::tone::Tone;
use view::webhook;

use super::edit::{EditDialog, secret_view};
use crate::api::use_api;
use crate::load::{Load, load};
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

/// Health and deliveries are asked for so often.
const EVERY_SECONDS: u64 = 5;
/// States to choose from.
const STATES: [(&str, &str); 4] =
    [("", "All deliveries"), ("waiting", "Sent next"), ("retrying", "Tried again"), ("failed", "Given up")];

#[component]
pub fn WebhookPage() -> impl IntoView {
    let api = use_api();
    let id = use_id();
    let query = use_query();
    let (state, cursor) = (query.param("state"), query.param("cursor"));
    let hook = load(move || api.get::<Webhook>(format!("/webhooks/{}", id.get()))).every(EVERY_SECONDS, || true);
    let deliveries = load(move || {
        let path = format!("/webhooks/{}/deliveries", id.get());
        let path = view::query::with(&path, &[("state", &state.get()), ("cursor", &cursor.get())]);
        api.get::<Page<WebhookDelivery>>(path)
    })
    .every(EVERY_SECONDS, || true);
    let title = hook.title(|hook| hook.name.clone());
    let changed = Callback::new(move |()| {
        hook.reload();
        deliveries.reload();
    });
    let shown = RwSignal::new(None::<i64>);
    let heads = || ["Happened", "What", "State", "Attempts", "Answer", "Next attempt", ""].map(Head::text).to_vec();
    let row = move |row: &WebhookDelivery| delivery_row(row, shown);
    let empty = || {
        view! { <Empty title="Nothing told yet" about="What happens from now on is listed here, with what your program answered. Try the webhook with a test first."/> }
            .into_any()
    };
    let states: Vec<_> = STATES.iter().map(|(word, name)| ((*word).to_owned(), (*name).to_owned())).collect();
    view! {
        <PageHeader title ready=hook.there() above=("/webhooks".to_owned(), "Webhooks") about="What it is told, and what your program answered.">
            <Actions hook changed/>
        </PageHeader>
        {hook.show(2, |hook| (move || hook.with(health)).into_any())}
        <Toolbar><FilterBy query param="state" label="State" options=Signal::stored(states)/></Toolbar>
        {list("Deliveries", query, deliveries, &["state"], heads, row, empty)}
        <DeliveryDialog webhook=id shown changed/>
    }
    .into_any()
}

fn health(hook: &Webhook) -> AnyView {
    let (tone, word) = webhook::standing(hook);
    let health = &hook.health;
    let why = hook.disabled_why.clone().or_else(|| health.failure.clone().filter(|_| health.attempts_failed > 0));
    let skipped = (health.skipped > 0).then(
        || view! { <p class="muted">{grouped(health.skipped)}" events were deleted before they could be told."</p> },
    );
    let overlap = hook
        .old_secret_until
        .as_deref()
        .map(|at| view! { <p class="muted">"The secret before signs too until "{moment(at)}"."</p> });
    view! {
        <section class="card">
            <p>{badge(tone, word)}" "<code>{hook.url.clone()}</code></p>
            {why.map(|why| view! { <p class="form-error">{why}</p> })}
            <p class="muted">{webhook::told_of(hook)}</p>
            {skipped}
            {overlap}
        </section>
        <div class="stats">
            <StatCard label="Delivered" figure=grouped(health.delivered) hint=String::new()/>
            <StatCard label="Failed in a row" figure=grouped(health.attempts_failed.into()) hint="attempts since the last success".to_owned()/>
            <StatCard label="Given up in a row" figure=grouped(health.deliveries_failed.into()) hint="five disable the webhook".to_owned()/>
            <StatCard label="Behind" figure=grouped(health.behind) hint="events not looked at yet".to_owned()/>
        </div>
    }
    .into_any()
}

fn delivery_row(row: &WebhookDelivery, shown: RwSignal<Option<i64>>) -> Row {
    let (tone, word) = webhook::delivery(row.state);
    let id = row.id;
    let show = Callback::new(move |()| shown.set(Some(id)));
    Row::new(vec![
        moment(&row.at),
        view! { <code>{row.kind.as_str()}</code> }.into_any(),
        badge(tone, word),
        grouped(row.attempts.into()).into_any(),
        webhook::answer(row).into_any(),
        row.next_at.as_deref().map_or_else(none, ago),
        view! { <Button look=Look::Ghost on_press=show label=format!("Show {}", row.message_id)>"Show"</Button> }
            .into_any(),
    ])
}

/// What can be done with the webhook.
#[component]
fn Actions(hook: Load<Webhook>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let nav = use_nav();
    let id = move || hook.data.with_untracked(|hook| hook.as_ref().map(|hook| hook.id).unwrap_or_default());
    let enabled = hook.map(|hook| hook.enabled);
    let [editing, turning, removing] = [(); 3].map(|()| RwSignal::new(false));
    let answer = RwSignal::new(None::<WebhookAnswer>);
    let secret = RwSignal::new(None::<String>);
    let [test, switch, turn, remove] = [(); 4].map(|()| Submit::new());
    let on_test = Callback::new(move |()| {
        let id = id();
        test.run(async move {
            match api.act::<WebhookAnswer>(format!("/webhooks/{id}/test")).await {
                Ok(came) => {
                    answer.try_set(Some(came));
                }
                Err(failure) => toasts.failed(&failure),
            }
            Ok(())
        });
    });
    let on_switch = Callback::new(move |()| {
        let (id, change) =
            (id(), WebhookChange { enabled: Some(!enabled.get_untracked()), ..WebhookChange::default() });
        switch.run(async move {
            match api.patch::<Webhook>(format!("/webhooks/{id}"), &change).await {
                Ok(now) => toasts.good(format!("{} is {}", now.name, if now.enabled { "enabled" } else { "disabled" })),
                Err(failure) => toasts.failed(&failure),
            }
            changed.run(());
            Ok(())
        });
    });
    let on_turn = Callback::new(move |()| {
        let id = id();
        turn.run(async move {
            let made: WebhookSecret = api.act(format!("/webhooks/{id}/secret")).await?;
            turning.try_set(false);
            secret.try_set(Some(made.secret));
            changed.run(());
            Ok(())
        });
    });
    let on_remove = Callback::new(move |()| {
        let id = id();
        remove.run(async move {
            api.delete(format!("/webhooks/{id}")).await?;
            toasts.good("The webhook is deleted");
            nav.to("/webhooks");
            Ok(())
        });
    });
    let (showing_answer, showing_secret) = (open_for(answer), open_for(secret));
    let webhook = Signal::derive(move || hook.data.get());
    let press = |open: RwSignal<bool>| Callback::new(move |()| open.set(true));
    view! {
        <Button look=Look::Danger on_press=press(removing)>"Delete"</Button>
        <Button on_press=press(turning)>"New secret"</Button>
        <Button busy=switch.busy on_press=on_switch>{move || if enabled.get() { "Disable" } else { "Enable" }}</Button>
        <Button on_press=press(editing)>"Change"</Button>
        <Button look=Look::Primary busy=test.busy on_press=on_test>"Send a test"</Button>
        <EditDialog open=editing webhook changed/>
        <ConfirmDialog open=turning title="Make a new secret?" confirm="Make it" look=Look::Primary busy=turn.busy failure=turn.rest(&[]) on_confirm=on_turn>
            <p>"For 24 hours requests are signed with both, so that your program can change over in its own time."</p>
        </ConfirmDialog>
        <ConfirmDialog open=removing title="Delete this webhook?" confirm="Delete" busy=remove.busy failure=remove.rest(&[]) on_confirm=on_remove>
            <p>"Your program is told nothing any more, and the list of deliveries is deleted. This cannot be undone."</p>
        </ConfirmDialog>
        <Dialog open=showing_answer title="What came back">{move || answer.get().map(answer_view)}</Dialog>
        <Dialog open=showing_secret title="The new secret">{move || secret.get().map(|text| secret_view(text, showing_secret))}</Dialog>
    }
    .into_any()
}

fn answer_view(answer: WebhookAnswer) -> AnyView {
    let (tone, word) = if answer.success { (Tone::Success, "It works") } else { (Tone::Danger, "It does not work") };
    let status = answer.status.map(|status| format!("HTTP {status}, after {} ms", answer.took_ms));
    view! {
        <p>{badge(tone, word)}" "{status}</p>
        {texts(Some(answer.request), Some(answer.answer))}
    }
    .into_any()
}

/// What was sent and what came back, in their own words.
fn texts(request: Option<String>, answer: Option<String>) -> AnyView {
    let request = request.unwrap_or_else(|| "The event that it was made from is no longer kept.".to_owned());
    let answer = answer.filter(|text| !text.is_empty()).unwrap_or_else(|| "Nothing.".to_owned());
    view! {
        <h3>"Sent"</h3>
        <pre class="reply" tabindex="0">{request}</pre>
        <h3>"Answered"</h3>
        <pre class="reply" tabindex="0">{answer}</pre>
    }
    .into_any()
}

#[component]
fn DeliveryDialog(webhook: Memo<i64>, shown: RwSignal<Option<i64>>, changed: Callback<()>) -> impl IntoView {
    let open = open_for(shown);
    let body = move || shown.get().map(|id| view! { <DeliveryView webhook=webhook.get_untracked() id shown changed/> });
    view! { <Dialog open title="Delivery">{body}</Dialog> }.into_any()
}

#[component]
fn DeliveryView(webhook: i64, id: i64, shown: RwSignal<Option<i64>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let path = format!("/webhooks/{webhook}/deliveries/{id}");
    let again = format!("{path}/retry");
    let detail = load(move || api.get::<WebhookDeliveryDetail>(path.clone()));
    let submit = Submit::new();
    let retry = Callback::new(move |()| {
        let path = again.clone();
        submit.run(async move {
            api.act::<WebhookDelivery>(path).await?;
            toasts.good("It is sent again");
            shown.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        {detail.show(4, |detail| (move || detail.with(|detail| texts(detail.request.clone(), detail.answer.clone()))).into_any())}
        {form_error(submit.rest(&[]))}
        <div class="actions end">
            <Button on_press=Callback::new(move |()| shown.set(None))>"Close"</Button>
            <Button look=Look::Primary busy=submit.busy on_press=retry>"Send it again"</Button>
        </div>
    }
    .into_any()
}
