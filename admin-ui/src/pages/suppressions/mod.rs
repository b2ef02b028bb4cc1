//! Suppressions: addresses that nothing is sent to, why, since when, where it came from.

mod dialogs;
mod history;

use api_types::{Role, Suppression, SuppressionFrom};
use leptos::prelude::*;
use view::query::with;
use view::suppression;
use view::tone::{self, SUPPRESSION_REASONS, Tone};

use self::dialogs::{AddDialog, ImportDialog, RemoveDialog};
use crate::api::use_me;
use crate::load::listed;
use crate::nav::use_query;
use crate::parts::*;

pub use history::SuppressionHistory;

const FILTERS: [&str; 5] = ["q", "reason", "covers", "global", "ended"];

#[component]
pub fn Suppressions() -> impl IntoView {
    let query = use_query();
    let role = use_me().role;
    let may_change = role.may(Role::Marketer);
    let params = FILTERS.map(|name| query.param(name));
    let page = listed::<Suppression>(query, &FILTERS, || "/suppressions".to_owned());
    // What is shown is what is exported.
    let export = move || {
        let values = params.map(|param| param.get());
        let pairs: Vec<(&str, &str)> = FILTERS.iter().copied().zip(values.iter().map(String::as_str)).collect();
        with("/api/v1/suppressions/export", &pairs)
    };
    let adding = RwSignal::new(false);
    let importing = RwSignal::new(false);
    let removing = RwSignal::new(None::<Suppression>);
    let changed = Callback::new(move |()| page.reload());
    let heads = || {
        vec![
            Head::text("Address"),
            Head::text("Reason"),
            Head::text("Keeps away"),
            Head::text("Where from"),
            Head::text("Since"),
            Head::text(""),
        ]
    };
    let row = move |row: &Suppression| suppression_row(row, role, removing);
    let add = Callback::new(move |()| adding.set(true));
    let empty = move || {
        view! {
            <Empty title="Nobody is suppressed" about="Addresses come here by themselves: after a hard bounce, several soft ones, a complaint or an unsubscribe.">
                {may_change.then(|| view! { <Button look=Look::Primary on_press=add>"Suppress an address"</Button> })}
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Suppressions" about="These addresses get no campaign; most of them get no mail at all. Checked at the last moment before sending.">
            <LinkButton href="/suppressions/history" look=Look::Ghost>"History"</LinkButton>
            <a class="button ghost" href=export rel="external" download="suppressions.csv">"Export"</a>
            {may_change.then(|| view! {
                <Button on_press=Callback::new(move |()| importing.set(true))>"Import"</Button>
                <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Suppress an address"</Button>
            })}
        </PageHeader>
        <Toolbar>
            <Search query label="Search addresses"/>
            <FilterBy query param="reason" label="Reason" options=reasons()/>
            <FilterBy query param="covers" label="Keeps away" options=choices(&[("", "All mail or campaigns"), ("all", "Gets no mail at all"), ("marketing", "Gets no campaigns")])/>
            <FilterBy query param="global" label="Holds for" options=choices(&[("", "Here or everywhere"), ("false", "In this workspace"), ("true", "In every workspace")])/>
            <FilterBy query param="ended" label="Still in force" options=choices(&[("", "In force or over"), ("false", "In force"), ("true", "Over")])/>
        </Toolbar>
        {list("Suppressions", query, page, &FILTERS, heads, row, empty)}
        <AddDialog open=adding changed/>
        <ImportDialog open=importing changed/>
        <RemoveDialog removing changed/>
    }
    .into_any()
}

fn reasons() -> Vec<Choice> {
    let every = (String::new(), "Every reason".to_owned());
    let word = |(word, reason): &(&str, _)| ((*word).to_owned(), tone::suppression(*reason).1.to_owned());
    std::iter::once(every).chain(SUPPRESSION_REASONS.iter().map(word)).collect()
}

fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    pairs.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
}

fn suppression_row(row: &Suppression, role: Role, removing: RwSignal<Option<Suppression>>) -> Row {
    let (tone, word) = tone::suppression(row.reason);
    let address = row.address.clone();
    let name = address.clone().unwrap_or_else(|| format!("entry {}", row.id));
    let shown = match address {
        Some(address) => {
            let href = view::trace::of_address(&address);
            view! { <a href=href>{address}</a> }.into_any()
        }
        None => view! { <span class="muted">"only its hash is kept"</span> }.into_any(),
    };
    let may_remove = role.may(if row.global { Role::Admin } else { Role::Marketer });
    let chosen = row.clone();
    let remove = Callback::new(move |()| removing.set(Some(chosen.clone())));
    let label = format!("Remove {name} from the list");
    let history = format!("/suppressions/history?entry={}", row.id);
    Row::new(vec![
        shown,
        badge(tone, word),
        covers(row),
        origin(row),
        since(row),
        view! {
            <span class="actions">
                <a class="button ghost" href=history aria-label=format!("History of {name}")>"History"</a>
                {may_remove.then(|| view! { <Button look=Look::Ghost on_press=remove label>"Remove"</Button> })}
            </span>
        }
        .into_any(),
    ])
}

fn covers(row: &Suppression) -> AnyView {
    let whose = row.global.then(|| badge(Tone::Neutral, "Every workspace"));
    view! { <span class="chips words">{suppression::covers(row.covers)}{whose}</span> }.into_any()
}

/// What led to it, in the server's own words where it was one, with the way to the mail.
fn origin(row: &Suppression) -> AnyView {
    let words = (!row.origin.is_empty()).then(|| view! { <code>{row.origin.clone()}</code> });
    let by = row.created_by.clone().map(|by| view! { <span class="muted">"by "{by}</span> });
    view! { <span class="answer">{words}<span class="facts-line">{by}{mail(row.from.as_ref())}</span></span> }
        .into_any()
}

/// A link to the page of the mail that led to it.
pub fn mail(from: Option<&SuppressionFrom>) -> AnyView {
    let link = from.map(suppression::mail).map(|(href, name)| view! { <a href=href>{name}</a> });
    view! { {link} }.into_any()
}

fn since(row: &Suppression) -> AnyView {
    let end = row.expires_at.as_deref().map(|at| {
        let word = if row.ended { "ended " } else { "until " };
        view! { <span class="muted">{word}{moment(at)}</span> }
    });
    view! { <span class="answer">{moment(&row.created_at)}" "{end}</span> }.into_any()
}
