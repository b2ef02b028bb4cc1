//! The list of templates.

use api_types::Template;
use leptos::prelude::*;
use view::tone;

use crate::load::listed;
use crate::nav::use_query;
use crate::parts::*;

#[component]
pub fn Templates() -> impl IntoView {
    let query = use_query();
    let page = listed::<Template>(query, &[], || "/templates".to_owned());
    let heads = || {
        vec![
            Head::text("Template"),
            Head::text("Subject"),
            Head::text("Language"),
            Head::number("Version"),
            Head::text("Changed"),
        ]
    };
    let row = |template: &Template| {
        Row::new(vec![
            view! { <a href=format!("/templates/{}", template.id)>{template.name.clone()}</a> }.into_any(),
            template.subject.clone().into_any(),
            tone::kind(template.kind).into_any(),
            figure(u64::from(template.version)),
            moment(&template.updated_at),
        ])
    };
    let empty = || {
        view! {
            <Empty title="No template yet" about="What a campaign says: MJML or HTML with merge tags, previewed as each contact gets it.">
                <LinkButton href="/templates/new" look=Look::Primary>"Write a template"</LinkButton>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Templates" about="What your campaigns say.">
            <LinkButton href="/templates/new" look=Look::Primary>{icon(Icon::Plus)}"Write a template"</LinkButton>
        </PageHeader>
        {list("Templates", query, page, &[], heads, row, empty)}
    }
    .into_any()
}
