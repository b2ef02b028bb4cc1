//! Paste a reply, see what it means and what would follow.

use api_types::{JudgedReply, TestReply};
use leptos::prelude::*;
use view::shaping::decided_by;
use view::tone;

use crate::api::use_api;
use crate::nav::use_query;
use crate::parts::*;
use crate::submit::Submit;

/// What a reply may answer, with the word for people.
const STAGES: [(&str, &str); 7] = [
    ("message", "To the message"),
    ("rcpt", "To RCPT TO"),
    ("mail", "To MAIL FROM"),
    ("data", "To DATA"),
    ("hello", "To EHLO"),
    ("greeting", "As the greeting"),
    ("report", "In a report that came back"),
];

#[component]
pub fn RuleTester(names: Memo<Vec<String>>) -> impl IntoView {
    let api = use_api();
    // A link may bring the words along.
    let given = |name| use_query().param(name).get_untracked();
    let reply = RwSignal::new(given("reply"));
    let known = |word: &String| STAGES.iter().any(|(stage, _)| stage == word);
    let stage = RwSignal::new(Some(given("stage")).filter(known).unwrap_or_else(|| "message".to_owned()));
    let provider = RwSignal::new(given("at"));
    let judged = RwSignal::new(None::<JudgedReply>);
    let submit = Submit::new();
    let judge = move || {
        let input = TestReply {
            reply: reply.get_untracked(),
            stage: Some(stage.get_untracked()),
            provider: Some(provider.get_untracked()),
        };
        submit.run(async move {
            let answer = api.post::<JudgedReply>("/rules/test".to_owned(), &input).await?;
            judged.try_set(Some(answer));
            Ok(())
        });
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        judge();
    };
    if !reply.with_untracked(String::is_empty) {
        judge();
    }
    let providers = Signal::derive(move || {
        let any = (String::new(), "Any provider".to_owned());
        std::iter::once(any).chain(names.get().into_iter().map(|name| (name.clone(), name))).collect::<Vec<_>>()
    });
    let stages: Vec<_> = STAGES.iter().map(|(word, name)| ((*word).to_owned(), (*name).to_owned())).collect();
    let choose_provider = Callback::new(move |name: String| provider.set(name));
    let choose_stage = Callback::new(move |word: String| stage.set(word));
    view! {
        <form on:submit=send>
            <Field id="reply" label="The server's words" hint="With the code, for example 421 4.7.28 and the text. Nothing is sent or changed." error=submit.field("reply")>
                <TextInput id="reply" value=reply required=true mono=true/>
            </Field>
            <div class="toolbar">
                <Select value=provider on_choice=choose_provider options=providers label="Provider"/>
                <Select value=stage on_choice=choose_stage options=stages label="What it answers"/>
                <Button submit=true look=Look::Primary busy=submit.busy>"What follows?"</Button>
            </div>
            {form_error(submit.rest(&["reply"]))}
        </form>
        <div role="status">{move || judged.get().map(|judged| answer(&judged))}</div>
    }
    .into_any()
}

fn answer(judged: &JudgedReply) -> AnyView {
    let text = |text: &Option<String>| text.clone().map_or_else(none, IntoAny::into_any);
    let class = judged.class.as_deref().map_or_else(none, |class| {
        let kind = judged.kind.clone().map(|kind| format!(" ({kind})")).unwrap_or_default();
        let rule = judged.class_rule.clone().map(chip);
        let by = judged.class_by.as_deref().map(decided_by);
        view! { <span class="chips">{tone::words(class)}{kind}{rule}{by}</span> }.into_any()
    });
    let rule = judged.rule.clone().map_or_else(none, chip);
    view! {
        <dl class="facts">
            <dt>"Meaning"</dt><dd>{class}</dd>
            <dt>"The recipient"</dt><dd>{judged.recipient.clone()}</dd>
            <dt>"Rule"</dt><dd>{rule}</dd>
            <dt>"What else follows"</dt><dd>{text(&judged.effect)}</dd>
            <dt>"What you would be told"</dt><dd>{text(&judged.alarm)}</dd>
        </dl>
    }
    .into_any()
}
