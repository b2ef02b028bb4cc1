//! A path that leads nowhere.

use leptos::prelude::*;

use crate::parts::{Empty, LinkButton, Look, PageHeader};

#[component]
pub fn NotFound() -> impl IntoView {
    view! {
        <PageHeader title="No such page"/>
        <Empty title="There is nothing at this address" about="It may have been removed, or the link is not complete.">
            <LinkButton href="/" look=Look::Primary>"To the overview"</LinkButton>
        </Empty>
    }
    .into_any()
}
