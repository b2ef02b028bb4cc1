//! Where mail to a domain goes, and every limit in force on the way, with the layer that set it.

use api_types::{Egress, Explanation};
use leptos::prelude::*;
use view::query::with;

use super::one::limits_table;
use crate::api::use_api;
use crate::load::load;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Explain() -> impl IntoView {
    let api = use_api();
    let egress = load(move || api.get::<Egress>("/egress".to_owned()));
    let (domain, source) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let stream = RwSignal::new(String::new());
    let explained = RwSignal::new(None::<Explanation>);
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (from, of) = (source.get_untracked(), stream.get_untracked());
        let path = with("/explain", &[("domain", &domain.get_untracked()), ("source", &from), ("stream", &of)]);
        submit.run(async move {
            let answer = api.get::<Explanation>(path).await?;
            explained.try_set(Some(answer));
            Ok(())
        });
    };
    let choices = move |any: &'static str, names: fn(&Egress) -> Vec<String>| {
        Signal::derive(move || {
            let names = egress.data.with(|egress| egress.as_ref().map(names).unwrap_or_default());
            let any = (String::new(), any.to_owned());
            std::iter::once(any).chain(names.into_iter().map(|name| (name.clone(), name))).collect::<Vec<_>>()
        })
    };
    let sources = choices("Any source", |egress| egress.sources.iter().map(|source| source.name.clone()).collect());
    let streams = choices("Any stream", |egress| egress.streams.iter().map(|stream| stream.name.clone()).collect());
    let choose_source = Callback::new(move |name: String| source.set(name));
    let choose_stream = Callback::new(move |name: String| stream.set(name));
    view! {
        <form on:submit=send>
            <Field id="explain-domain" label="Recipient domain" hint="Its mail servers are looked up now, unless a route leads its mail elsewhere." error=submit.field("domain")>
                <TextInput id="explain-domain" value=domain required=true/>
            </Field>
            <div class="toolbar">
                <Select value=source on_choice=choose_source options=sources label="Source"/>
                <Select value=stream on_choice=choose_stream options=streams label="Stream"/>
                <Button submit=true look=Look::Primary busy=submit.busy>"Which limits?"</Button>
            </div>
            {form_error(submit.rest(&["domain"]))}
        </form>
        <div role="status">{move || explained.get().map(|told| answer(&told))}</div>
    }
    .into_any()
}

fn answer(told: &Explanation) -> AnyView {
    let others = told.other_ways.iter().map(|way| view! { <p>{way.sentence()}</p> }).collect_view();
    view! {
        <p>{told.sentence()}</p>
        {others}
        {limits_table(&told.limits)}
    }
    .into_any()
}
