//! Reports: what the world says about our domains. One page with a tab for each sort; `report` in the query opens one
//! DMARC report.

mod alarms;
mod blocklists;
mod dmarc;
mod feedback;
mod one;
mod parts;
mod tls;

use leptos::prelude::*;

use crate::nav::use_query;
use crate::parts::*;

const TABS: &[Tab] = &[("", "DMARC"), ("tls", "TLS"), ("blocklists", "Blocklists"), ("feedback", "Feedback")];

#[component]
pub fn Reports() -> impl IntoView {
    let query = use_query();
    let (tab, report) = (query.param("tab"), query.param("report"));
    move || match report.get().parse::<i64>() {
        Ok(id) => one::one(query, id).into_any(),
        Err(_) => view! {
            <PageHeader title="Reports" about="What receivers, blocklists and recipients say about your domains."/>
            <Tabs label="Sorts of reports" tabs=TABS chosen=tab/>
            {move || match tab.get().as_str() {
                "tls" => tls::tls(query).into_any(),
                "blocklists" => blocklists::blocklists(query).into_any(),
                "feedback" => feedback::feedback(query).into_any(),
                _ => dmarc::dmarc(query).into_any(),
            }}
        }
        .into_any(),
    }
}
