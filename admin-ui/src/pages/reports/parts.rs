//! What the tabs share: filters, charts over days, records to publish.

use api_types::{Page, ReportRecord, SendingDomain};
use leptos::prelude::*;
use view::report::{DayColumn, PERIODS, is_blank};

use crate::api::use_api;
use crate::load::load;
use crate::nav::Query;
use crate::parts::*;

/// Choices out of fixed pairs.
pub fn choices(pairs: &[(&str, &str)]) -> Vec<Choice> {
    pairs.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect()
}

/// The choice of a sending domain.
pub fn domain_filter(query: Query) -> AnyView {
    let api = use_api();
    let domains = load(move || api.get::<Page<SendingDomain>>("/domains?limit=200".to_owned()));
    let names = domains.map(|page| page.items.iter().map(|row| row.domain.clone()).collect::<Vec<_>>());
    let chosen = query.param("domain");
    let options = Signal::derive(move || {
        let (mut names, chosen) = (names.get(), chosen.get());
        if !chosen.is_empty() && !names.contains(&chosen) {
            names.push(chosen);
        }
        let all = std::iter::once((String::new(), "Every domain".to_owned()));
        all.chain(names.into_iter().map(|name| (name.clone(), name))).collect::<Vec<_>>()
    });
    view! { <FilterBy query param="domain" label="Sending domain" options/> }.into_any()
}

/// The choice of a period.
pub fn period_filter(query: Query) -> AnyView {
    view! { <FilterBy query param="days" label="Period" options=choices(&PERIODS)/> }.into_any()
}

/// The day that a report is about, as far as a list has room for it.
pub fn about_day(begin_at: &str) -> AnyView {
    begin_at.chars().take(10).collect::<String>().into_any()
}

/// A chart over days, or what an empty one means.
pub fn day_chart(
    name: &'static str,
    series: &'static [Series],
    columns: Vec<DayColumn>,
    nothing: &'static str,
) -> AnyView {
    if is_blank(&columns) {
        return view! { <p class="muted">{nothing}</p> }.into_any();
    }
    let column = |column: DayColumn| Column { tick: column.tick, name: column.day, values: column.values };
    bar_chart(name, series, columns.into_iter().map(column).collect())
}

/// Which records to publish so that reports come.
pub fn publish(records: &[ReportRecord]) -> AnyView {
    if records.is_empty() {
        return view! { <LinkButton look=Look::Primary href="/domains">"Add a sending domain"</LinkButton> }.into_any();
    }
    let row = |record: &ReportRecord| {
        let missing = record.mailbox.is_none().then(|| {
            view! { <p class="muted">"Nobody takes reports here yet: set [smtp] inbound_listen in packetboat.toml."</p> }
        });
        let value = format!("value of {}", record.name);
        view! {
            <article class="card record">
                <dl>
                    <dt>"Name (TXT)"</dt><dd><CopyBox value=record.name.clone() what=format!("name {}", record.name)/></dd>
                    <dt>"Value"</dt><dd><CopyBox value=record.value.clone() what=value/></dd>
                </dl>
                {missing}
            </article>
        }
    };
    view! { <div class="records">{records.iter().map(row).collect_view()}</div> }.into_any()
}

/// How many reports were only counted.
pub fn beyond(count: u64) -> AnyView {
    let text = || {
        let many = view::number::counted(count, "more report came", "more reports came");
        format!("{many} and were only counted: so many about one domain in a day are not kept.")
    };
    (count > 0).then(|| view! { <p class="muted">{text()}</p> }).into_any()
}
