//! The list of segments.

use api_types::Segment;
use leptos::prelude::*;
use view::number::grouped;
use view::query::with;

use crate::load::listed;
use crate::nav::use_query;
use crate::parts::*;

#[component]
pub fn Segments() -> impl IntoView {
    let query = use_query();
    let page = listed::<Segment>(query, &[], || "/segments".to_owned());
    let heads =
        || vec![Head::text("Segment"), Head::text("Who is in it"), Head::number("Contacts"), Head::text("Changed")];
    let row = |segment: &Segment| {
        let counted = with("/contacts", &[("segment", &segment.id.to_string())]);
        Row::new(vec![
            view! { <a href=format!("/segments/{}", segment.id)>{segment.name.clone()}</a> }.into_any(),
            view! { <span class="answer">{segment.sentence.clone()}</span> }.into_any(),
            view! { <a href=counted>{grouped(segment.count)}</a> }.into_any(),
            moment(&segment.updated_at),
        ])
    };
    let empty = || {
        view! {
            <Empty title="No segment yet" about="A segment is a condition on contacts, for example: tag customer, city is Lisbon. Campaigns go to segments.">
                <LinkButton href="/segments/new" look=Look::Primary>"Build a segment"</LinkButton>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Segments" about="Who a campaign goes to. The condition is evaluated when the campaign is launched.">
            <LinkButton href="/segments/new" look=Look::Primary>{icon(Icon::Plus)}"Build a segment"</LinkButton>
        </PageHeader>
        {list("Segments", query, page, &[], heads, row, empty)}
    }
    .into_any()
}
