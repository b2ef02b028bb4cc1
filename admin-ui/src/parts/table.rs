//! Tables: heads, rows, search, filters, pages. On narrow screens each row becomes a block with its heads beside it.

use std::time::Duration;

use api_types::Page;
use leptos::prelude::*;
use view::number::grouped;

use super::form::{Choice, Select};
use super::states::nothing_found;
use super::{Button, Icon, Look, icon};
use crate::load::Load;
use crate::nav::Query;

/// The head of a column.
#[derive(Clone)]
pub struct Head {
    title: &'static str,
    number: bool,
    sort: Option<Sort>,
}

/// A column that sorts: its word in the URL's `sort`, and whether it does now.
#[derive(Clone, Copy)]
pub struct Sort {
    /// Its word.
    pub word: &'static str,
    /// Whether the rows are in its order.
    pub active: bool,
    /// Where the choice is kept.
    pub query: Query,
}

impl Head {
    /// A column of texts.
    pub fn text(title: &'static str) -> Head {
        Head { title, number: false, sort: None }
    }

    /// A column of figures: to the right, digits below each other.
    pub fn number(title: &'static str) -> Head {
        Head { title, number: true, sort: None }
    }

    /// Makes it sort.
    pub fn sorting(self, sort: Sort) -> Head {
        Head { sort: Some(sort), ..self }
    }
}

/// A row.
pub struct Row {
    cells: Vec<AnyView>,
}

impl Row {
    /// One cell per head.
    pub fn new(cells: Vec<AnyView>) -> Row {
        Row { cells }
    }

    /// With another last cell.
    pub fn with_last(mut self, cell: AnyView) -> Row {
        self.cells.pop();
        self.cells.push(cell);
        self
    }

    /// With one more cell before the others.
    pub fn with_first(mut self, cell: AnyView) -> Row {
        self.cells.insert(0, cell);
        self
    }
}

/// A cell without a value.
pub fn none() -> AnyView {
    view! { <span class="none" aria-label="none">"–"</span> }.into_any()
}

/// A figure.
pub fn figure(value: u64) -> AnyView {
    match value {
        0 => view! { <span class="none">"0"</span> }.into_any(),
        value => grouped(value).into_any(),
    }
}

/// A figure as a link to what it counts.
pub fn figure_link(value: u64, href: String) -> AnyView {
    match value {
        0 => figure(0),
        value => view! { <a href=href>{grouped(value)}</a> }.into_any(),
    }
}

/// A table. The roles are said again since narrow screens lay the rows out as blocks.
pub fn table(name: &str, heads: Vec<Head>, rows: Vec<Row>) -> AnyView {
    let head_cells = heads.iter().map(|head| {
        let order = head.sort.map(|sort| if sort.active { "descending" } else { "none" });
        let title = match head.sort {
            None => head.title.into_any(),
            Some(sort) => view! {
                <button type="button" class="sort" on:click=move |_| sort.query.set(&[("sort", sort.word.to_owned())])>
                    {head.title}<span aria-hidden="true">{if sort.active { " ↓" } else { "" }}</span>
                </button>
            }
            .into_any(),
        };
        view! { <th scope="col" role="columnheader" class:number=head.number aria-sort=order>{title}</th> }
    });
    let rows = rows.into_iter().map(|row| {
        let cells = row.cells.into_iter().zip(heads.iter()).map(|(cell, head)| {
            view! { <td role="cell" class:number=head.number data-head=head.title>{cell}</td> }
        });
        view! { <tr role="row">{cells.collect_view()}</tr> }
    });
    view! {
        <table class="table" role="table" aria-label=name.to_owned()>
            <thead role="rowgroup"><tr role="row">{head_cells.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

/// A list of the API as a table with its pages. `filters` are the parameters that narrow it: with any of them set,
/// an empty list offers to clear them instead of showing `empty`.
pub fn list<T>(
    name: &'static str,
    query: Query,
    load: Load<Page<T>>,
    filters: &'static [&'static str],
    heads: impl Fn() -> Vec<Head> + Send + Sync + 'static,
    row: impl Fn(&T) -> Row + Send + Sync + 'static,
    empty: impl Fn() -> AnyView + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Send + Sync + 'static,
{
    let params: Vec<Memo<String>> = filters.iter().map(|name| query.param(name)).collect();
    let narrowed = Memo::new(move |_| params.iter().any(|param| !param.get().is_empty()));
    let clear = Callback::new(move |()| {
        let changes: Vec<(&'static str, String)> = filters.iter().map(|name| (*name, String::new())).collect();
        query.set(&changes);
    });
    let shape = StoredValue::new((heads, row, empty));
    load.show(8, move |page| {
        let body = move || {
            let page = page.get();
            shape.with_value(|(heads, row, empty)| match page.items.is_empty() {
                true if narrowed.get_untracked() => nothing_found(clear),
                true => empty(),
                false => table(name, heads(), page.items.iter().map(row).collect()),
            })
        };
        let next = Signal::derive(move || page.get().next);
        let total = Signal::derive(move || page.get().total);
        view! { {body}<Pager query next total/> }.into_any()
    })
}

/// The way to the next page and back. Seek pagination knows only what comes next, so the way back is remembered here.
#[component]
fn Pager(query: Query, next: Signal<Option<String>>, total: Signal<Option<u64>>) -> impl IntoView {
    let cursor = query.param("cursor");
    let trail = RwSignal::new(Vec::<String>::new());
    Effect::new(move |_| {
        if cursor.get().is_empty() {
            trail.set(Vec::new());
        }
    });
    let forward = Callback::new(move |()| {
        if let Some(next) = next.get_untracked() {
            trail.update(|trail| trail.push(cursor.get_untracked()));
            query.set(&[("cursor", next)]);
        }
    });
    let back = Callback::new(move |()| {
        let previous = trail.try_update(Vec::pop).flatten().unwrap_or_default();
        query.set(&[("cursor", previous)]);
    });
    let first = Signal::derive(move || cursor.get().is_empty());
    let last = Signal::derive(move || next.get().is_none());
    let shown = move || !(first.get() && last.get());
    view! {
        <div class="pager">
            <span class="muted" role="status">{move || total.get().map(|total| format!("{} in all", grouped(total)))}</span>
            {move || shown().then(|| view! {
                <nav class="actions" aria-label="Pages">
                    <Button look=Look::Secondary disabled=first on_press=back>"Previous"</Button>
                    <Button look=Look::Secondary disabled=last on_press=forward>"Next"</Button>
                </nav>
            })}
        </div>
    }
    .into_any()
}

/// The row above a table: search and filters.
#[component]
pub fn Toolbar(children: Children) -> impl IntoView {
    view! { <div class="toolbar" role="search">{children()}</div> }.into_any()
}

/// A search field over the parameter `q`. `/` focuses it.
#[component]
pub fn Search(query: Query, #[prop(into)] label: String) -> impl IntoView {
    let q = query.param("q");
    let send = leptos::leptos_dom::helpers::debounce(Duration::from_millis(250), move |text: String| {
        query.set(&[("q", text.trim().to_owned())]);
    });
    let mut send = send;
    view! {
        <label class="search">
            {icon(Icon::Search)}
            <span class="hidden">{label.clone()}</span>
            <input type="search" class="input" data-search="" placeholder=label autocomplete="off" spellcheck="false"
                prop:value=q on:input:target=move |event| send(event.target().value())/>
        </label>
    }
    .into_any()
}

/// Choices of names, and the one that is chosen even if it is not among them any more.
pub fn chosen_among(names: Memo<Vec<String>>, all: &'static str, chosen: Memo<String>) -> Signal<Vec<Choice>> {
    Signal::derive(move || {
        let (mut names, chosen) = (names.get(), chosen.get());
        if !chosen.is_empty() && !names.contains(&chosen) {
            names.push(chosen);
        }
        names.retain(|name| !name.is_empty());
        let options = names.into_iter().map(|name| (name.clone(), name));
        std::iter::once((String::new(), all.to_owned())).chain(options).collect()
    })
}

/// A choice over a parameter.
#[component]
pub fn FilterBy(
    query: Query,
    param: &'static str,
    #[prop(into)] label: String,
    #[prop(into)] options: Signal<Vec<Choice>>,
) -> impl IntoView {
    let value = query.param(param);
    let choose = Callback::new(move |value: String| query.set(&[(param, value)]));
    view! { <Select value=value on_choice=choose options label/> }.into_any()
}
