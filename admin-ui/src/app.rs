//! The console: who is signed in decides between the sign-in page and the shell with its pages.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;
use view::query;

use crate::api::{self, Api, Failure, Link};
use crate::guard::Drafts;
use crate::nav::Nav;
use crate::pages;
use crate::parts::{ToastRegion, Toasts, error_state};
use crate::shell::Shell;

/// Everything.
#[component]
pub fn App() -> impl IntoView {
    let link = Link { reachable: RwSignal::new(true), me: RwSignal::new(None) };
    let toasts = Toasts::new();
    provide_context(link);
    provide_context(toasts);
    provide_context(Drafts::new());
    view! {
        <Router>
            <Gate/>
            <ToastRegion toasts/>
        </Router>
    }
}

/// Asks who is signed in; without anybody there is only the sign-in page.
#[component]
fn Gate() -> impl IntoView {
    let nav = Nav::new();
    provide_context(nav);
    let link = expect_context::<Link>();
    let failure = RwSignal::new(None::<Failure>);
    let ask = Callback::new(move |()| {
        failure.set(None);
        spawn_local(async move {
            match api::session(link).await {
                Ok(me) => link.me.set(Some(me)),
                Err(error) => failure.set(Some(error)),
            }
        });
    });
    ask.run(());
    let path = use_location().pathname;
    let at_sign_in = Memo::new(move |_| path.get() == "/sign-in");
    // A new session (another user, another token) makes a new shell; a renewed answer for the same one does not.
    let csrf = Memo::new(move |_| link.me.get().map(|me| me.map(|me| me.csrf_token)));
    Effect::new(move |_| {
        if csrf.get() == Some(None) && !at_sign_in.get() {
            let here = here();
            nav.replace(&query::with("/sign-in", &[("next", if here == "/" { "" } else { &here })]));
        }
    });
    move || {
        if at_sign_in.get() {
            return view! { <pages::SignIn/> }.into_any();
        }
        match (csrf.get(), failure.get()) {
            (Some(Some(_)), _) => view! { <SignedIn/> }.into_any(),
            (None, Some(failure)) => view! { <main class="alone">{error_state(&failure, ask)}</main> }.into_any(),
            _ => ().into_any(),
        }
    }
}

/// Path and query of the page.
fn here() -> String {
    let location = window().location();
    format!("{}{}", location.pathname().unwrap_or_default(), location.search().unwrap_or_default())
}

#[component]
fn SignedIn() -> impl IntoView {
    let link = expect_context::<Link>();
    let Some(Some(me)) = link.me.get_untracked() else { return ().into_any() };
    provide_context(Api::new(link, me.csrf_token.clone()));
    provide_context(me);
    let nothing = || view! { <pages::NotFound/> };
    view! {
        <Shell>
            <FlatRoutes fallback=nothing>
                <Route path=path!("/") view=pages::Overview/>
                <Route path=path!("/campaigns") view=pages::Campaigns/>
                <Route path=path!("/campaigns/new") view=pages::NewCampaign/>
                <Route path=path!("/campaigns/:id") view=pages::CampaignPage/>
                <Route path=path!("/campaigns/:id/edit") view=pages::EditCampaign/>
                <Route path=path!("/campaigns/:id/recipients") view=pages::CampaignRecipients/>
                <Route path=path!("/recipients/:id") view=pages::RecipientPage/>
                <Route path=path!("/journeys") view=pages::Journeys/>
                <Route path=path!("/journeys/new") view=pages::NewJourney/>
                <Route path=path!("/journeys/:id") view=pages::JourneyPage/>
                <Route path=path!("/templates") view=pages::Templates/>
                <Route path=path!("/templates/new") view=pages::NewTemplate/>
                <Route path=path!("/templates/:id") view=pages::TemplatePage/>
                <Route path=path!("/contacts") view=pages::Contacts/>
                <Route path=path!("/contacts/new") view=pages::NewContact/>
                <Route path=path!("/contacts/import") view=pages::Imports/>
                <Route path=path!("/contacts/:id") view=pages::ContactPage/>
                <Route path=path!("/imports/:id") view=pages::ImportPage/>
                <Route path=path!("/segments") view=pages::Segments/>
                <Route path=path!("/segments/new") view=pages::NewSegment/>
                <Route path=path!("/segments/:id") view=pages::SegmentPage/>
                <Route path=path!("/lists") view=pages::Lists/>
                <Route path=path!("/preference-centre") view=pages::PreferenceCentrePage/>
                <Route path=path!("/hygiene") view=pages::HygienePage/>
                <Route path=path!("/queue") view=pages::Queue/>
                <Route path=path!("/trace") view=pages::Trace/>
                <Route path=path!("/messages") view=pages::Messages/>
                <Route path=path!("/messages/:id") view=pages::MessagePage/>
                <Route path=path!("/replies") view=pages::Replies/>
                <Route path=path!("/replies/:id") view=pages::ReplyPage/>
                <Route path=path!("/domains") view=pages::Domains/>
                <Route path=path!("/domains/:id") view=pages::DomainPage/>
                <Route path=path!("/egress") view=pages::EgressPage/>
                <Route path=path!("/providers") view=pages::Providers/>
                <Route path=path!("/unknown-texts") view=pages::UnknownTexts/>
                <Route path=path!("/bounces") view=pages::Bounces/>
                <Route path=path!("/suppressions") view=pages::Suppressions/>
                <Route path=path!("/suppressions/history") view=pages::SuppressionHistory/>
                <Route path=path!("/reports") view=pages::Reports/>
                <Route path=path!("/api-keys") view=pages::ApiKeys/>
                <Route path=path!("/smtp-credentials") view=pages::SmtpCredentials/>
                <Route path=path!("/webhooks") view=pages::Webhooks/>
                <Route path=path!("/webhooks/:id") view=pages::WebhookPage/>
                <Route path=path!("/workspace") view=pages::WorkspacePage/>
                <Route path=path!("/people") view=pages::People/>
            </FlatRoutes>
        </Shell>
    }
    .into_any()
}
