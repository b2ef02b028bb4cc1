//! Who can sign in, and what they may do.

use api_types::{NewUser, Page, Role, User};
use leptos::prelude::*;

use crate::api::{use_api, use_me};
use crate::load::load;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

/// From the one who may least to the one who may most.
const ROLES: [(&str, Role, &str); 4] = [
    ("viewer", Role::Viewer, "Viewer: looks only"),
    ("marketer", Role::Marketer, "Marketer: contacts, templates, campaigns"),
    ("admin", Role::Admin, "Administrator: domains, keys, people too"),
    ("owner", Role::Owner, "Owner: everything"),
];

#[component]
pub fn People() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let page = load(move || api.get::<Page<User>>("/users".to_owned()));
    let adding = RwSignal::new(false);
    let changed = Callback::new(move |()| page.reload());
    let add = Callback::new(move |()| adding.set(true));
    let heads = || vec![Head::text("Name"), Head::text("Mail address"), Head::text("Role"), Head::text("Last sign-in")];
    let row = |user: &User| {
        Row::new(vec![
            if user.name.is_empty() { none() } else { user.name.clone().into_any() },
            user.email.clone().into_any(),
            view::tone::role(user.role).into_any(),
            user.last_sign_in_at.as_deref().map_or_else(|| "never".into_any(), ago),
        ])
    };
    let empty = move || {
        view! { <Empty title="Nobody yet" about="People sign in with their mail address and a password."><span></span></Empty> }
            .into_any()
    };
    view! {
        <PageHeader title="People & roles" about="Who can sign in, and what they may do.">
            <Button look=Look::Primary on_press=add>{icon(Icon::Plus)}"Add a person"</Button>
        </PageHeader>
        {list("People", query, page, &[], heads, row, empty)}
        <AddDialog open=adding changed/>
    }
    .into_any()
}

#[component]
fn AddDialog(open: RwSignal<bool>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let own = use_me().role;
    let (email, name, password) =
        (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let role = RwSignal::new("marketer".to_owned());
    let submit = Submit::new();
    Effect::new(move |_| {
        if open.get() {
            [email, name, password].map(|field| field.set(String::new()));
            submit.failure.set(None);
        }
    });
    let options: Vec<_> = ROLES
        .iter()
        .filter(|(_, role, _)| own.may(*role))
        .map(|(word, _, label)| ((*word).to_owned(), (*label).to_owned()))
        .collect();
    let send = Callback::new(move |()| {
        let chosen = role.get_untracked();
        let role = ROLES.iter().find(|(word, ..)| *word == chosen).map_or(Role::Viewer, |(_, role, _)| *role);
        let new = NewUser {
            email: email.get_untracked(),
            name: name.get_untracked(),
            role,
            password: password.get_untracked(),
        };
        submit.run(async move {
            let user: User = api.post("/users".to_owned(), &new).await?;
            toasts.good(format!("{} can sign in now", user.email));
            open.try_set(false);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <Dialog open title="Add a person">{
            let options = options.clone();
            view! {
                <form on:submit=move |event| { event.prevent_default(); send.run(()); }>
                    <Field id="person-email" label="Mail address" error=submit.field("email")>
                        <TextInput id="person-email" kind="email" value=email required=true focus=true/>
                    </Field>
                    <Field id="person-name" label="Name" hint="As colleagues see it." error=submit.field("name")>
                        <TextInput id="person-name" value=name/>
                    </Field>
                    <Field id="person-role" label="Role" error=submit.field("role")>
                        <Select id="person-role" value=role on_choice=Callback::new(move |word| role.set(word)) options/>
                    </Field>
                    <Field id="person-password" label="First password" hint="At least 10 characters; hand it over on another way than mail." error=submit.field("password")>
                        <TextInput id="person-password" kind="password" value=password required=true autocomplete="new-password"/>
                    </Field>
                    {form_error(submit.rest(&["email", "name", "role", "password"]))}
                    <div class="actions end">
                        <Button on_press=Callback::new(move |()| open.set(false))>"Cancel"</Button>
                        <Button submit=true look=Look::Primary busy=submit.busy>"Add"</Button>
                    </div>
                </form>
            }
        }</Dialog>
    }
    .into_any()
}
