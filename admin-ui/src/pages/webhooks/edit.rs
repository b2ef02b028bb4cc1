//! The dialog in which a webhook is made or changed, and the one that shows a secret.

use api_types::{Webhook, WebhookSecret, WebhookType};
use leptos::prelude::*;
use view::webhook::{Form, choices};

use crate::api::use_api;
use crate::parts::*;
use crate::submit::Submit;

/// Fields that show their own errors.
const FIELDS: &[&str] = &["name", "url", "types", "campaign_id", "tag", "stream"];

/// Makes a webhook, or changes the one that there is.
#[component]
pub fn EditDialog(
    open: RwSignal<bool>,
    #[prop(into)] webhook: Signal<Option<Webhook>>,
    changed: Callback<()>,
) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let [name, url, campaign, tag, stream] = [(); 5].map(|()| RwSignal::new(String::new()));
    let types = RwSignal::new(Vec::<WebhookType>::new());
    let made = RwSignal::new(None::<WebhookSecret>);
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            let form = webhook.with_untracked(|hook| hook.as_ref().map(Form::of).unwrap_or_default());
            made.set(None);
            name.set(form.name);
            url.set(form.url);
            types.set(form.types);
            campaign.set(form.campaign);
            tag.set(form.tag);
            stream.set(form.stream);
            submit.failure.set(None);
        }
    });
    let send = Callback::new(move |()| {
        let form = Form {
            name: name.get_untracked(),
            url: url.get_untracked(),
            types: types.get_untracked(),
            campaign: campaign.get_untracked(),
            tag: tag.get_untracked(),
            stream: stream.get_untracked(),
        };
        let id = webhook.with_untracked(|hook| hook.as_ref().map(|hook| hook.id));
        submit.run(async move {
            match id {
                Some(id) => {
                    let now: Webhook = api.patch(format!("/webhooks/{id}"), &form.change()).await?;
                    toasts.good(format!("{} is changed", now.name));
                    open.try_set(false);
                }
                None => {
                    let new: WebhookSecret = api.post("/webhooks".to_owned(), &form.new_webhook()).await?;
                    made.try_set(Some(new));
                }
            }
            changed.run(());
            Ok(())
        });
    });
    let is_new = move || webhook.with(Option::is_none);
    let title = Signal::derive(move || if is_new() { "Add a webhook" } else { "Change the webhook" }.to_owned());
    let word = move || if is_new() { "Add the webhook" } else { "Save" };
    let body = move || {
        match made.get() {
        Some(made) => secret_view(made.secret, open),
        None => view! {
            <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                <Field id="webhook-name" label="What it is for" hint="For example: shop, data warehouse." error=submit.field("name")>
                    <TextInput id="webhook-name" value=name required=true focus=true/>
                </Field>
                <Field id="webhook-url" label="Where requests go" hint="An address of yours, with https://." error=submit.field("url")>
                    <TextInput id="webhook-url" value=url required=true mono=true/>
                </Field>
                {type_boxes(types, submit.field("types"))}
                <Field id="webhook-campaign" label="Only this campaign" hint="Its number, as in its address here. Empty: any." error=submit.field("campaign_id")>
                    <TextInput id="webhook-campaign" value=campaign/>
                </Field>
                <Field id="webhook-tag" label="Only messages with this tag" hint="Empty: any." error=submit.field("tag")>
                    <TextInput id="webhook-tag" value=tag/>
                </Field>
                <Field id="webhook-stream" label="Only this stream" hint="For example: transactional, bulk. Empty: any." error=submit.field("stream")>
                    <TextInput id="webhook-stream" value=stream/>
                </Field>
                {form_error(submit.rest(FIELDS))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>{word}</Button>
                </div>
            </form>
        }
        .into_any(),
    }
    };
    view! { <Dialog open title>{body}</Dialog> }.into_any()
}

/// A box for each type. Without any it is told everything.
fn type_boxes(types: RwSignal<Vec<WebhookType>>, error: Signal<Option<String>>) -> AnyView {
    let boxes = choices().into_iter().map(|(kind, meaning)| {
        let switch = move |on: bool| {
            types.update(|types| {
                types.retain(|other| *other != kind);
                if on {
                    types.push(kind);
                }
            });
        };
        view! {
            <label class="check">
                <input type="checkbox" prop:checked=move || types.with(|types| types.contains(&kind))
                    on:change:target=move |event| switch(event.target().checked())/>
                <span><code>{kind.as_str()}</code>" "<span class="muted">{meaning}</span></span>
            </label>
        }
    });
    view! {
        <fieldset class="field">
            <legend class="field-label">"Told of"</legend>
            {boxes.collect_view()}
            <span class="field-error" role="alert">{move || error.get()}</span>
            <span class="field-hint">"None chosen: everything."</span>
        </fieldset>
    }
    .into_any()
}

/// A secret, this once.
pub fn secret_view(secret: String, open: RwSignal<bool>) -> AnyView {
    view! {
        <p>"Requests are signed with this secret, so that your program knows that they are genuine. It is shown only now: copy it to where it is used."</p>
        <CopyBox value=secret what="the secret"/>
        <div class="actions end"><Button look=Look::Primary on_press=Callback::new(move |()| open.set(false))>"I have it"</Button></div>
    }
    .into_any()
}
