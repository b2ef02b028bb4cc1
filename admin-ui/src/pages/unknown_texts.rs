//! Texts of servers that no rule knows: what they have in common, how often they come, and a rule made of one.

use api_types::{BOUNCE_CLASSES, DraftedRule, Page, ProviderRow, UnknownText};
use leptos::prelude::*;
use view::query::with;
use view::tone::{self, Tone};

use crate::api::use_api;
use crate::load::{listed, load};
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn UnknownTexts() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let page = listed::<UnknownText>(query, &["provider", "sort"], || "/unknown-texts".to_owned());
    let providers = load(move || api.get::<Page<ProviderRow>>("/providers".to_owned()));
    let names = providers.map(|page| page.items.iter().map(|row| row.name.clone()).collect::<Vec<_>>());
    let options = Signal::derive(move || {
        let every = (String::new(), "Every provider".to_owned());
        std::iter::once(every).chain(names.get().into_iter().map(|name| (name.clone(), name))).collect::<Vec<Choice>>()
    });
    let orders =
        vec![(String::new(), "Most frequent first".to_owned()), ("last".to_owned(), "Last seen first".to_owned())];
    let making = RwSignal::new(None::<UnknownText>);
    let dismissing = RwSignal::new(None::<UnknownText>);
    let changed = Callback::new(move |()| page.reload());
    let heads = || {
        vec![
            Head::text("Their words"),
            Head::text("Provider"),
            Head::text("Taken for"),
            Head::number("Seen"),
            Head::text("Last"),
            Head::text(""),
        ]
    };
    let row = move |row: &UnknownText| text_row(row, making, dismissing);
    let empty = || {
        view! { <Empty title="Every text was known" about="Replies and reports whose words no rule knows are collected here, so that a rule can be made of them."/> }
            .into_any()
    };
    view! {
        <PageHeader title="Unknown texts" about="What servers said and no rule knew: it was taken for what its codes say. Make a rule of what comes often." above=("/providers".to_owned(), "Providers")/>
        <Toolbar>
            <FilterBy query param="provider" label="Provider" options=options/>
            <FilterBy query param="sort" label="Order" options=orders/>
        </Toolbar>
        {list("Unknown texts", query, page, &["provider"], heads, row, empty)}
        <RuleDialog making/>
        <DismissDialog dismissing changed/>
    }
    .into_any()
}

fn text_row(
    row: &UnknownText,
    making: RwSignal<Option<UnknownText>>,
    dismissing: RwSignal<Option<UnknownText>>,
) -> Row {
    let (to_make, to_dismiss) = (row.clone(), row.clone());
    let make = Callback::new(move |()| making.set(Some(to_make.clone())));
    let dismiss = Callback::new(move |()| dismissing.set(Some(to_dismiss.clone())));
    let test = with("/providers", &[("reply", &row.sample), ("stage", &row.stage), ("at", &row.provider)]);
    let known = row.known_by.clone().map(|rule| view! { {badge(Tone::Success, "Known by now")}{chip(rule)} });
    let provider = if row.provider.is_empty() { none() } else { row.provider.clone().into_any() };
    let codes = (row.rule != "none").then(|| chip(row.rule.clone()));
    Row::new(vec![
        view! { <span class="answer"><code>{row.sample.clone()}</code>{known}</span> }.into_any(),
        provider,
        view! { <span class="chips">{tone::words(&row.class)}{codes}</span> }.into_any(),
        figure(row.count),
        ago(&row.last_seen),
        view! {
            <span class="actions">
                <Button look=Look::Secondary on_press=make label=format!("Make a rule of {}", row.shape)>"Make a rule"</Button>
                <a class="button ghost" href=test>"Try it"</a>
                <Button look=Look::Ghost on_press=dismiss label=format!("Dismiss {}", row.shape)>"Dismiss"</Button>
            </span>
        }
        .into_any(),
    ])
}

/// A rule made of the text, for the class that is chosen, to be copied.
#[component]
fn RuleDialog(making: RwSignal<Option<UnknownText>>) -> impl IntoView {
    let open = open_for(making);
    let body = move || making.get().map(|text| view! { <Draft text/> });
    view! { <Dialog open title=Signal::derive(|| "Make a rule".to_owned())>{body}</Dialog> }.into_any()
}

#[component]
fn Draft(text: UnknownText) -> impl IntoView {
    let api = use_api();
    let class = RwSignal::new(text.class.clone());
    let id = text.id;
    let drafted = load(move || {
        let class = class.get();
        api.get::<DraftedRule>(with(&format!("/unknown-texts/{id}/rule"), &[("class", &class)]))
    });
    let classes: Vec<Choice> = BOUNCE_CLASSES.iter().map(|class| ((*class).to_owned(), tone::words(class))).collect();
    let choose = Callback::new(move |word: String| class.set(word));
    let faults = move |rule: &DraftedRule| {
        rule.faults.iter().map(|fault| view! { <p class="form-error" role="alert">{fault.clone()}</p> }).collect_view()
    };
    view! {
        <p><code>{text.sample.clone()}</code></p>
        <Field id="rule-class" label="What does it mean?">
            <Select id="rule-class" value=class on_choice=choose options=classes/>
        </Field>
        {drafted.show(5, move |rule| view! {
            {move || view! { <CopyBox value=rule.get().toml what="The rule"/> }}
            {move || faults(&rule.get())}
        }.into_any())}
        <p class="muted">"Put it into packetboat.toml, and look whether its words are what others of its kind have in common. "<code>"packetboat check"</code>" tries it; after a restart it is in force."</p>
    }
    .into_any()
}

#[component]
fn DismissDialog(dismissing: RwSignal<Option<UnknownText>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(dismissing);
    let submit = Submit::new();
    let dismiss = Callback::new(move |()| {
        let Some(text) = dismissing.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/unknown-texts/{}", text.id)).await?;
            toasts.good("Dismissed".to_owned());
            dismissing.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    let shape = move || dismissing.with(|text| text.as_ref().map(|text| text.shape.clone()).unwrap_or_default());
    view! {
        <ConfirmDialog open title="Dismiss this text?" confirm="Dismiss it" busy=submit.busy failure=submit.rest(&[]) on_confirm=dismiss>
            <p><code>{shape}</code></p>
            <p>"It does not come back to this list, however often it is seen. Mail is treated as before."</p>
        </ConfirmDialog>
    }
    .into_any()
}
