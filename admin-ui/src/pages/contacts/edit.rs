//! The form of a contact, new or known.

use std::collections::BTreeMap;

use api_types::{Contact, ContactInput, ContactPatch, Field as ContactField, FieldKind, Page};
use leptos::prelude::*;
use serde_json::Value;
use view::import::tags as split_tags;

use crate::api::{Api, use_api};
use crate::load::{Load, load};
use crate::nav::use_nav;
use crate::parts::*;
use crate::submit::Submit;

/// What is being typed. Values of the workspace's own fields are kept as text, by name.
#[derive(Clone, Copy)]
struct Form {
    email: RwSignal<String>,
    first_name: RwSignal<String>,
    last_name: RwSignal<String>,
    tags: RwSignal<String>,
    attributes: RwSignal<BTreeMap<String, String>>,
}

impl Form {
    fn of(contact: Option<&Contact>) -> Form {
        let text = |value: fn(&Contact) -> &String| RwSignal::new(contact.map(value).cloned().unwrap_or_default());
        let attributes = contact.map(|contact| {
            contact.attributes.iter().map(|(name, value)| (name.clone(), view::contact::as_text(value))).collect()
        });
        Form {
            email: text(|contact| &contact.email),
            first_name: text(|contact| &contact.first_name),
            last_name: text(|contact| &contact.last_name),
            tags: RwSignal::new(contact.map(|contact| contact.tags.join(", ")).unwrap_or_default()),
            attributes: RwSignal::new(attributes.unwrap_or_default()),
        }
    }

    fn values(self, fields: &[ContactField]) -> BTreeMap<String, Value> {
        let kind =
            |name: &str| fields.iter().find(|field| field.name == name).map_or(FieldKind::Text, |field| field.kind);
        let attributes = self.attributes.get_untracked();
        attributes.into_iter().map(|(name, text)| (name.clone(), view::contact::as_value(&text, kind(&name)))).collect()
    }
}

#[component]
pub fn NewContact() -> impl IntoView {
    let api = use_api();
    let nav = use_nav();
    let toasts = use_toasts();
    let fields = fields(api);
    let form = Form::of(None);
    let submit = Submit::new();
    let send = Callback::new(move |()| {
        let known = fields.data.get_untracked().map(|page| page.items).unwrap_or_default();
        let mut attributes = form.values(&known);
        attributes.retain(|_, value| !value.is_null());
        let input = ContactInput {
            email: form.email.get_untracked(),
            first_name: form.first_name.get_untracked(),
            last_name: form.last_name.get_untracked(),
            attributes,
            tags: split_tags(&form.tags.get_untracked()),
            engaged_at: None,
        };
        submit.run(async move {
            let contact: Contact = api.post("/contacts".to_owned(), &input).await?;
            toasts.good(format!("{} is added", contact.email));
            nav.replace(&format!("/contacts/{}", contact.id));
            Ok(())
        });
    });
    view! {
        <PageHeader title="Add a contact" above=("/contacts".to_owned(), "Contacts")/>
        <div class="card narrow">{form_view(form, fields, submit, "Add", send)}</div>
    }
    .into_any()
}

/// Changes a known contact.
#[component]
pub fn EditContact(contact: Contact, changed: Callback<Contact>, close: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let fields = fields(api);
    let form = Form::of(Some(&contact));
    let submit = Submit::new();
    let id = contact.id;
    let send = Callback::new(move |()| {
        let known = fields.data.get_untracked().map(|page| page.items).unwrap_or_default();
        let patch = ContactPatch {
            email: Some(form.email.get_untracked()),
            first_name: Some(form.first_name.get_untracked()),
            last_name: Some(form.last_name.get_untracked()),
            attributes: Some(form.values(&known)),
            tags: Some(split_tags(&form.tags.get_untracked())),
            engaged_at: None,
        };
        submit.run(async move {
            let contact: Contact = api.patch(format!("/contacts/{id}"), &patch).await?;
            toasts.good("Saved");
            changed.run(contact);
            close.run(());
            Ok(())
        });
    });
    form_view(form, fields, submit, "Save", send)
}

fn fields(api: Api) -> Load<Page<ContactField>> {
    load(move || api.get::<Page<ContactField>>("/fields".to_owned()))
}

fn form_view(
    form: Form,
    fields: Load<Page<ContactField>>,
    submit: Submit,
    word: &'static str,
    send: Callback<()>,
) -> AnyView {
    let inputs = move || {
        let fields = fields.data.with(|page| page.as_ref().map(|page| page.items.clone()).unwrap_or_default());
        fields.into_iter().map(|field| attribute(form, field)).collect_view()
    };
    view! {
        <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
            <Field id="email" label="Email address" error=submit.field("email")>
                <TextInput id="email" value=form.email kind="email" required=true focus=true/>
            </Field>
            <div class="two">
                <Field id="first_name" label="First name" error=submit.field("first_name")><TextInput id="first_name" value=form.first_name/></Field>
                <Field id="last_name" label="Last name" error=submit.field("last_name")><TextInput id="last_name" value=form.last_name/></Field>
            </div>
            <Field id="tags" label="Tags" hint="Separated by commas." error=submit.field("tags")><TextInput id="tags" value=form.tags/></Field>
            {inputs}
            {form_error(submit.rest(&["email", "first_name", "last_name", "tags"]))}
            <div class="actions end"><Button submit=true look=Look::Primary busy=submit.busy>{word}</Button></div>
        </form>
    }
    .into_any()
}

/// The input of one of the workspace's own fields.
fn attribute(form: Form, field: ContactField) -> AnyView {
    let name = StoredValue::new(field.name.clone());
    let value = move || form.attributes.with(|all| name.with_value(|name| all.get(name).cloned()).unwrap_or_default());
    let set = move |text: String| form.attributes.update(|all| drop(all.insert(name.get_value(), text)));
    let input = match field.kind {
        FieldKind::Boolean => {
            let options = [("", "not set"), ("true", "yes"), ("false", "no")];
            let options: Vec<Choice> =
                options.iter().map(|(word, label)| ((*word).to_owned(), (*label).to_owned())).collect();
            view! { <Select value=Signal::derive(value) on_choice=Callback::new(set) options label=field.name.clone()/> }.into_any()
        }
        kind => {
            let kind = match kind {
                FieldKind::Number => "number",
                FieldKind::Date => "date",
                FieldKind::Text | FieldKind::Boolean => "text",
            };
            view! {
                <input class="input" type=kind step="any" autocomplete="off" aria-label=field.name.clone()
                    prop:value=value on:input:target=move |event| set(event.target().value())/>
            }
            .into_any()
        }
    };
    view! { <div class="field"><span class="field-label" aria-hidden="true">{field.name}</span>{input}</div> }
        .into_any()
}
