//! Every limit in force for mail to a domain, from a source, with the layer that set it.

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
    let explained = RwSignal::new(None::<Explanation>);
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let path = with("/explain", &[("domain", &domain.get_untracked()), ("source", &source.get_untracked())]);
        submit.run(async move {
            let answer = api.get::<Explanation>(path).await?;
            explained.try_set(Some(answer));
            Ok(())
        });
    };
    let sources = Signal::derive(move || {
        let names = egress.data.with(|egress| {
            let sources = egress.iter().flat_map(|egress| &egress.sources);
            sources.map(|source| source.name.clone()).collect::<Vec<_>>()
        });
        let any = (String::new(), "Any source".to_owned());
        std::iter::once(any).chain(names.into_iter().map(|name| (name.clone(), name))).collect::<Vec<_>>()
    });
    let choose_source = Callback::new(move |name: String| source.set(name));
    view! {
        <form on:submit=send>
            <Field id="explain-domain" label="Recipient domain" hint="Its mail servers are looked up now." error=submit.field("domain")>
                <TextInput id="explain-domain" value=domain required=true/>
            </Field>
            <div class="toolbar">
                <Select value=source on_choice=choose_source options=sources label="Source"/>
                <Button submit=true look=Look::Primary busy=submit.busy>"Which limits?"</Button>
            </div>
            {form_error(submit.rest(&["domain"]))}
        </form>
        <div role="status">{move || explained.get().map(|told| answer(&told))}</div>
    }
    .into_any()
}

fn answer(told: &Explanation) -> AnyView {
    let hosts = told.hosts.join(", ");
    view! {
        <p>{format!("{} goes to {} ({hosts}).", told.domain, told.provider)}</p>
        {limits_table(&told.limits)}
    }
    .into_any()
}
