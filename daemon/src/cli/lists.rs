//! `packetboat lists`.

use super::client::Client;
use api_types::{ContactList, ContactListsInput, Done, List, ListInput, ListStatus, Page};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum ListsCommand {
    /// Shows all lists.
    List,
    /// Makes a list.
    Create {
        /// Its name.
        name: String,
        /// What the preference centre says below the name.
        #[arg(long, default_value = "")]
        description: String,
        /// The preference centre does not offer it.
        #[arg(long)]
        hidden: bool,
        /// Contacts that are added one by one are put on it.
        #[arg(long)]
        default: bool,
    },
    /// Deletes a list; its contacts stay.
    Delete {
        /// The id, as `packetboat lists list` shows it.
        id: i64,
    },
    /// Shows how a contact stands to every list, or puts it on lists and takes it off the others.
    Contact {
        /// The contact's id.
        id: i64,
        /// A list to be on, by its id; may be repeated.
        #[arg(long = "on", value_name = "LIST")]
        on: Vec<i64>,
        /// On no list at all.
        #[arg(long, conflicts_with = "on")]
        none: bool,
    },
}

pub(crate) async fn run(client: &Client, command: ListsCommand) -> anyhow::Result<()> {
    match command {
        ListsCommand::List => {
            let page: Page<List> = client.get("/lists").await?;
            page.items.iter().for_each(show);
        }
        ListsCommand::Create { name, description, hidden, default } => {
            let input = ListInput { name, description, public: !hidden, default };
            show(&client.post("/lists", &input).await?);
        }
        ListsCommand::Delete { id } => {
            let done: Done = client.delete(&format!("/lists/{id}")).await?;
            println!("{}", done.message);
        }
        ListsCommand::Contact { id, on, none } => {
            let path = format!("/contacts/{id}/lists");
            let page: Page<ContactList> = match on.is_empty() && !none {
                true => client.get(&path).await?,
                false => client.put(&path, &ContactListsInput { lists: on }).await?,
            };
            page.items.iter().for_each(show_standing);
        }
    }
    Ok(())
}

fn show(list: &List) {
    let marks = [(!list.public, "hidden"), (list.default, "for new contacts")];
    let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    println!("{:>4}  {}  {} on it, {} left  {}", list.id, list.name, list.subscribed, list.left, marks.join(", "));
}

fn show_standing(list: &ContactList) {
    let status = match list.status {
        Some(ListStatus::Subscribed) => "on it",
        Some(ListStatus::Left) => "left",
        None => "not on it",
    };
    println!("{:>4}  {}  {status} {}", list.id, list.name, list.since.as_deref().unwrap_or_default());
}
