//! Single messages: found again, followed recipient by recipient, cancelled while they wait.

use api_types::{BOUNCE_CLASSES, Done, Egress, Message, MessageDetail, MessageRecipient, Page, ProviderRow};
use leptos::prelude::*;
use view::message::{sought, standing, to};
use view::number::grouped;
use view::query::with;
use view::tone::{self, RECIPIENT_STATES};
use view::trace::{cut, of_address, was_cut};

use crate::api::use_api;
use crate::load::load;
use crate::nav::{use_id, use_query};
use crate::parts::*;
use crate::submit::Submit;

const FILTERS: [&str; 7] = ["q", "state", "class", "provider", "source", "from", "stream"];
/// Rows of a page.
const ROWS: usize = 50;

#[component]
pub fn Messages() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let [q, state, class, provider, source, from, stream] = FILTERS.map(|name| query.param(name));
    let cursor = query.param("cursor");
    let page = load(move || {
        let sought = sought(&q.get());
        let (state, class, provider, source) = (state.get(), class.get(), provider.get(), source.get());
        let (from, stream, cursor) = (from.get(), stream.get(), cursor.get());
        api.get::<Page<Message>>(with(
            "/messages",
            &[
                ("address", &sought.address),
                ("tag", &sought.tag),
                ("state", &state),
                ("class", &class),
                ("provider", &provider),
                ("source", &source),
                ("from", &from),
                ("stream", &stream),
                ("cursor", &cursor),
            ],
        ))
    })
    .every(10, || true);
    let egress = load(move || api.get::<Egress>("/egress".to_owned()));
    let sources = chosen_among(
        egress.map(|egress| egress.sources.iter().map(|source| source.name.clone()).collect()),
        "Every source",
        source,
    );
    let known = load(move || api.get::<Page<ProviderRow>>("/providers".to_owned()));
    let providers = chosen_among(
        known.map(|known| known.items.iter().map(|provider| provider.name.clone()).collect()),
        "Every provider",
        provider,
    );
    let classes: Vec<Choice> = std::iter::once((String::new(), "Every class".to_owned()))
        .chain(BOUNCE_CLASSES.iter().map(|class| ((*class).to_owned(), tone::words(class))))
        .collect();
    // Where a filter finds little, a page looks at a bounded number of messages.
    let short = page.map(|page| was_cut(page.items.len(), ROWS, page.next.is_some()).then(|| cut(page.items.len())));
    let trace = move || Some(sought(&q.get()).address).filter(|address| !address.is_empty());
    let states: Vec<_> = std::iter::once((String::new(), "Every state".to_owned()))
        .chain(RECIPIENT_STATES.iter().map(|state| ((*state).to_owned(), tone::recipient(state).1)))
        .collect();
    let heads = || {
        vec![
            Head::text("To"),
            Head::text("Subject"),
            Head::text("From"),
            Head::text("State"),
            Head::text("Tags"),
            Head::text("Taken in"),
        ]
    };
    let empty = || {
        view! {
            <Empty title="No message yet" about="Messages that your programs send through the API or by SMTP show up here, each with what happened to every recipient.">
                <LinkButton look=Look::Primary href="/api-keys">"Make an API key"</LinkButton>
            </Empty>
        }
        .into_any()
    };
    view! {
        <PageHeader title="Messages" about="Mail that your programs sent, one by one. Campaigns have their own log."/>
        <Toolbar>
            <Search query label="Recipient's whole address, or a tag"/>
            <FilterBy query param="state" label="State" options=states/>
            <FilterBy query param="class" label="Class of the last answer" options=classes/>
            <FilterBy query param="provider" label="Provider" options=providers/>
            <FilterBy query param="source" label="Source" options=sources/>
        </Toolbar>
        {move || trace().map(|address| view! {
            <p class="muted"><a href=of_address(&address)>"All mail to this address"</a>", campaigns included."</p>
        })}
        {move || short.get().map(|text| view! { <p class="muted" role="status">{text}</p> })}
        {list("Messages", query, page, &FILTERS, heads, row, empty)}
    }
    .into_any()
}

fn row(message: &Message) -> Row {
    let (tone, word) = standing(message);
    let subject = if message.subject.is_empty() { "(no subject)".to_owned() } else { message.subject.clone() };
    Row::new(vec![
        view! { <a href=format!("/messages/{}", message.id)>{to(message)}</a> }.into_any(),
        subject.into_any(),
        message.from.clone().into_any(),
        badge(tone, word),
        tags(&message.tags),
        moment(&message.accepted_at),
    ])
}

fn tags(tags: &[String]) -> AnyView {
    if tags.is_empty() {
        return none();
    }
    let links = tags.iter().map(|tag| view! { <a href=with("/messages", &[("q", tag)])>{chip(tag.clone())}</a>" " });
    links.collect_view().into_any()
}

#[component]
pub fn MessagePage() -> impl IntoView {
    let api = use_api();
    let query = use_query();
    let id = use_id();
    let cursor = query.param("cursor");
    let detail = load(move || {
        let path = format!("/messages/{}", id.get());
        api.get::<MessageDetail>(with(&path, &[("cursor", &cursor.get())]))
    });
    let live = detail.map(|detail| detail.message.live);
    let detail = detail.every(5, move || live.get_untracked());
    let title = detail.title(|detail| match detail.message.subject.as_str() {
        "" => format!("Message {}", detail.message.id),
        subject => subject.to_owned(),
    });
    let cancelling = RwSignal::new(false);
    let ask = Callback::new(move |()| cancelling.set(true));
    let next = Callback::new(move |next: String| query.set(&[("cursor", next)]));
    view! {
        <PageHeader title above=("/messages".to_owned(), "Messages") ready=detail.there()>
            {move || live.get().then(|| view! { <Button look=Look::Danger on_press=ask>"Cancel"</Button> })}
        </PageHeader>
        {detail.show(8, move |detail| view! {
            <Card title="The message">{move || facts(&detail.with(|detail| detail.message.clone()))}</Card>
            {move || detail.with(|detail| recipients(&detail.recipients, next))}
        }.into_any())}
        <CancelDialog open=cancelling id changed=Callback::new(move |()| detail.reload())/>
    }
    .into_any()
}

fn facts(message: &Message) -> AnyView {
    let (tone, word) = standing(message);
    let later = (message.send_at != message.accepted_at)
        .then(|| view! { <dt>"Sent from"</dt><dd>{moment(&message.send_at)}</dd> });
    view! {
        <dl class="facts">
            <dt>"State"</dt><dd>{badge(tone, word)}</dd>
            <dt>"From"</dt><dd>{message.from.clone()}</dd>
            <dt>"To"</dt><dd>{to(message)}</dd>
            <dt>"Stream"</dt><dd>{tone::words(&message.stream)}</dd>
            <dt>"Tags"</dt><dd>{tags(&message.tags)}</dd>
            <dt>"Message-ID"</dt><dd><code>{message.header_id.clone()}</code></dd>
            <dt>"Brought by"</dt><dd>{format!("{} ({})", message.submitter, message.origin.to_uppercase())}</dd>
            <dt>"Size"</dt><dd>{format!("{} bytes", grouped(message.size_bytes))}</dd>
            <dt>"Taken in"</dt><dd>{moment(&message.accepted_at)}</dd>
            {later}
        </dl>
    }
    .into_any()
}

fn recipients(page: &Page<MessageRecipient>, go: Callback<String>) -> AnyView {
    let cards = page.items.iter().map(recipient).collect_view();
    let next = page.next.clone().map(|next| {
        let more = Callback::new(move |()| go.run(next.clone()));
        view! { <div class="actions"><Button on_press=more>"Further recipients"</Button></div> }
    });
    view! { <h2 class="section">"Recipients"</h2>{cards}{next} }.into_any()
}

fn recipient(one: &MessageRecipient) -> AnyView {
    let (tone, word) = tone::recipient(&one.recipient.state);
    let waits = one.recipient.wait_reason.as_deref().map(|reason| chip(tone::words(reason)));
    let link = view! { <a href=format!("/recipients/{}", one.recipient.id)>"All about it"</a> };
    let actions = view! { <span class="actions">{badge(tone, word)}{waits}{link}</span> }.into_any();
    // A card's content lives on its own, so what it needs is made here.
    let happened = timeline(&one.timeline);
    view! { <Card title=one.recipient.address.clone() actions>{happened}</Card> }.into_any()
}

#[component]
fn CancelDialog(open: RwSignal<bool>, id: Memo<i64>, changed: Callback<()>) -> impl IntoView {
    let api = use_api();
    let toasts = use_toasts();
    let submit = Submit::new();
    let cancel = Callback::new(move |()| {
        let id = id.get_untracked();
        submit.run(async move {
            let done: Done = api.act(format!("/messages/{id}/cancel")).await?;
            toasts.good(done.message);
            open.try_set(false);
            changed.run(());
            Ok(())
        });
    });
    view! {
        <ConfirmDialog open title="Cancel this message?" confirm="Cancel the message" busy=submit.busy failure=submit.rest(&[]) on_confirm=cancel>
            <p>"Recipients that it was not sent to yet do not get it. Who has it already keeps it. This cannot be undone."</p>
        </ConfirmDialog>
    }
    .into_any()
}
