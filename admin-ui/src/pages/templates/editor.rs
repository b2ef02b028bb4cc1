//! The editor: subject, preheader and source on one side, the daemon's rendering on the other.

use api_types::{Template, TemplateInput, TemplateKind, TemplateProblem};
use leptos::html;
use leptos::prelude::*;
use view::template::{insert, line_span, starter};

use super::preview::{PreviewPane, rendered};
use super::tags::TagPicker;
use super::versions::Versions;
use crate::api::use_api;
use crate::guard::{Drafts, UnsavedGuard};
use crate::load::{Shown, load};
use crate::nav::{use_id, use_nav, use_query};
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn NewTemplate() -> impl IntoView {
    view! {
        <PageHeader title="Write a template" above=("/templates".to_owned(), "Templates")/>
        <Editor known=None/>
    }
    .into_any()
}

#[component]
pub fn TemplatePage() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let id = use_id();
    let tab = use_query().param("tab");
    let template = load(move || api.get::<Template>(format!("/templates/{}", id.get())));
    let title = template.title(|template| template.name.clone());
    let version = template.map(|template| template.version);
    let deleting = RwSignal::new(false);
    let delete = Submit::new();
    let deleted = Callback::new(move |()| {
        let id = id.get_untracked();
        delete.run(async move {
            api.delete(format!("/templates/{id}")).await?;
            toasts.good("The template is deleted");
            nav.to("/templates");
            Ok(())
        });
    });
    let restored = Callback::new(move |fresh: Template| {
        template.data.put(fresh);
    });
    let body = move |template: Shown<Template>| match tab.get().as_str() {
        "versions" => {
            view! { <Versions id=template.get_untracked().id current=version.into() on_restored=restored/> }.into_any()
        }
        _ => view! { <Editor known=Some(template.get_untracked()) on_saved=restored/> }.into_any(),
    };
    view! {
        <PageHeader title ready=template.there() above=("/templates".to_owned(), "Templates")>
            <Button look=Look::Danger on_press=Callback::new(move |()| deleting.set(true))>"Delete"</Button>
        </PageHeader>
        <Tabs label="Template" tabs=&[("", "Edit"), ("versions", "Versions")] chosen=tab/>
        {template.show(8, move |template| (move || body(template)).into_any())}
        <ConfirmDialog open=deleting title="Delete this template?" confirm="Delete" type_name=title busy=delete.busy failure=delete.rest(&[]) on_confirm=deleted>
            <p>"All its versions are gone. Campaigns already launched keep the version they were launched with; drafts lose their content. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// The texts being edited.
#[derive(Clone, Copy)]
struct Texts {
    name: RwSignal<String>,
    kind: RwSignal<TemplateKind>,
    subject: RwSignal<String>,
    preheader: RwSignal<String>,
    source: RwSignal<String>,
}

impl Texts {
    fn of(input: TemplateInput) -> Texts {
        Texts {
            name: RwSignal::new(input.name),
            kind: RwSignal::new(input.kind),
            subject: RwSignal::new(input.subject),
            preheader: RwSignal::new(input.preheader),
            source: RwSignal::new(input.source),
        }
    }

    fn input(self) -> TemplateInput {
        TemplateInput {
            name: self.name.get(),
            kind: self.kind.get(),
            subject: self.subject.get(),
            preheader: self.preheader.get(),
            source: self.source.get(),
        }
    }
}

#[component]
fn Editor(known: Option<Template>, #[prop(optional)] on_saved: Option<Callback<Template>>) -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let drafts = expect_context::<Drafts>();
    let id = known.as_ref().map(|template| template.id);
    let page = id.map_or_else(|| "/templates/new".to_owned(), |id| format!("/templates/{id}"));
    let start = known.map_or_else(|| starter(TemplateKind::Mjml), input_of);
    let kept = drafts.take(&page).and_then(|draft| view::json::read::<TemplateInput>(&draft).ok());
    if kept.is_some() {
        toasts.good("Your unsaved changes are here again");
    }
    let saved = RwSignal::new(start.clone());
    let texts = Texts::of(kept.unwrap_or(start));
    let input = Memo::new(move |_| texts.input());
    let dirty = Memo::new(move |_| input.get() != saved.get());
    on_cleanup(move || {
        let (Some(now), Some(before)) = (input.try_get_untracked(), saved.try_get_untracked()) else { return };
        if now != before {
            drafts.keep(&page, serde_json::to_string(&now).unwrap_or_default());
        }
    });
    let submit = Submit::new();
    let save = Callback::new(move |()| {
        let now = input.get_untracked();
        submit.run(async move {
            let template: Template = match id {
                Some(id) => api.put(format!("/templates/{id}"), &now).await?,
                None => api.post("/templates".to_owned(), &now).await?,
            };
            saved.try_set(now);
            toasts.good(format!("Saved as version {}", template.version));
            if id.is_none() {
                nav.replace(&format!("/templates/{}", template.id));
            } else if let Some(on_saved) = on_saved {
                on_saved.run(template);
            }
            Ok(())
        });
    });
    save_by_key(save);
    let contact = RwSignal::new(String::new());
    let preview = rendered(input, contact);
    let source = NodeRef::<html::Textarea>::new();
    let subject = NodeRef::<html::Div>::new();
    let show_problem = Callback::new(move |problem: TemplateProblem| show_problem(&problem, source, subject, texts));
    view! {
        <UnsavedGuard dirty/>
        <div class="editor">
            <form class="card" on:submit=move |event| { event.prevent_default(); save.run(()); }>
                <div class="two" node_ref=subject>
                    <Field id="name" label="Name" error=submit.field("name")><TextInput id="name" value=texts.name required=true focus=id.is_none()/></Field>
                    <Field id="kind" label="Language">{kind_choice(texts, id.is_none())}</Field>
                </div>
                <Field id="subject" label="Subject" error=submit.field("subject")><TextInput id="subject" value=texts.subject required=true/></Field>
                <Field id="preheader" label="Preheader" hint="The line that inboxes show after the subject." error=submit.field("preheader")>
                    <TextInput id="preheader" value=texts.preheader/>
                </Field>
                <Field id="source" label="Source" error=submit.field("source")>
                    <TagPicker on_pick=Callback::new(move |tag: String| insert_tag(source, texts.source, &tag))/>
                    <textarea node_ref=source id="source" class="input mono source" rows="24" spellcheck="false" wrap="off"
                        aria-describedby="source-error source-hint"
                        prop:value=texts.source on:input:target=move |event| texts.source.set(event.target().value())></textarea>
                </Field>
                {form_error(submit.rest(&["name", "subject", "preheader", "source"]))}
                <div class="actions end sticky">
                    <span class="muted" role="status">{move || if dirty.get() { "Not saved yet" } else { "" }}</span>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Save"</Button>
                </div>
            </form>
            <PreviewPane preview contact on_problem=show_problem/>
        </div>
    }
    .into_any()
}

fn input_of(template: Template) -> TemplateInput {
    let Template { name, kind, subject, preheader, source, .. } = template;
    TemplateInput { name, kind, subject, preheader, source }
}

/// The language. A new template that is still the starter changes to the other starter.
fn kind_choice(texts: Texts, is_new: bool) -> AnyView {
    let word = |kind: TemplateKind| if kind == TemplateKind::Html { "html" } else { "mjml" };
    let value = Signal::derive(move || word(texts.kind.get()).to_owned());
    let choose = Callback::new(move |chosen: String| {
        let before = texts.kind.get_untracked();
        let kind = if chosen == "html" { TemplateKind::Html } else { TemplateKind::Mjml };
        if is_new && texts.source.get_untracked() == starter(before).source {
            texts.source.set(starter(kind).source);
        }
        texts.kind.set(kind);
    });
    let options: Vec<Choice> = vec![("mjml".to_owned(), "MJML".to_owned()), ("html".to_owned(), "HTML".to_owned())];
    view! { <Select id="kind" value on_choice=choose options/> }.into_any()
}

/// Ctrl+S, and Cmd+S on a Mac.
fn save_by_key(save: Callback<()>) {
    let keys = window_event_listener(leptos::ev::keydown, move |event| {
        if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("s") {
            event.prevent_default();
            save.run(());
        }
    });
    on_cleanup(move || keys.remove());
}

fn insert_tag(node: NodeRef<html::Textarea>, source: RwSignal<String>, tag: &str) {
    let Some(area) = node.get_untracked() else { return };
    let start = area.selection_start().ok().flatten().unwrap_or(0);
    let end = area.selection_end().ok().flatten().unwrap_or(start);
    let (text, after) = insert(&area.value(), start, end, tag);
    area.set_value(&text);
    source.set(text);
    let _ = area.focus();
    let _ = area.set_selection_range(after, after);
}

/// Puts the cursor where a problem is.
fn show_problem(problem: &TemplateProblem, source: NodeRef<html::Textarea>, head: NodeRef<html::Div>, texts: Texts) {
    match (problem.part.as_str(), source.get_untracked()) {
        ("source", Some(area)) => {
            let (start, end) = line_span(&texts.source.get_untracked(), problem.line.unwrap_or(1));
            let _ = area.focus();
            let _ = area.set_selection_range(start, end);
        }
        (part, _) => {
            let form = head.get_untracked().and_then(|head| head.parent_element());
            let input = form.and_then(|form| form.query_selector(&format!("#{part}")).ok().flatten());
            if let Some(input) =
                input.and_then(|input| wasm_bindgen::JsCast::dyn_into::<web_sys::HtmlElement>(input).ok())
            {
                let _ = input.focus();
            }
        }
    }
}
