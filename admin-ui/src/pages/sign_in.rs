//! Signing in: with a password, or with the one-time link from the terminal.

use api_types::{SignIn as Credentials, SignInLink};
use leptos::prelude::*;
use view::query::safe_next;

use crate::api::{self, Failure, Link};
use crate::nav::{use_nav, use_query};
use crate::parts::{Button, Field, Look, PageHeader, TextInput, form_error};
use crate::submit::Submit;

#[component]
pub fn SignIn() -> impl IntoView {
    let link = expect_context::<Link>();
    let nav = use_nav();
    let query = use_query();
    let (token, next) = (query.param("token").get_untracked(), query.param("next").get_untracked());
    let email = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let submit = Submit::new();
    let enter = move |me| {
        link.me.set(Some(Some(me)));
        nav.replace(&safe_next(&next));
    };
    let by_link = submit;
    if !token.is_empty() {
        let enter = enter.clone();
        by_link.run(async move {
            enter(api::sign_in(link, "/session/link", &SignInLink { token }).await?);
            Ok::<(), Failure>(())
        });
    }
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let credentials = Credentials { email: email.get_untracked(), password: password.get_untracked() };
        let enter = enter.clone();
        submit.run(async move {
            enter(api::sign_in(link, "/session", &credentials).await?);
            Ok(())
        });
    };
    view! {
        <main class="alone">
            <form class="card sign-in" on:submit=send>
                <span class="brand-mark large" aria-hidden="true"></span>
                <PageHeader title="Sign in" about="Packetboat carries your mail on schedule."/>
                <Field id="email" label="Email address" error=submit.field("email")>
                    <TextInput id="email" value=email kind="email" required=true autocomplete="username" focus=true/>
                </Field>
                <Field id="password" label="Password" error=submit.field("password")>
                    <TextInput id="password" value=password kind="password" required=true autocomplete="current-password"/>
                </Field>
                {form_error(submit.rest(&["email", "password"]))}
                <Button submit=true look=Look::Primary busy=submit.busy>"Sign in"</Button>
                <p class="muted">"No password yet? "<code>"packetboat user link you@example.com"</code>" on the server makes a link that signs you in once."</p>
            </form>
        </main>
    }
    .into_any()
}
