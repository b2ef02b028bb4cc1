//! Answers that came, and the addresses that they come to.

mod addresses;
mod answers;
mod one;

use leptos::prelude::*;

use crate::nav::use_query;
use crate::parts::*;
pub use one::ReplyPage;

const TABS: &[Tab] = &[("", "Answers"), ("addresses", "Reply addresses")];

#[component]
pub fn Replies() -> impl IntoView {
    let tab = use_query().param("tab");
    let adding = RwSignal::new(false);
    let add = Callback::new(move |()| adding.set(true));
    view! {
        <PageHeader title="Replies" about="What people answer to your mail: kept, sent on to your team, or stopped where a program wrote it.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Add a reply address"</Button>
        </PageHeader>
        <Tabs label="Replies" tabs=TABS chosen=tab/>
        {move || match tab.get().as_str() {
            "addresses" => addresses::addresses(adding),
            _ => answers::answers(adding),
        }}
    }
    .into_any()
}
