//! The one filter as sentences that can be edited. Strategies: every rule and group is a signal of its own, so that typing in
//! one never touches another; the whole tree is collected when it changes.

use std::sync::atomic::{AtomicU32, Ordering};

use api_types::{Field, Filter};
use leptos::prelude::*;
use view::filter::{self, Group, Input, Item, Join, Rule};
use view::tone::{self, SUPPRESSION_REASONS};

use super::form::{Choice, Select};
use super::{Button, Icon, Look, icon};

/// The words that rules can be made of.
#[derive(Clone, Copy)]
pub struct Vocabulary {
    /// Fields of contacts.
    pub fields: Signal<Vec<Field>>,
    /// Tags there are.
    pub tags: Signal<Vec<String>>,
    /// Lists: id and name.
    pub lists: Signal<Vec<Choice>>,
    /// Bulk streams, each with the title that it is offered by.
    pub streams: Signal<Vec<Choice>>,
    /// Campaigns: id and name.
    pub campaigns: Signal<Vec<Choice>>,
}

/// A tree being edited.
#[derive(Clone)]
pub struct EditedFilter {
    root: GroupNode,
}

#[derive(Clone)]
struct GroupNode {
    join: ArcRwSignal<Join>,
    nodes: ArcRwSignal<Vec<Node>>,
}

#[derive(Clone)]
struct Node {
    id: u32,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Rule(ArcRwSignal<Rule>),
    Group(GroupNode),
}

impl EditedFilter {
    /// Ready to be edited.
    pub fn new(filter: &Filter) -> EditedFilter {
        EditedFilter { root: GroupNode::new(filter::read(filter)) }
    }

    /// The filter as it stands, or what is missing in it. Tracks every part of the tree.
    pub fn filter(&self, fields: &[Field]) -> Result<Filter, String> {
        filter::write(&self.root.collect(), fields)
    }
}

impl GroupNode {
    fn new(group: Group) -> GroupNode {
        let nodes = group.items.into_iter().map(Node::new).collect();
        GroupNode { join: ArcRwSignal::new(group.join), nodes: ArcRwSignal::new(nodes) }
    }

    fn collect(&self) -> Group {
        let nodes = self.nodes.get();
        let items = nodes.iter().map(|node| match &node.body {
            Body::Rule(rule) => Item::Rule(rule.get()),
            Body::Group(group) => Item::Group(group.collect()),
        });
        Group { join: self.join.get(), items: items.collect() }
    }

    fn add(&self, item: Item) {
        self.nodes.update(|nodes| nodes.push(Node::new(item)));
    }

    fn remove(&self, id: u32) {
        self.nodes.update(|nodes| nodes.retain(|node| node.id != id));
    }
}

impl Node {
    fn new(item: Item) -> Node {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let body = match item {
            Item::Rule(rule) => Body::Rule(ArcRwSignal::new(rule)),
            Item::Group(group) => Body::Group(GroupNode::new(group)),
        };
        Node { id: LAST.fetch_add(1, Ordering::Relaxed), body }
    }
}

/// The editor.
#[component]
pub fn FilterTree(edited: EditedFilter, vocabulary: Vocabulary) -> impl IntoView {
    group_view(edited.root, vocabulary, 0, None)
}

fn group_view(group: GroupNode, vocabulary: Vocabulary, depth: u32, remove: Option<Callback<()>>) -> AnyView {
    let joins = [(Join::All, "all", "all"), (Join::Any, "any", "any"), (Join::None, "none", "none")];
    let join = group.join.clone();
    let shown = Signal::derive(move || {
        let now = join.get();
        joins.iter().find(|(join, _, _)| *join == now).map(|(_, word, _)| (*word).to_owned()).unwrap_or_default()
    });
    let join = group.join.clone();
    let choose = Callback::new(move |word: String| {
        if let Some((chosen, _, _)) = joins.iter().find(|(_, name, _)| *name == word) {
            join.set(*chosen);
        }
    });
    let options: Vec<Choice> = joins.iter().map(|(_, word, label)| ((*word).to_owned(), (*label).to_owned())).collect();
    let nodes = group.nodes.clone();
    let parent = group.clone();
    let row = move |node: Node| {
        let parent = parent.clone();
        let remove = Callback::new(move |()| parent.remove(node.id));
        match node.body {
            Body::Rule(rule) => rule_view(rule, vocabulary, remove),
            Body::Group(group) => group_view(group, vocabulary, depth + 1, Some(remove)),
        }
    };
    let nodes_for_hint = group.nodes.clone();
    let hint = move || {
        nodes_for_hint.with(Vec::is_empty).then_some(if depth == 0 {
            "Without a condition it is every contact."
        } else {
            "No condition yet."
        })
    };
    let with_rule = group.clone();
    let add_rule = Callback::new(move |()| {
        let fields = vocabulary.fields.get_untracked();
        with_rule.add(Item::Rule(Rule::about("email", &fields)));
    });
    let add_group = Callback::new(move |()| {
        let fields = vocabulary.fields.get_untracked();
        let rule = Item::Rule(Rule::about("tag", &fields));
        group.add(Item::Group(Group { join: Join::Any, items: vec![rule] }));
    });
    view! {
        <fieldset class="filter-group">
            <legend class="hidden">{if depth == 0 { "Conditions" } else { "Group of conditions" }}</legend>
            <p class="filter-join">
                {if depth == 0 { "Contacts for whom " } else { "for whom " }}
                <Select value=shown on_choice=choose options label="How many of the conditions hold"/>
                " of these hold:"
            </p>
            <div class="filter-rows">
                <For each=move || nodes.get() key=|node| node.id children=row/>
                <p class="muted">{hint}</p>
            </div>
            <div class="actions">
                <Button look=Look::Ghost on_press=add_rule>{icon(Icon::Plus)}"Condition"</Button>
                {(depth < 4).then(|| view! { <Button look=Look::Ghost on_press=add_group>{icon(Icon::Plus)}"Group"</Button> })}
                {remove.map(|remove| view! { <Button look=Look::Ghost on_press=remove>{icon(Icon::Close)}"Remove group"</Button> })}
            </div>
        </fieldset>
    }
    .into_any()
}

fn rule_view(rule: ArcRwSignal<Rule>, vocabulary: Vocabulary, remove: Callback<()>) -> AnyView {
    let subjects = Signal::derive(move || vocabulary.fields.with(|fields| filter::subjects(fields)));
    let read = rule.clone();
    let subject = Memo::new(move |_| read.with(|rule| rule.subject.clone()));
    let write = rule.clone();
    let about = Callback::new(move |subject: String| {
        let fields = vocabulary.fields.get_untracked();
        write.set(Rule::about(&subject, &fields));
    });
    // Rendered anew only when the rule becomes one of another kind, never while a value is typed.
    let rest = move || {
        match subject.get().as_str() {
        "tag" => tag_rule(&rule, vocabulary),
        "list" => list_rule(&rule, vocabulary),
        "stream" => stream_rule(&rule, vocabulary),
        "unengaged" => view! {
            {yes_no(&rule, "was mailed without a sign of engagement for", "was not mailed without a sign of engagement for")}
            {number_input(&rule, false, "Months")}
            <span>"months"</span>
        }
        .into_any(),
        "suppressed" => suppressed_rule(&rule),
        "soft_bounced" => view! {
            {yes_no(&rule, "refused mail for now at least", "did not refuse mail for now")}
            {number_input(&rule, false, "Times")}
            <span>"times within"</span>
            {number_input(&rule, true, "Days")}
            <span>"days"</span>
        }
        .into_any(),
        "message" => message_rule(&rule, vocabulary),
        "random" => view! {
            {number_input(&rule, false, "Percent")}
            <span>"percent of the contacts, drawn with seed"</span>
            {number_input(&rule, true, "Seed")}
        }
        .into_any(),
        _ => attribute_rule(&rule, vocabulary, subject),
    }
    };
    view! {
        <div class="filter-rule">
            <Select value=subject on_choice=about options=subjects label="What the condition is about"/>
            {rest}
            <button type="button" class="button ghost icon-only" aria-label="Remove condition" title="Remove condition" on:click=move |_| remove.run(())>
                {icon(Icon::Close)}
            </button>
        </div>
    }
    .into_any()
}

/// A choice that turns the rule round.
fn yes_no(rule: &ArcRwSignal<Rule>, yes: &'static str, no: &'static str) -> AnyView {
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| if rule.negated { "no" } else { "yes" }.to_owned()));
    let write = rule.clone();
    let choose = Callback::new(move |word: String| write.update(|rule| rule.negated = word == "no"));
    let options: Vec<Choice> = vec![("yes".to_owned(), yes.to_owned()), ("no".to_owned(), no.to_owned())];
    view! { <Select value=value on_choice=choose options label="Whether it holds"/> }.into_any()
}

fn tag_rule(rule: &ArcRwSignal<Rule>, vocabulary: Vocabulary) -> AnyView {
    let read = rule.clone();
    let options = Signal::derive(move || {
        let chosen = read.with(|rule| rule.value.clone());
        let mut tags = vocabulary.tags.get();
        // A tag that no contact has any more is still part of the filter.
        if !chosen.is_empty() && !tags.contains(&chosen) {
            tags.push(chosen);
        }
        let first = (String::new(), "choose a tag".to_owned());
        std::iter::once(first).chain(tags.into_iter().map(|tag| (tag.clone(), tag))).collect::<Vec<_>>()
    });
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |tag: String| write.update(|rule| rule.value = tag));
    view! { {yes_no(rule, "is", "is not")}<Select value=value on_choice=choose options label="Tag"/> }.into_any()
}

fn suppressed_rule(rule: &ArcRwSignal<Rule>) -> AnyView {
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |reason: String| write.update(|rule| rule.value = reason));
    let any = (String::new(), "for any reason".to_owned());
    let words = SUPPRESSION_REASONS.iter().map(|(word, reason)| {
        ((*word).to_owned(), format!("because: {}", tone::suppression(*reason).1.to_lowercase()))
    });
    let options: Vec<Choice> = std::iter::once(any).chain(words).collect();
    view! {
        {yes_no(rule, "is on the suppression list", "is not on the suppression list")}
        <Select value=value on_choice=choose options label="Reason"/>
    }
    .into_any()
}

fn list_rule(rule: &ArcRwSignal<Rule>, vocabulary: Vocabulary) -> AnyView {
    let read = rule.clone();
    let status = Signal::derive(move || read.with(|rule| rule.second.clone()));
    let write = rule.clone();
    let stand = Callback::new(move |status: String| write.update(|rule| rule.second = status));
    let statuses: Vec<Choice> = vec![
        ("subscribed".to_owned(), "on the list".to_owned()),
        ("left".to_owned(), "among those who left".to_owned()),
    ];
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |id: String| write.update(|rule| rule.value = id));
    let options = Signal::derive(move || {
        let (chosen, mut lists) = (value.get(), vocabulary.lists.get());
        // A list that is deleted is still part of the filter.
        if !chosen.is_empty() && !lists.iter().any(|(id, _)| *id == chosen) {
            lists.push((chosen.clone(), format!("List {chosen}")));
        }
        let first = (String::new(), "choose a list".to_owned());
        std::iter::once(first).chain(lists).collect::<Vec<_>>()
    });
    view! {
        {yes_no(rule, "is", "is not")}
        <Select value=status on_choice=stand options=statuses label="How it stands to the list"/>
        <Select value=value on_choice=choose options label="List"/>
    }
    .into_any()
}

fn stream_rule(rule: &ArcRwSignal<Rule>, vocabulary: Vocabulary) -> AnyView {
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |stream: String| write.update(|rule| rule.value = stream));
    let options = Signal::derive(move || {
        let (chosen, mut streams) = (value.get(), vocabulary.streams.get());
        // A stream that the configuration has no more is still part of the filter.
        if !chosen.is_empty() && !streams.iter().any(|(name, _)| *name == chosen) {
            streams.push((chosen.clone(), chosen));
        }
        let first = (String::new(), "choose a stream".to_owned());
        std::iter::once(first).chain(streams).collect::<Vec<_>>()
    });
    view! {
        {yes_no(rule, "wants no mail of", "has not left")}
        <Select value=value on_choice=choose options label="Stream"/>
    }
    .into_any()
}

fn message_rule(rule: &ArcRwSignal<Rule>, vocabulary: Vocabulary) -> AnyView {
    let read = rule.clone();
    let action = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let act = Callback::new(move |action: String| write.update(|rule| rule.value = action));
    let actions: Vec<Choice> =
        filter::ACTIONS.iter().map(|(word, label)| ((*word).to_owned(), (*label).to_owned())).collect();
    let read = rule.clone();
    let campaign = Signal::derive(move || read.with(|rule| rule.campaign.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |campaign: String| write.update(|rule| rule.campaign = campaign));
    let campaigns = Signal::derive(move || {
        let any = (String::new(), "any campaign".to_owned());
        std::iter::once(any).chain(vocabulary.campaigns.get()).collect::<Vec<_>>()
    });
    view! {
        {yes_no(rule, "contact", "not: contact")}
        <Select value=action on_choice=act options=actions label="What happened"/>
        <Select value=campaign on_choice=choose options=campaigns label="Campaign"/>
        <span>"within the last"</span>
        {number_input(rule, true, "Days; empty for ever")}
        <span>"days"</span>
    }
    .into_any()
}

fn attribute_rule(rule: &ArcRwSignal<Rule>, vocabulary: Vocabulary, subject: Memo<String>) -> AnyView {
    let kind = Memo::new(move |_| {
        let subject = subject.get();
        vocabulary.fields.with(|fields| filter::kind(&subject, fields))
    });
    let read = rule.clone();
    let op = Memo::new(move |_| read.with(|rule| rule.op));
    let value = Signal::derive(move || filter::op_word(op.get()));
    let write = rule.clone();
    let choose = Callback::new(move |word: String| write.update(|rule| rule.op = filter::op_of(&word)));
    let options = Signal::derive(move || {
        let operators = filter::operators(kind.get()).into_iter();
        operators.map(|(op, label)| (filter::op_word(op), label.to_owned())).collect::<Vec<Choice>>()
    });
    let input = Memo::new(move |_| filter::input(kind.get(), op.get()));
    let rule = rule.clone();
    let values = move || {
        match input.get() {
        Input::Nothing => ().into_any(),
        Input::Text => text_input(&rule, false, "text", "Value"),
        Input::Number => number_input(&rule, false, "Value"),
        Input::Date => text_input(&rule, false, "date", "Date"),
        Input::List => view! { {text_input(&rule, false, "text", "Values, separated by commas")}<span class="muted">"separated by commas"</span> }.into_any(),
        Input::Days => view! { {number_input(&rule, false, "Days")}<span>"days"</span> }.into_any(),
        Input::TwoNumbers => view! { {number_input(&rule, false, "From")}<span>"and"</span>{number_input(&rule, true, "To")} }.into_any(),
        Input::TwoDates => view! { {text_input(&rule, false, "date", "From")}<span>"and"</span>{text_input(&rule, true, "date", "To")} }.into_any(),
        Input::YesNo => truth(&rule),
    }
    };
    view! { <Select value=value on_choice=choose options label="How it is compared"/>{values} }.into_any()
}

fn truth(rule: &ArcRwSignal<Rule>) -> AnyView {
    let read = rule.clone();
    let value = Signal::derive(move || read.with(|rule| rule.value.clone()));
    let write = rule.clone();
    let choose = Callback::new(move |word: String| write.update(|rule| rule.value = word));
    let options: Vec<Choice> = vec![("true".to_owned(), "yes".to_owned()), ("false".to_owned(), "no".to_owned())];
    view! { <Select value=value on_choice=choose options label="Value"/> }.into_any()
}

fn number_input(rule: &ArcRwSignal<Rule>, second: bool, label: &'static str) -> AnyView {
    text_input(rule, second, "number", label)
}

fn text_input(rule: &ArcRwSignal<Rule>, second: bool, kind: &'static str, label: &'static str) -> AnyView {
    let read = rule.clone();
    let value = move || read.with(|rule| if second { rule.second.clone() } else { rule.value.clone() });
    let write = rule.clone();
    let typed = move |text: String| {
        write.update(|rule| if second { rule.second = text } else { rule.value = text });
    };
    view! {
        <input class="input" class:short=kind == "number" type=kind step="any" aria-label=label autocomplete="off" spellcheck="false"
            prop:value=value on:input:target=move |event| typed(event.target().value())/>
    }
    .into_any()
}
