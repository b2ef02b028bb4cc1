//! The wizard: content, audience, sender, review. Each step is saved when it is left.

use api_types::{
    AudienceCount, Campaign, CampaignInput, CampaignState, CountRequest, Egress, EgressStream, Filter, List,
    ListStatus, Page, Segment, SendingDomain, Template,
};
use leptos::prelude::*;
use view::audience;

use super::checklist::Review;
use crate::api::{Api, use_api};
use crate::load::load;
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn NewCampaign() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let name = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let name = name.get_untracked();
        submit.run(async move {
            let input = beginning(api, name).await?;
            let campaign: Campaign = api.post("/campaigns".to_owned(), &input).await?;
            nav.replace(&format!("/campaigns/{}/edit", campaign.id));
            Ok(())
        });
    };
    view! {
        <PageHeader title="Make a campaign" above=("/campaigns".to_owned(), "Campaigns") about="Nothing is sent before you launch it at the end."/>
        <form class="card narrow" on:submit=send>
            <Field id="name" label="Name" hint="Only you see it, for example: November news." error=submit.field("name")>
                <TextInput id="name" value=name required=true focus=true/>
            </Field>
            {form_error(submit.rest(&["name"]))}
            <div class="actions end"><Button submit=true look=Look::Primary busy=submit.busy>"Next: content"</Button></div>
        </form>
    }
    .into_any()
}

/// A new campaign begins with what the newest one used, else with the first domain.
async fn beginning(api: Api, name: String) -> Result<CampaignInput, crate::api::Failure> {
    let last: Page<Campaign> = api.get("/campaigns?limit=1".to_owned()).await?;
    if let Some(last) = last.items.into_iter().next() {
        return Ok(CampaignInput { name, template_id: last.template_id, segment_id: None, ..input_of(&last) });
    }
    let domains: Page<SendingDomain> = api.get("/domains?limit=1".to_owned()).await?;
    let from_email = domains.items.first().map(|domain| format!("news@{}", domain.domain)).unwrap_or_default();
    Ok(CampaignInput {
        name,
        template_id: None,
        segment_id: None,
        list_id: None,
        from_email,
        from_name: String::new(),
        reply_to: String::new(),
        stream: String::new(),
        pool: String::new(),
    })
}

fn input_of(campaign: &Campaign) -> CampaignInput {
    CampaignInput {
        name: campaign.name.clone(),
        template_id: campaign.template_id,
        segment_id: campaign.segment_id,
        list_id: campaign.list_id,
        from_email: campaign.from_email.clone(),
        from_name: campaign.from_name.clone(),
        reply_to: campaign.reply_to.clone(),
        stream: campaign.stream.clone(),
        pool: campaign.pool.clone(),
    }
}

/// What is being chosen. Ids are kept as the texts that selects have.
#[derive(Clone, Copy)]
struct Form {
    id: i64,
    name: RwSignal<String>,
    template: RwSignal<String>,
    segment: RwSignal<String>,
    list: RwSignal<String>,
    from_email: RwSignal<String>,
    from_name: RwSignal<String>,
    reply_to: RwSignal<String>,
    stream: RwSignal<String>,
    pool: RwSignal<String>,
    submit: Submit,
}

impl Form {
    fn of(campaign: &Campaign) -> Form {
        let id = |id: Option<i64>| RwSignal::new(id.map(|id| id.to_string()).unwrap_or_default());
        Form {
            id: campaign.id,
            name: RwSignal::new(campaign.name.clone()),
            template: id(campaign.template_id),
            segment: id(campaign.segment_id),
            list: id(campaign.list_id),
            from_email: RwSignal::new(campaign.from_email.clone()),
            from_name: RwSignal::new(campaign.from_name.clone()),
            reply_to: RwSignal::new(campaign.reply_to.clone()),
            stream: RwSignal::new(campaign.stream.clone()),
            pool: RwSignal::new(campaign.pool.clone()),
            submit: Submit::new(),
        }
    }

    fn input(self) -> CampaignInput {
        CampaignInput {
            name: self.name.get_untracked(),
            template_id: self.template.get_untracked().parse().ok(),
            segment_id: self.segment.get_untracked().parse().ok(),
            list_id: self.list.get_untracked().parse().ok(),
            from_email: self.from_email.get_untracked().trim().to_owned(),
            from_name: self.from_name.get_untracked(),
            reply_to: self.reply_to.get_untracked().trim().to_owned(),
            stream: self.stream.get_untracked(),
            pool: self.pool.get_untracked(),
        }
    }
}

const STEPS: [(&str, &str); 4] =
    [("content", "Content"), ("audience", "Audience"), ("sender", "Sender"), ("review", "Review")];

#[component]
pub fn EditCampaign() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let id = use_id();
    let step = use_query().param("step");
    let campaign = load(move || api.get::<Campaign>(format!("/campaigns/{}", id.get())));
    let title = campaign.title(|campaign| campaign.name.clone());
    let launched = Memo::new(move |_| {
        campaign.data.with(|campaign| campaign.as_ref().is_some_and(|campaign| campaign.state != CampaignState::Draft))
    });
    Effect::new(move |_| {
        if launched.get() {
            nav.replace(&format!("/campaigns/{}", id.get_untracked()));
        }
    });
    view! {
        <PageHeader title ready=campaign.there() above=("/campaigns".to_owned(), "Campaigns") about="Nothing is sent before you launch it at the end.">
            <super::actions::DeleteDraft/>
        </PageHeader>
        {campaign.show(6, move |campaign| {
            let form = Form::of(&campaign.get_untracked());
            let current = Memo::new(move |_| {
                let word = step.get();
                STEPS.iter().position(|(name, _)| *name == word).unwrap_or(0)
            });
            view! { {steps(form, current)}{move || step_view(form, current.get())} }.into_any()
        })}
    }
    .into_any()
}

/// The steps, each a link: going elsewhere than forward is always possible.
fn steps(form: Form, current: Memo<usize>) -> AnyView {
    let links = STEPS.iter().enumerate().map(move |(index, (word, label))| {
        let here = move || (current.get() == index).then_some("step");
        let href = view::query::with(&format!("/campaigns/{}/edit", form.id), &[("step", word)]);
        view! { <li><a href=href aria-current=here><span class="step-number" aria-hidden="true">{index + 1}</span>{*label}</a></li> }
    });
    view! { <nav aria-label="Steps"><ol class="wizard-steps">{links.collect_view()}</ol></nav> }.into_any()
}

fn step_view(form: Form, index: usize) -> AnyView {
    if STEPS[index].0 == "review" {
        return view! { <section class="card"><Review id=form.id name=form.name.into()/></section> }.into_any();
    }
    let api = use_api();
    let nav = use_nav();
    let next = STEPS[index + 1];
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (id, input) = (form.id, form.input());
        form.submit.run(async move {
            api.put::<Campaign>(format!("/campaigns/{id}"), &input).await?;
            nav.to(&view::query::with(&format!("/campaigns/{id}/edit"), &[("step", next.0)]));
            Ok(())
        });
    };
    let inputs = match STEPS[index].0 {
        "audience" => audience_step(form),
        "sender" => sender_step(form),
        _ => content_step(form),
    };
    view! {
        <form class="card narrow" on:submit=send>
            {inputs}
            {form_error(form.submit.rest(&["name", "template_id", "segment_id", "list_id", "from_email", "from_name", "reply_to", "stream", "pool"]))}
            <div class="actions end"><Button submit=true look=Look::Primary busy=form.submit.busy>{format!("Save, next: {}", next.1.to_lowercase())}</Button></div>
        </form>
    }
    .into_any()
}

fn content_step(form: Form) -> AnyView {
    let api = use_api();
    let templates = load(move || api.get::<Page<Template>>("/templates?limit=200".to_owned()));
    let options = templates.map(|page| {
        let first = (String::new(), "Choose a template".to_owned());
        let rows = page
            .items
            .iter()
            .map(|template| (template.id.to_string(), format!("{} (version {})", template.name, template.version)));
        std::iter::once(first).chain(rows).collect::<Vec<Choice>>()
    });
    let subject = move || {
        let chosen = form.template.get();
        templates.data.with(|page| {
            let template = page.as_ref()?.items.iter().find(|template| template.id.to_string() == chosen)?;
            let href = format!("/templates/{}", template.id);
            Some(view! { <p class="muted">"Subject: "<strong>{template.subject.clone()}</strong>" "<a href=href>"Edit the template"</a></p> })
        })
    };
    view! {
        <Field id="name" label="Name" error=form.submit.field("name")><TextInput id="name" value=form.name required=true/></Field>
        <Field id="template_id" label="Template" hint="Its newest version is pinned at launch." error=form.submit.field("template_id")>
            <Select id="template_id" value=form.template on_choice=Callback::new(move |id| form.template.set(id)) options/>
        </Field>
        {subject}
        <p><a href="/templates/new">"Write a new template"</a></p>
    }
    .into_any()
}

fn audience_step(form: Form) -> AnyView {
    let api = use_api();
    let segments = load(move || api.get::<Page<Segment>>("/segments?limit=200".to_owned()));
    let options = segments.map(|page| {
        let first = (String::new(), "Everybody".to_owned());
        let rows = page.items.iter().map(|segment| (segment.id.to_string(), segment.name.clone()));
        std::iter::once(first).chain(rows).collect::<Vec<Choice>>()
    });
    let lists = load(move || api.get::<Page<List>>("/lists".to_owned()));
    let list_options = lists.map(|page| {
        let first = (String::new(), "None: it is about everything".to_owned());
        let rows = page.items.iter().map(|list| (list.id.to_string(), list.name.clone()));
        std::iter::once(first).chain(rows).collect::<Vec<Choice>>()
    });
    let filter = Memo::new(move |_| {
        let (chosen, list) = (form.segment.get(), form.list.get().parse().ok());
        segments.data.with(|page| {
            let segment = page.as_ref()?.items.iter().find(|segment| segment.id.to_string() == chosen);
            let all = segment.map_or_else(Filter::everyone, |segment| segment.filter.clone());
            Some(match list {
                None => all,
                Some(id) => Filter::And { filters: vec![all, Filter::List { id, status: ListStatus::Subscribed }] },
            })
        })
    });
    let count = load(move || {
        let request = CountRequest {
            filter: filter.get().unwrap_or_else(Filter::everyone),
            // The stream of a draft that names none.
            stream: Some(form.stream.get()).filter(|stream| !stream.is_empty()).or_else(|| Some("bulk".to_owned())),
        };
        async move { api.post::<AudienceCount>("/segments/count".to_owned(), &request).await }
    });
    view! {
        <Field id="segment_id" label="Who gets it" error=form.submit.field("segment_id")>
            <Select id="segment_id" value=form.segment on_choice=Callback::new(move |id| form.segment.set(id)) options/>
        </Field>
        <Field id="list_id" label="List that it belongs to" hint="It goes only to those who are on it, and not to who leaves it while the campaign is on its way." error=form.submit.field("list_id")>
            <Select id="list_id" value=form.list on_choice=Callback::new(move |id| form.list.set(id)) options=list_options/>
        </Field>
        {count.show(3, move |count| view! {
            <p>{move || count.with(|count| count.sentence.clone())}</p>
            <p role="status"><strong>{move || count.with(audience::sentence)}</strong>"."</p>
        }.into_any())}
        <p><a href="/segments/new">"Build a new segment"</a></p>
    }
    .into_any()
}

fn sender_step(form: Form) -> AnyView {
    let api = use_api();
    let domains = load(move || api.get::<Page<SendingDomain>>("/domains?limit=200".to_owned()));
    let egress = load(move || api.get::<Egress>("/egress".to_owned()));
    let names = domains.map(|page| page.items.iter().map(|domain| domain.domain.clone()).collect::<Vec<_>>());
    let hint = Signal::derive(move || match names.get().as_slice() {
        [] => "Add a sending domain first.".to_owned(),
        names => format!("At one of your sending domains: {}.", names.join(", ")),
    });
    let streams = Signal::derive(move || {
        // Campaigns go at most once: streams of the other kind do not take them.
        let bulk = |stream: &&EgressStream| stream.kind == "bulk";
        let known = egress.data.with(|egress| {
            let streams = egress.as_ref().map(|egress| egress.streams.as_slice()).unwrap_or_default();
            streams.iter().filter(bulk).map(|stream| stream.name.clone()).collect()
        });
        names_and_chosen(known, form.stream.get())
    });
    let pools = Signal::derive(move || {
        let known = egress.data.with(|egress| {
            let pools = egress.as_ref().map(|egress| egress.pools.as_slice()).unwrap_or_default();
            pools.iter().map(|pool| pool.name.clone()).collect()
        });
        let first = (String::new(), "That of the stream".to_owned());
        std::iter::once(first).chain(names_and_chosen(known, form.pool.get())).collect::<Vec<Choice>>()
    });
    view! {
        <Field id="from_email" label="From address" hint error=form.submit.field("from_email")>
            <TextInput id="from_email" value=form.from_email kind="email" required=true/>
        </Field>
        <Field id="from_name" label="From name" hint=Signal::stored("What inboxes show first, for example: Ana of Example.".to_owned()) error=form.submit.field("from_name")>
            <TextInput id="from_name" value=form.from_name/>
        </Field>
        <Field id="reply_to" label="Answers go to" hint=Signal::stored("The From address when empty.".to_owned()) error=form.submit.field("reply_to")>
            <TextInput id="reply_to" value=form.reply_to kind="email"/>
        </Field>
        <Field id="stream" label="Stream" hint=Signal::stored("How long it is tried, and which way it goes.".to_owned()) error=form.submit.field("stream")>
            <Select id="stream" value=form.stream on_choice=Callback::new(move |name| form.stream.set(name)) options=streams/>
        </Field>
        <Field id="pool" label="Egress pool" hint=Signal::stored("The addresses it leaves from.".to_owned()) error=form.submit.field("pool")>
            <Select id="pool" value=form.pool on_choice=Callback::new(move |name| form.pool.set(name)) options=pools/>
        </Field>
    }
    .into_any()
}

/// The names that there are; and the one that was chosen, if it is not among them any more.
fn names_and_chosen(known: Vec<String>, chosen: String) -> Vec<Choice> {
    let kept = (!chosen.is_empty() && !known.contains(&chosen)).then_some(chosen);
    kept.into_iter().chain(known).map(|name| (name.clone(), name)).collect()
}
