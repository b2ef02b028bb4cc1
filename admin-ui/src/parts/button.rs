//! Buttons.

use leptos::prelude::*;

/// How much a button wants to be pressed.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// The one main action of a page.
    Primary,
    /// Any other.
    #[default]
    Secondary,
    /// Something is lost.
    Danger,
    /// Barely there.
    Ghost,
}

impl Look {
    /// The classes of a button or of a link that looks like one.
    pub fn class(self) -> &'static str {
        match self {
            Look::Primary => "button primary",
            Look::Secondary => "button",
            Look::Danger => "button danger",
            Look::Ghost => "button ghost",
        }
    }
}

/// A button. While busy it keeps the focus but cannot be pressed again.
#[component]
pub fn Button(
    children: Children,
    #[prop(optional)] look: Look,
    #[prop(optional, into)] busy: Signal<bool>,
    #[prop(optional, into)] disabled: Signal<bool>,
    /// Sends the form it stands in.
    #[prop(optional)]
    submit: bool,
    /// What it does, where its face does not say so.
    #[prop(optional, into)]
    label: Option<String>,
    #[prop(optional, into)] on_press: Option<Callback<()>>,
) -> impl IntoView {
    let press = move |event: leptos::ev::MouseEvent| {
        if busy.get_untracked() || disabled.get_untracked() {
            event.prevent_default();
        } else if let Some(on_press) = on_press {
            on_press.run(());
        }
    };
    let blocked = move || (busy.get() || disabled.get()).then_some("true");
    view! {
        <button
            type=if submit { "submit" } else { "button" }
            class=look.class()
            class:busy=busy
            aria-disabled=blocked
            aria-label=label.clone()
            title=label
            on:click=press
        >
            {children()}
        </button>
    }
    .into_any()
}

/// A link that looks like a button.
#[component]
pub fn LinkButton(children: Children, #[prop(into)] href: String, #[prop(optional)] look: Look) -> impl IntoView {
    view! { <a class=look.class() href=href>{children()}</a> }.into_any()
}
