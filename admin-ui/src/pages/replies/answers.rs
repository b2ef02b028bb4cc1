//! The list of answers.

use api_types::{Page, ReplyRow};
use leptos::prelude::*;
use view::query::with;
use view::reply;

use super::addresses::AddressDialog;
use crate::api::use_api;
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;

pub fn answers(adding: RwSignal<bool>) -> AnyView {
    let api = use_api();
    let query = use_query();
    let (done, cursor) = (query.param("done"), query.param("cursor"));
    let page =
        load(move || api.get::<Page<ReplyRow>>(with("/replies", &[("done", &done.get()), ("cursor", &cursor.get())])))
            .every(15, || true);
    let options: Vec<_> = std::iter::once((String::new(), "Everything".to_owned()))
        .chain(reply::DONE.iter().map(|(word, done)| ((*word).to_owned(), reply::done(*done).1.to_owned())))
        .collect();
    let heads = || ["From", "Subject", "To", "What was done", "Came"].map(Head::text).to_vec();
    let empty = || {
        view! { <Empty title="No answer yet" about="Add a reply address and use it as the Reply-To of your campaigns: what people answer shows up here."/> }
            .into_any()
    };
    let changed = Callback::new(move |()| page.reload());
    view! {
        <Toolbar><FilterBy query param="done" label="What was done" options/></Toolbar>
        {list("Answers", query, page, &["done"], heads, row, empty)}
        <AddressDialog open=adding changed/>
    }
    .into_any()
}

fn row(row: &ReplyRow) -> Row {
    let (tone, word) = reply::done(row.done);
    let why = row.why.clone().map(|why| view! { <div class="muted">{why}</div> });
    let from = if row.from.is_empty() { "nobody".to_owned() } else { row.from.clone() };
    Row::new(vec![
        from.into_any(),
        view! { <a href=format!("/replies/{}", row.id)>{reply::subject(row)}</a> }.into_any(),
        row.address.clone().into_any(),
        view! { {badge(tone, word)}{why} }.into_any(),
        moment(&row.received_at),
    ])
}
