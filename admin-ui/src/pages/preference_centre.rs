//! The preference centre's editor: texts, streams, colours, logo, beside a preview that the server renders.

mod streams;

use std::time::Duration;

use api_types::{Contrast, PageLanguage, PreferenceCentre, PreferenceCentrePreview, PreferenceCentreState, Role};
use leptos::prelude::*;
use view::tone::Tone;
use wasm_bindgen::JsCast;
use web_sys::{FormData, HtmlInputElement};

use crate::api::{use_api, use_me};
use crate::guard::UnsavedGuard;
use crate::load::{Load, load};
use crate::parts::*;
use crate::submit::Submit;
use streams::Offers;

const FIELDS: &[&str] = &[
    "title",
    "introduction",
    "unsubscribed_text",
    "saved_text",
    "accent",
    "page",
    "card",
    "confirmation_subject",
    "confirmation_text",
];

#[component]
pub fn PreferenceCentrePage() -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let state = load(move || api.get::<PreferenceCentreState>("/preference-centre".to_owned()));
    let may_change = use_me().role.may(Role::Marketer);
    let resetting = RwSignal::new(false);
    // Another number makes another form, with what is kept then.
    let edition = RwSignal::new(0_u32);
    let submit = Submit::new();
    let reset = Callback::new(move |()| {
        submit.run(async move {
            api.delete("/preference-centre".to_owned()).await?;
            let fresh: PreferenceCentreState = api.get("/preference-centre".to_owned()).await?;
            state.data.put(fresh);
            edition.try_update(|edition| *edition += 1);
            resetting.try_set(false);
            toasts.good("It looks as it did at first");
            Ok(())
        });
    });
    view! {
        <PageHeader title="Preference centre" about="The page on which people choose what they get from you. The page for unsubscribing looks the same.">
            {may_change.then(|| view! { <Button on_press=Callback::new(move |()| resetting.set(true))>"Reset"</Button> })}
        </PageHeader>
        {state.show(8, move |_| view! {
            {move || {
                edition.track();
                let now = state.data.get_untracked();
                now.map(|now| view! { <Editor now state/> })
            }}
        }.into_any())}
        <ConfirmDialog open=resetting title="Take everything back?" confirm="Reset" busy=submit.busy failure=submit.rest(&[]) on_confirm=reset>
            <p>"Texts, colours, logo and the streams on offer are lost, and the page looks as it did at first. Lists and what people chose stay."</p>
        </ConfirmDialog>
    }
    .into_any()
}

/// What is being typed.
#[derive(Clone, Copy)]
struct Form {
    language: RwSignal<PageLanguage>,
    title: RwSignal<String>,
    introduction: RwSignal<String>,
    unsubscribed_text: RwSignal<String>,
    saved_text: RwSignal<String>,
    accent: RwSignal<String>,
    page: RwSignal<String>,
    card: RwSignal<String>,
    confirmation: RwSignal<bool>,
    confirmation_subject: RwSignal<String>,
    confirmation_text: RwSignal<String>,
    offers: Offers,
}

impl Form {
    fn of(state: &PreferenceCentreState) -> Form {
        let set = &state.settings;
        let text = |text: &String| RwSignal::new(text.clone());
        Form {
            language: RwSignal::new(set.language),
            title: text(&set.title),
            introduction: text(&set.introduction),
            unsubscribed_text: text(&set.unsubscribed_text),
            saved_text: text(&set.saved_text),
            accent: text(&set.accent),
            page: text(&set.page),
            card: text(&set.card),
            confirmation: RwSignal::new(set.confirmation),
            confirmation_subject: text(&set.confirmation_subject),
            confirmation_text: text(&set.confirmation_text),
            offers: Offers::of(state),
        }
    }

    fn settings(self) -> PreferenceCentre {
        PreferenceCentre {
            language: self.language.get(),
            title: self.title.get(),
            introduction: self.introduction.get(),
            unsubscribed_text: self.unsubscribed_text.get(),
            saved_text: self.saved_text.get(),
            accent: self.accent.get(),
            page: self.page.get(),
            card: self.card.get(),
            confirmation: self.confirmation.get(),
            confirmation_subject: self.confirmation_subject.get(),
            confirmation_text: self.confirmation_text.get(),
            streams: self.offers.settings(),
        }
    }
}

#[component]
fn Editor(now: PreferenceCentreState, state: Load<PreferenceCentreState>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let may_change = use_me().role.may(Role::Marketer);
    let readonly = Signal::derive(move || !may_change);
    let form = Form::of(&now);
    let saved = RwSignal::new(now.settings);
    let settings = Memo::new(move |_| form.settings());
    let dirty = Memo::new(move |_| settings.get() != saved.get());
    let logo = Memo::new(move |_| state.data.with(|state| state.as_ref().and_then(|state| state.logo.clone())));
    let submit = Submit::new();
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let wanted = settings.get_untracked();
        submit.run(async move {
            let kept: PreferenceCentreState = api.put("/preference-centre".to_owned(), &wanted).await?;
            saved.try_set(wanted);
            state.data.put(kept);
            toasts.good("Saved");
            Ok(())
        });
    };
    view! {
        <UnsavedGuard dirty/>
        <div class="builder">
            <div>
                <form class="card" on:submit=save>
                    {texts(form, submit, readonly)}
                    {form.offers.view(readonly)}
                    {colours(form, submit, readonly)}
                    {confirmation(form, submit, readonly)}
                    {form_error(submit.rest(FIELDS))}
                    {may_change.then(|| view! {
                        <div class="actions end">
                            <span class="muted" role="status">{move || if dirty.get() { "Not saved yet" } else { "" }}</span>
                            <Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || !dirty.get() || form.offers.is_incomplete())>"Save"</Button>
                        </div>
                    })}
                </form>
                <Logo logo state may_change/>
            </div>
            <Preview settings logo/>
        </div>
    }
    .into_any()
}

fn texts(form: Form, submit: Submit, readonly: Signal<bool>) -> AnyView {
    let language = Signal::derive(move || if form.language.get() == PageLanguage::Pt { "pt" } else { "en" }.to_owned());
    let choose = Callback::new(move |word: String| {
        form.language.set(if word == "pt" { PageLanguage::Pt } else { PageLanguage::En });
    });
    let languages: Vec<Choice> =
        vec![("en".to_owned(), "English".to_owned()), ("pt".to_owned(), "Português".to_owned())];
    view! {
        <Field id="language" label="Language" hint="Of all words that you do not write yourself.">
            <Select id="language" value=language on_choice=choose options=languages/>
        </Field>
        <Field id="title" label="Title" hint="The language's own when empty, as the other texts." error=submit.field("title")>
            <TextInput id="title" value=form.title disabled=readonly/>
        </Field>
        <Field id="introduction" label="Introduction" error=submit.field("introduction")>
            <TextArea id="introduction" value=form.introduction disabled=readonly/>
        </Field>
        <Field id="saved_text" label="After saving" error=submit.field("saved_text")>
            <TextArea id="saved_text" value=form.saved_text rows=2 disabled=readonly/>
        </Field>
        <Field id="unsubscribed_text" label="After unsubscribing" error=submit.field("unsubscribed_text")>
            <TextArea id="unsubscribed_text" value=form.unsubscribed_text rows=2 disabled=readonly/>
        </Field>
    }
    .into_any()
}

fn colours(form: Form, submit: Submit, readonly: Signal<bool>) -> AnyView {
    view! {
        <Field id="accent" label="Colour of buttons" error=submit.field("accent")>
            <ColourInput id="accent" value=form.accent ours="#2563EB" label="Colour of buttons" disabled=readonly/>
        </Field>
        <Field id="page" label="Colour behind everything" hint="Without a colour of yours the page is light or dark, as the reader's device is." error=submit.field("page")>
            <ColourInput id="page" value=form.page ours="#F8FAFC" label="Colour behind everything" disabled=readonly/>
        </Field>
        <Field id="card" label="Colour of the card" error=submit.field("card")>
            <ColourInput id="card" value=form.card ours="#FFFFFF" label="Colour of the card" disabled=readonly/>
        </Field>
    }
    .into_any()
}

fn confirmation(form: Form, submit: Submit, readonly: Signal<bool>) -> AnyView {
    view! {
        <Check label="Confirm every change by mail, at most once a day" checked=form.confirmation
            on_change=Callback::new(move |on| form.confirmation.set(on)) disabled=readonly/>
        {move || form.confirmation.get().then(|| view! {
            <Field id="confirmation_subject" label="Subject of that mail" error=submit.field("confirmation_subject")>
                <TextInput id="confirmation_subject" value=form.confirmation_subject disabled=readonly/>
            </Field>
            <Field id="confirmation_text" label="What it says" hint="The link to the page stands below it." error=submit.field("confirmation_text")>
                <TextArea id="confirmation_text" value=form.confirmation_text disabled=readonly/>
            </Field>
        })}
    }
    .into_any()
}

#[component]
fn Logo(logo: Memo<Option<String>>, state: Load<PreferenceCentreState>, may_change: bool) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let node = NodeRef::<leptos::html::Input>::new();
    let submit = Submit::new();
    let send = move |_| {
        let input = node.get_untracked().and_then(|node| node.dyn_into::<HtmlInputElement>().ok());
        let Some(file) = input.and_then(|input| input.files()?.get(0)) else { return };
        let Ok(form) = FormData::new() else { return };
        if form.append_with_blob_and_filename("file", &file, &file.name()).is_err() {
            return;
        }
        submit.run(async move {
            let kept: PreferenceCentreState = api.upload("/preference-centre/logo".to_owned(), form).await?;
            state.data.put(kept);
            toasts.good("The logo is saved");
            Ok(())
        });
    };
    let remove = Callback::new(move |()| {
        submit.run(async move {
            api.delete("/preference-centre/logo".to_owned()).await?;
            let kept: PreferenceCentreState = api.get("/preference-centre".to_owned()).await?;
            state.data.put(kept);
            Ok(())
        });
    });
    view! {
        <Card title="Logo">
            {move || logo.get().map(|src| view! { <p><img class="logo-shown" src=src alt="The logo"/></p> })}
            {may_change.then(|| view! {
                <Field id="logo" label="Picture" hint="PNG, JPEG or WebP, at most 200 KB. It is kept at once." error=submit.field("file")>
                    <input node_ref=node id="logo" class="input" type="file" accept="image/png,image/jpeg,image/webp"
                        aria-describedby="logo-error logo-hint" on:change=send/>
                </Field>
                {form_error(submit.rest(&["file"]))}
                {move || logo.get().is_some().then(|| view! { <div class="actions"><Button busy=submit.busy on_press=remove>"Remove the logo"</Button></div> })}
            })}
        </Card>
    }
    .into_any()
}

/// The server's rendering, a third of a second after the last change.
#[component]
fn Preview(settings: Memo<PreferenceCentre>, logo: Memo<Option<String>>) -> impl IntoView {
    let api = use_api();
    let settled = RwSignal::new(settings.get_untracked());
    let mut settle = leptos::leptos_dom::helpers::debounce(Duration::from_millis(350), move |()| {
        if let Some(now) = settings.try_get_untracked() {
            settled.try_set(now);
        }
    });
    Effect::new(move |before: Option<()>| {
        settings.track();
        if before.is_some() {
            settle(());
        }
    });
    let preview = load(move || {
        logo.track();
        let now = settled.get();
        async move { api.post::<PreferenceCentrePreview>("/preference-centre/preview".to_owned(), &now).await }
    });
    view! {
        <section class="card">
            <header class="card-head"><h2>"What people see"</h2></header>
            {preview.show(8, move |preview| {
                let preferences = Memo::new(move |_| preview.with(|preview| preview.preferences.clone()));
                let unsubscribed = Memo::new(move |_| preview.with(|preview| preview.unsubscribed.clone()));
                view! {
                    {move || preview.with(|preview| contrasts(&preview.contrasts))}
                    <iframe class="frame page-frame" title="The preference centre as rendered" sandbox="" srcdoc=preferences></iframe>
                    <h3>"After unsubscribing"</h3>
                    <iframe class="frame page-frame" title="The page after unsubscribing as rendered" sandbox="" srcdoc=unsubscribed></iframe>
                }.into_any()
            })}
        </section>
    }
    .into_any()
}

fn contrasts(all: &[Contrast]) -> AnyView {
    let rows = all.iter().map(|contrast| {
        let (tone, word) = if contrast.good { (Tone::Success, "Readable") } else { (Tone::Danger, "Hard to read") };
        let text = format!("{}: contrast {}, 4.5 or more is needed", view::tone::words(&contrast.what), contrast.ratio);
        view! { <li>{badge(tone, word)}" "{text}</li> }
    });
    view! { <ul class="plain-list" role="status">{rows.collect_view()}</ul> }.into_any()
}
