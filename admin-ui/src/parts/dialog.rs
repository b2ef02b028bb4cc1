//! Dialogs: the browser's own `dialog`, which keeps the focus inside, closes on Esc and gives the focus back.

use leptos::html;
use leptos::prelude::*;

use super::{Button, Look};

/// A dialog with a heading. Its content exists only while it is open.
#[component]
pub fn Dialog(open: RwSignal<bool>, #[prop(into)] title: Signal<String>, children: ChildrenFn) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let body = move || open.get().then(|| children());
    view! {
        <dialog node_ref=node class="dialog" aria-label=title on:close=move |_| open.set(false)>
            <h2>{title}</h2>
            {body}
        </dialog>
    }
    .into_any()
}

/// Whether the dialog about `subject` is open: as long as there is one. Closing the dialog forgets it.
pub fn open_for<T: Send + Sync + 'static>(subject: RwSignal<Option<T>>) -> RwSignal<bool> {
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        let wanted = subject.with(Option::is_some);
        // Setting what is set already would wake the other effect, and that one this, for ever.
        if open.get_untracked() != wanted {
            open.set(wanted);
        }
    });
    Effect::new(move |_| {
        if !open.get() && subject.with_untracked(Option::is_some) {
            subject.set(None);
        }
    });
    open
}

/// Asks before something is done. With `type_name` the name has to be typed, for what cannot be undone.
#[component]
pub fn ConfirmDialog(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    /// The word on the button that does it.
    #[prop(into)]
    confirm: Signal<String>,
    #[prop(optional, into)] type_name: Signal<String>,
    #[prop(optional, into)] busy: Signal<bool>,
    #[prop(optional, into)] failure: Signal<Option<String>>,
    /// How the button looks; danger unless said otherwise.
    #[prop(default = Look::Danger)]
    look: Look,
    on_confirm: Callback<()>,
    /// What will happen, and what will be lost.
    children: ChildrenFn,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    Effect::new(move |_| {
        if open.get() {
            typed.set(String::new());
        }
    });
    let blocked = Signal::derive(move || {
        let name = type_name.get();
        !name.is_empty() && typed.get().trim() != name.trim()
    });
    let children = StoredValue::new(children);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !blocked.get_untracked() && !busy.get_untracked() {
            on_confirm.run(());
        }
    };
    view! {
        <Dialog open title>
            <form on:submit=send>
                <div class="dialog-body">{move || children.with_value(|children| children())}</div>
                {move || (!type_name.get().is_empty()).then(|| view! {
                    <label class="field">
                        <span class="field-label">"Type "<strong>{type_name}</strong>" to confirm"</span>
                        <input type="text" class="input" autocomplete="off" spellcheck="false"
                            prop:value=typed on:input:target=move |event| typed.set(event.target().value())/>
                    </label>
                })}
                {move || failure.get().map(|failure| view! { <p class="form-error" role="alert">{failure}</p> })}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Keep as it is"</Button>
                    <Button submit=true look busy disabled=blocked>{confirm}</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}
