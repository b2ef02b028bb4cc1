//! The builder: the filter as sentences, who it finds, counted while it is edited.

use std::time::Duration;

use api_types::{
    AudienceCount, BulkStream, Campaign, Count, CountRequest, Field as ContactField, Filter, List, Page,
    PreferenceCentreState, Segment, SegmentInput,
};
use leptos::prelude::*;
use view::audience;

use crate::api::use_api;
use crate::guard::UnsavedGuard;
use crate::load::{Load, load};
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn NewSegment() -> impl IntoView {
    // A figure of silent contacts elsewhere leads here.
    let silent = use_query().param("unengaged").get_untracked().parse();
    let start = silent.map_or_else(|_| Filter::everyone(), |months| Filter::Unengaged { months });
    view! {
        <PageHeader title="Build a segment" above=("/segments".to_owned(), "Segments")/>
        <Builder known=None start/>
    }
    .into_any()
}

#[component]
pub fn SegmentPage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let segment = load(move || api.get::<Segment>(format!("/segments/{}", id.get())));
    let title = segment.title(|segment| segment.name.clone());
    let deleting = RwSignal::new(false);
    let delete = Submit::new();
    let deleted = Callback::new(move |()| {
        let id = id.get_untracked();
        delete.run(async move {
            api.delete(format!("/segments/{id}")).await?;
            toasts.good("The segment is deleted");
            nav.to("/segments");
            Ok(())
        });
    });
    view! {
        <PageHeader title ready=segment.there() above=("/segments".to_owned(), "Segments")>
            <Button look=Look::Danger on_press=Callback::new(move |()| deleting.set(true))>"Delete"</Button>
        </PageHeader>
        {segment.show(6, move |segment| view! { <Builder start=segment.get_untracked().filter known=Some(segment.get_untracked())/> }.into_any())}
        <ConfirmDialog open=deleting title="Delete this segment?" confirm="Delete" busy=delete.busy failure=delete.rest(&[]) on_confirm=deleted>
            <p>"Only the condition is deleted, no contact. Campaigns that were launched keep their audience; drafts lose theirs. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

#[component]
fn Builder(known: Option<Segment>, start: Filter) -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = known.as_ref().map(|segment| segment.id);
    let name = RwSignal::new(known.as_ref().map(|segment| segment.name.clone()).unwrap_or_default());
    let fields = load(move || api.get::<Page<ContactField>>("/fields".to_owned()));
    let vocabulary = vocabulary(fields);
    let edited = EditedFilter::new(&start);
    let tree = edited.clone();
    let filter = Memo::new(move |_| vocabulary.fields.with(|fields| tree.filter(fields)));
    let saved = RwSignal::new((name.get_untracked(), Ok::<Filter, String>(start)));
    let dirty = Memo::new(move |_| (name.get(), filter.get()) != saved.get());
    let count = counted(filter);
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Ok(filter) = filter.get_untracked() else { return };
        let input = SegmentInput { name: name.get_untracked(), filter };
        submit.run(async move {
            let segment: Segment = match id {
                Some(id) => api.put(format!("/segments/{id}"), &input).await?,
                None => api.post("/segments".to_owned(), &input).await?,
            };
            toasts.good(format!("{} is saved", segment.name));
            saved.try_set((input.name, Ok(input.filter)));
            if id.is_none() {
                nav.replace(&format!("/segments/{}", segment.id));
            }
            Ok(())
        });
    };
    let missing = move || filter.with(|filter| filter.as_ref().err().cloned());
    // The tree is drawn once the fields are known: its inputs depend on their kinds.
    let editor = StoredValue::new(edited);
    view! {
        <UnsavedGuard dirty/>
        <div class="builder">
            <form class="card" on:submit=send>
                <Field id="name" label="Name" error=submit.field("name")>
                    <TextInput id="name" value=name required=true focus=id.is_none()/>
                </Field>
                {fields.show(3, move |_| view! { <FilterTree edited=editor.get_value() vocabulary/> }.into_any())}
                <p class="form-error" role="status">{missing}</p>
                {form_error(submit.rest(&["name"]))}
                <div class="actions end">
                    <span class="muted" role="status">{move || if dirty.get() { "Not saved yet" } else { "" }}</span>
                    <Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || filter.with(Result::is_err))>"Save"</Button>
                </div>
            </form>
            <section class="card">
                <header class="card-head"><h2>"Who it finds"</h2></header>
                {count.show(5, move |count| view! {
                    {move || count.with(found)}
                }.into_any())}
            </section>
        </div>
    }
    .into_any()
}

/// Bulk streams with their titles, where they are offered by one.
fn streams(centre: &PreferenceCentreState) -> Vec<Choice> {
    let choice = |stream: &BulkStream| {
        let offer = centre.settings.streams.iter().find(|offer| offer.stream == stream.stream);
        let label = offer.map_or_else(|| stream.stream.clone(), |offer| format!("{} ({})", offer.title, stream.stream));
        (stream.stream.clone(), label)
    };
    centre.streams.iter().map(choice).collect()
}

/// The words that rules can be made of, as they are loaded.
pub fn vocabulary(fields: Load<Page<ContactField>>) -> Vocabulary {
    let api = use_api();
    let tags = load(move || api.get::<Page<Count>>("/tags".to_owned()));
    let lists = load(move || api.get::<Page<List>>("/lists".to_owned()));
    let centre = load(move || api.get::<PreferenceCentreState>("/preference-centre".to_owned()));
    let campaigns = load(move || api.get::<Page<Campaign>>("/campaigns?limit=200".to_owned()));
    Vocabulary {
        fields: fields.map(|page| page.items.clone()).into(),
        tags: tags.map(|page| page.items.iter().map(|tag| tag.name.clone()).collect::<Vec<_>>()).into(),
        lists: lists
            .map(|page| page.items.iter().map(|list| (list.id.to_string(), list.name.clone())).collect::<Vec<_>>())
            .into(),
        streams: centre.map(streams).into(),
        campaigns: campaigns
            .map(|page| {
                page.items.iter().map(|campaign| (campaign.id.to_string(), campaign.name.clone())).collect::<Vec<_>>()
            })
            .into(),
    }
}

/// Counts what a filter finds, a third of a second after the last change.
fn counted(filter: Memo<Result<Filter, String>>) -> Load<AudienceCount> {
    let api = use_api();
    let settled = RwSignal::new(filter.get_untracked().ok());
    let mut settle = leptos::leptos_dom::helpers::debounce(Duration::from_millis(350), move |()| {
        if let Some(Ok(now)) = filter.try_get_untracked() {
            settled.try_set(Some(now));
        }
    });
    Effect::new(move |before: Option<()>| {
        filter.track();
        if before.is_some() {
            settle(());
        }
    });
    load(move || {
        let request = CountRequest { filter: settled.get().unwrap_or_else(Filter::everyone), stream: None };
        async move { api.post::<AudienceCount>("/segments/count".to_owned(), &request).await }
    })
}

fn found(count: &AudienceCount) -> AnyView {
    let lines = audience::breakdown(count).into_iter().map(|line| {
        view! { <div class="sum-line" class:total=line.total><dt>{line.label}</dt><dd>{line.figure}</dd></div> }
    });
    let sample = count.sample.iter().map(|contact| {
        let name = format!("{} {}", contact.first_name, contact.last_name);
        view! { <li><a href=format!("/contacts/{}", contact.id)>{contact.email.clone()}</a>" "<span class="muted">{name.trim().to_owned()}</span></li> }
    });
    view! {
        <p>{count.sentence.clone()}</p>
        <p class="hidden" role="status">{audience::sentence(count)}</p>
        <dl class="sum">{lines.collect_view()}</dl>
        {(!count.sample.is_empty()).then(|| view! { <h3>"A few of them"</h3><ul class="plain-list">{sample.collect_view()}</ul> })}
    }
    .into_any()
}
