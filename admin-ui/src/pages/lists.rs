//! Lists that people subscribe to: made, changed, deleted; how many are on each and left it.

use api_types::{List, ListInput, Page};
use leptos::prelude::*;
use view::tone::Tone;

use crate::api::{use_api, use_me};
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

#[component]
pub fn Lists() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let may_change = use_me().role.may(api_types::Role::Marketer);
    let page = load(move || api.get::<Page<List>>("/lists".to_owned()));
    let editing = RwSignal::new(None::<Option<List>>);
    let deleting = RwSignal::new(None::<List>);
    let changed = Callback::new(move |()| page.reload());
    let add = Callback::new(move |()| editing.set(Some(None)));
    let heads = || {
        vec![
            Head::text("Name"),
            Head::text("What people read"),
            Head::number("On it"),
            Head::number("Left it"),
            Head::text(""),
        ]
    };
    let row = move |row: &List| list_row(row, may_change, editing, deleting);
    let empty = move || {
        view! {
            <Empty title="No list yet" about="People subscribe to lists and leave them in the preference centre. A campaign that belongs to one goes to those who are on it.">
                {may_change.then(|| view! { <Button look=Look::Primary on_press=add>"Make a list"</Button> })}
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Lists" about="What people can subscribe to and leave, one by one.">
            {may_change.then(|| view! { <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Make a list"</Button> })}
        </PageHeader>
        {list("Lists", query, page, &[], heads, row, empty)}
        <EditDialog editing changed/>
        <DeleteDialog deleting changed/>
    }
    .into_any()
}

fn list_row(
    row: &List,
    may_change: bool,
    editing: RwSignal<Option<Option<List>>>,
    deleting: RwSignal<Option<List>>,
) -> Row {
    let (edited, deleted) = (row.clone(), row.clone());
    let on_edit = Callback::new(move |()| editing.set(Some(Some(edited.clone()))));
    let on_delete = Callback::new(move |()| deleting.set(Some(deleted.clone())));
    let marks = [(!row.public, "Hidden"), (row.default, "For new contacts")];
    let marks = marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| badge(Tone::Neutral, word));
    let name = row.name.clone();
    let actions = move || {
        view! {
            <Button look=Look::Ghost on_press=on_edit label=format!("Edit {name}")>"Edit"</Button>
            <Button look=Look::Ghost on_press=on_delete label=format!("Delete {name}")>"Delete"</Button>
        }
        .into_any()
    };
    Row::new(vec![
        view! { <span class="chips">{row.name.clone()}{marks.collect_view()}</span> }.into_any(),
        if row.description.is_empty() { none() } else { row.description.clone().into_any() },
        figure(row.subscribed),
        figure(row.left),
        if may_change { actions() } else { ().into_any() },
    ])
}

#[component]
fn EditDialog(editing: RwSignal<Option<Option<List>>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(editing);
    let [name, description] = [(); 2].map(|()| RwSignal::new(String::new()));
    let [public, default] = [(); 2].map(|()| RwSignal::new(true));
    let submit = Submit::new();
    let title = Memo::new(move |_| match editing.with(|list| matches!(list, Some(Some(_)))) {
        true => "Edit the list".to_owned(),
        false => "Make a list".to_owned(),
    });
    Effect::new(move |_| {
        let Some(list) = editing.get() else { return };
        name.set(list.as_ref().map(|list| list.name.clone()).unwrap_or_default());
        description.set(list.as_ref().map(|list| list.description.clone()).unwrap_or_default());
        public.set(list.as_ref().is_none_or(|list| list.public));
        default.set(list.as_ref().is_some_and(|list| list.default));
        submit.failure.set(None);
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(list) = editing.get_untracked() else { return };
        let input = ListInput {
            name: name.get_untracked(),
            description: description.get_untracked(),
            public: public.get_untracked(),
            default: default.get_untracked(),
        };
        submit.run(async move {
            let saved: List = match list {
                Some(list) => api.put(format!("/lists/{}", list.id), &input).await?,
                None => api.post("/lists".to_owned(), &input).await?,
            };
            toasts.good(format!("{} is saved", saved.name));
            editing.try_set(None);
            changed.run(());
            Ok(())
        });
    };
    view! {
        <Dialog open title>
            <form on:submit=send>
                <Field id="list-name" label="Name" hint="People read it in the preference centre." error=submit.field("name")>
                    <TextInput id="list-name" value=name required=true focus=true/>
                </Field>
                <Field id="list-description" label="What it is" hint="One sentence below the name; may stay empty." error=submit.field("description")>
                    <TextInput id="list-description" value=description/>
                </Field>
                <Check label="People can join and leave it in the preference centre" checked=public on_change=Callback::new(move |on| public.set(on))/>
                <Check label="Contacts that are added one by one are put on it" checked=default on_change=Callback::new(move |on| default.set(on))/>
                {form_error(submit.rest(&["name", "description"]))}
                <div class="actions end">
                    <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                    <Button submit=true look=Look::Primary busy=submit.busy>"Save"</Button>
                </div>
            </form>
        </Dialog>
    }
    .into_any()
}

#[component]
fn DeleteDialog(deleting: RwSignal<Option<List>>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let open = open_for(deleting);
    let submit = Submit::new();
    let name = move || deleting.with(|list| list.as_ref().map(|list| list.name.clone()).unwrap_or_default());
    let confirmed = Callback::new(move |()| {
        let Some(list) = deleting.get_untracked() else { return };
        submit.run(async move {
            api.delete(format!("/lists/{}", list.id)).await?;
            toasts.good("The list is deleted");
            deleting.try_set(None);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="Delete this list?" confirm="Delete" type_name=Signal::derive(name) busy=submit.busy failure=submit.rest(&[]) on_confirm=confirmed>
            <p>"Its contacts stay, but who was on it and who left it is forgotten. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}
