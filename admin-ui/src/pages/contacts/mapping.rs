//! What each column of an import becomes, with its first values beside it.

use api_types::{Field as ContactField, Import, ImportColumn, ImportExisting, ImportStart, List, Page};
use leptos::prelude::*;
use view::import::{field_name, problem, tags as split_tags, targets};

use crate::api::use_api;
use crate::load::{Load, load};
use crate::parts::*;
use crate::submit::Submit;

const EXISTING: [(&str, &str, ImportExisting); 3] = [
    ("update", "Set what the file has a value for", ImportExisting::Update),
    ("skip", "Leave them alone", ImportExisting::Skip),
    ("overwrite", "Replace names and fields by what the file has", ImportExisting::Overwrite),
];

#[component]
pub fn Mapping(import: Load<Import>) -> impl IntoView {
    let api = use_api();
    let Some(draft) = import.data.get_untracked() else { return ().into_any() };
    let fields = load(move || api.get::<Page<ContactField>>("/fields".to_owned()));
    let names = fields.map(|page| page.items.iter().map(|field| field.name.clone()).collect::<Vec<_>>());
    let chosen = RwSignal::new(draft.columns.iter().map(|column| column.target.clone()).collect::<Vec<_>>());
    let existing = RwSignal::new("update".to_owned());
    let tags = RwSignal::new(String::new());
    let consent = RwSignal::new(String::new());
    let list = RwSignal::new(String::new());
    let lists = load(move || api.get::<Page<List>>("/lists".to_owned()));
    let list_options = lists.map(|page| {
        let first = (String::new(), "On no list".to_owned());
        let rows = page.items.iter().map(|list| (list.id.to_string(), list.name.clone()));
        std::iter::once(first).chain(rows).collect::<Vec<Choice>>()
    });
    let submit = Submit::new();
    let wrong = Memo::new(move |_| chosen.with(|targets| problem(targets)));
    let id = draft.id;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if wrong.get_untracked().is_some() {
            return;
        }
        let word = existing.get_untracked();
        let existing =
            EXISTING.iter().find(|(name, _, _)| *name == word).map_or(ImportExisting::Update, |(_, _, kind)| *kind);
        let start = ImportStart {
            targets: chosen.get_untracked(),
            existing,
            tags: split_tags(&tags.get_untracked()),
            lists: list.get_untracked().parse().into_iter().collect(),
            consent_source: consent.get_untracked(),
        };
        submit.run(async move {
            api.post::<serde_json::Value>(format!("/imports/{id}/start"), &start).await?;
            import.reload();
            Ok(())
        });
    };
    let options: Vec<Choice> =
        EXISTING.iter().map(|(word, label, _)| ((*word).to_owned(), (*label).to_owned())).collect();
    let rows = draft
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| column_row(index, column, chosen, names))
        .collect::<Vec<_>>();
    let heads = vec![Head::text("Column"), Head::text("First values"), Head::text("Becomes")];
    let count = draft.columns.len();
    view! {
        <form on:submit=send>
            <Card title="What each column becomes">
                <p class="muted">{format!("{count} columns. What becomes a field can be used in segments and as a merge tag.")}</p>
                {table("Columns of the file", heads, rows)}
            </Card>
            <Card title="How to import">
                <div class="narrow">
                    <Field id="existing" label="Contacts that are there already" error=submit.field("existing")>
                        <Select id="existing" value=existing on_choice=Callback::new(move |word| existing.set(word)) options/>
                    </Field>
                    <Field id="tags" label="Tags for every contact of the file" hint="Separated by commas; may stay empty." error=submit.field("tags")>
                        <TextInput id="tags" value=tags/>
                    </Field>
                    <Field id="list" label="List that they are put on" hint="Who has left it stays out of it.">
                        <Select id="list" value=list on_choice=Callback::new(move |id| list.set(id)) options=list_options/>
                    </Field>
                    <Field id="consent_source" label="Where their consent comes from" hint="Kept with each contact; the name of the file when empty." error=submit.field("consent_source")>
                        <TextInput id="consent_source" value=consent/>
                    </Field>
                </div>
                <p class="form-error" role="status">{wrong}</p>
                {form_error(submit.rest(&["existing", "tags", "consent_source"]))}
                <div class="actions"><Button submit=true look=Look::Primary busy=submit.busy disabled=Signal::derive(move || wrong.get().is_some())>"Start the import"</Button></div>
            </Card>
        </form>
    }
    .into_any()
}

fn column_row(index: usize, column: &ImportColumn, chosen: RwSignal<Vec<String>>, names: Memo<Vec<String>>) -> Row {
    let value = Signal::derive(move || chosen.with(|targets| targets.get(index).cloned().unwrap_or_default()));
    let set = Callback::new(move |target: String| {
        chosen.update(|targets| {
            if let Some(old) = targets.get_mut(index) {
                *old = target;
            }
        });
    });
    // A column without a proposal may still become a field of its own name.
    let proposed = match column.target.is_empty() {
        true => format!("attribute:{}", field_name(&column.name)),
        false => column.target.clone(),
    };
    let options = Signal::derive(move || targets(&names.get(), &proposed));
    let samples = column.samples.iter().take(3).map(|sample| view! { <code>{sample.clone()}</code> }).collect_view();
    Row::new(vec![
        view! { <strong>{column.name.clone()}</strong> }.into_any(),
        view! { <span class="samples">{samples}</span> }.into_any(),
        view! { <Select value on_choice=set options label=format!("What column {} becomes", column.name)/> }.into_any(),
    ])
}
