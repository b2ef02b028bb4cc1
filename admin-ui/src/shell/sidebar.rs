//! Navigation. It shows only what exists.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_location;

use crate::api::{use_api, use_me};
use crate::parts::{Icon, Select, icon, use_toasts};
use crate::theme::Theme;

type Entry = (&'static str, &'static str, Icon);

const GROUPS: [(&str, &[Entry]); 5] = [
    ("", &[("/", "Overview", Icon::Overview)]),
    (
        "Marketing",
        &[
            ("/campaigns", "Campaigns", Icon::Campaigns),
            ("/journeys", "Journeys", Icon::Journeys),
            ("/templates", "Templates", Icon::Templates),
            ("/contacts", "Contacts", Icon::Contacts),
            ("/segments", "Segments", Icon::Segments),
            ("/lists", "Lists", Icon::Lists),
            ("/preference-centre", "Preference centre", Icon::Preferences),
            ("/hygiene", "List hygiene", Icon::Hygiene),
        ],
    ),
    (
        "Delivery",
        &[
            ("/queue", "Queue", Icon::Queue),
            ("/messages", "Messages", Icon::Messages),
            ("/trace", "Trace", Icon::Search),
            ("/replies", "Replies", Icon::Replies),
            ("/domains", "Domains", Icon::Domains),
            ("/egress", "Egress", Icon::Egress),
            ("/providers", "Providers", Icon::Providers),
            ("/unknown-texts", "Unknown texts", Icon::Unknown),
            ("/bounces", "Bounces", Icon::Bounces),
            ("/suppressions", "Suppressions", Icon::Suppressions),
            ("/reports", "Reports", Icon::Reports),
        ],
    ),
    (
        "Developers",
        &[
            ("/api-keys", "API keys", Icon::Keys),
            ("/webhooks", "Webhooks", Icon::Hook),
            ("/smtp-credentials", "SMTP credentials", Icon::Plug),
        ],
    ),
    ("Settings", &[("/workspace", "Workspace", Icon::Workspace), ("/people", "People & roles", Icon::People)]),
];

#[component]
pub fn Sidebar() -> impl IntoView {
    let me = use_me();
    let path = use_location().pathname;
    let groups = GROUPS.iter().map(|(title, entries)| {
        let links = entries.iter().map(|(href, name, symbol)| {
            let current = move || path.with(|path| is_at(path, href)).then_some("page");
            view! { <li><a href=*href aria-current=current>{icon(*symbol)}<span>{*name}</span></a></li> }
        });
        view! {
            <div class="nav-group">
                {(!title.is_empty()).then(|| view! { <p class="nav-title">{*title}</p> })}
                <ul>{links.collect_view()}</ul>
            </div>
        }
    });
    view! {
        <div class="sidebar" id="sidebar">
            <div class="workspace">
                <span class="brand-mark" aria-hidden="true"></span>
                <div><strong>"Packetboat"</strong><span class="muted">{me.workspace.clone()}</span></div>
            </div>
            <nav aria-label="Main">{groups.collect_view()}</nav>
            <div class="sidebar-foot">
                <ThemeChoice/>
                <div class="who">
                    <div>
                        <strong>{if me.name.is_empty() { me.email.clone() } else { me.name.clone() }}</strong>
                        <span class="muted">{view::tone::role(me.role)}" · "{me.version.clone()}</span>
                    </div>
                    <SignOut/>
                </div>
            </div>
        </div>
    }
    .into_any()
}

/// Imports belong to contacts, recipients to the queue.
fn is_at(path: &str, href: &str) -> bool {
    let below = |parent: &str| path == parent || path.starts_with(&format!("{parent}/"));
    match href {
        "/" => path == "/",
        "/contacts" => below("/contacts") || below("/imports"),
        "/queue" => below("/queue") || below("/recipients"),
        href => below(href),
    }
}

#[component]
fn ThemeChoice() -> impl IntoView {
    let theme = RwSignal::new(Theme::stored());
    let value = Signal::derive(move || {
        let now = theme.get();
        Theme::ALL.iter().find(|(theme, _, _)| *theme == now).map(|(_, word, _)| (*word).to_owned()).unwrap_or_default()
    });
    let options: Vec<_> =
        Theme::ALL.iter().map(|(_, word, label)| ((*word).to_owned(), format!("{label} theme"))).collect();
    let choose = Callback::new(move |word: String| {
        if let Some((chosen, _, _)) = Theme::ALL.iter().find(|(_, name, _)| *name == word) {
            chosen.apply();
            theme.set(*chosen);
        }
    });
    view! { <Select value on_choice=choose options label="Theme"/> }.into_any()
}

#[component]
fn SignOut() -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let sign_out = move |_| {
        spawn_local(async move {
            if let Err(failure) = api.sign_out().await {
                toasts.failed(&failure);
            }
        });
    };
    view! {
        <button type="button" class="button ghost icon-only" aria-label="Sign out" title="Sign out" on:click=sign_out>
            {icon(Icon::SignOut)}
        </button>
    }
    .into_any()
}
