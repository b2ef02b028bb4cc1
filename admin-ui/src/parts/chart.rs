//! Stacked bars as SVG, with a table of the same figures behind them.

use leptos::prelude::*;
use view::chart;
use view::number::grouped;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 160.0;

/// A series of a chart: its label, and the tone its bars have.
pub type Series = (&'static str, &'static str);

/// One column: what it is called, and one value per series.
#[derive(Clone, PartialEq)]
pub struct Column {
    /// Name in the table.
    pub name: String,
    /// Name below the bars; empty for none.
    pub tick: String,
    /// One per series.
    pub values: Vec<u64>,
}

/// The chart. `name` says what is shown.
pub fn bar_chart(name: &'static str, series: &'static [Series], columns: Vec<Column>) -> AnyView {
    let values: Vec<Vec<u64>> = columns.iter().map(|column| column.values.clone()).collect();
    let highest = chart::nice_maximum(values.iter().map(|column| column.iter().sum()).max().unwrap_or(0));
    let bars = chart::stacked(&values, WIDTH, HEIGHT).into_iter().map(|bar| {
        view! {
            <rect data-tone=series[bar.series].1 x=format!("{:.1}", bar.x) y=format!("{:.1}", bar.y)
                width=format!("{:.1}", bar.width) height=format!("{:.1}", bar.height) rx="1"></rect>
        }
    });
    let ticks = columns.iter().enumerate().filter(|(_, column)| !column.tick.is_empty()).map(|(index, column)| {
        let left = format!("{:.2}%", (index as f64 + 0.5) / columns.len() as f64 * 100.0);
        view! { <span style:left=left>{column.tick.clone()}</span> }
    });
    let legend = series.iter().map(|(label, tone)| {
        view! { <li class="badge" data-tone=*tone><span class="dot" aria-hidden="true"></span>{*label}</li> }
    });
    let heads = series.iter().map(|(label, _)| view! { <th scope="col" class="number">{*label}</th> });
    let rows = columns.iter().map(|column| {
        let cells =
            column.values.iter().map(|value| view! { <td class="number">{grouped(*value)}</td> }).collect_view();
        view! { <tr><th scope="row">{column.name.clone()}</th>{cells}</tr> }
    });
    view! {
        <figure class="chart">
            <ul class="legend">{legend.collect_view()}</ul>
            // The drawing is stretched to the width there is; texts would be stretched with it, so they lie around it.
            <p class="chart-top" aria-hidden="true">{grouped(highest)}</p>
            <svg viewBox=format!("0 0 {WIDTH:.0} {HEIGHT:.0}") preserveAspectRatio="none" role="img" aria-label=format!("{name}; the figures are in the table below")>
                <line class="grid" x1="0" x2=WIDTH.to_string() y1="0.5" y2="0.5"></line>
                <line class="grid" x1="0" x2=WIDTH.to_string() y1=HEIGHT.to_string() y2=HEIGHT.to_string()></line>
                {bars.collect_view()}
            </svg>
            <p class="chart-ticks" aria-hidden="true">{ticks.collect_view()}</p>
            <details>
                <summary>"Figures as a table"</summary>
                <div class="table-scroll" tabindex="0" role="region" aria-label=name>
                    <table class="plain">
                        <thead><tr><th scope="col">"Time"</th>{heads.collect_view()}</tr></thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
    .into_any()
}
