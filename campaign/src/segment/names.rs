//! The names of what conditions mention by number.

use api_types::Filter;
use std::collections::BTreeMap;
use storage::{CampaignId, Connection, ListId, StorageError, WorkspaceId, campaign, list};

/// Lists and campaigns by number. One that is deleted has no name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    lists: BTreeMap<i64, String>,
    campaigns: BTreeMap<i64, String>,
}

impl Names {
    /// Of everything that the conditions mention.
    ///
    /// # Errors
    /// The database's.
    pub fn of<'f>(
        c: &Connection,
        workspace: WorkspaceId,
        filters: impl Iterator<Item = &'f Filter>,
    ) -> Result<Names, StorageError> {
        let mut names = Names::default();
        let mut open: Vec<&Filter> = filters.collect();
        while let Some(filter) = open.pop() {
            match filter {
                Filter::And { filters } | Filter::Or { filters } => open.extend(filters),
                Filter::Not { filter } => open.push(filter),
                Filter::List { id, .. } if !names.lists.contains_key(id) => {
                    let found = list::find(c, workspace, ListId(*id))?;
                    names.lists.extend(found.map(|list| (*id, list.draft.name)));
                }
                Filter::Message { campaign_id: Some(id), .. } if !names.campaigns.contains_key(id) => {
                    let found = campaign::find(c, workspace, CampaignId(*id))?;
                    names.campaigns.extend(found.map(|campaign| (*id, campaign.draft.name)));
                }
                _ => {}
            }
        }
        Ok(names)
    }

    /// A list in a sentence.
    pub(super) fn list(&self, id: i64) -> String {
        called("list", self.lists.get(&id), id)
    }

    /// A campaign in a sentence.
    pub(super) fn campaign(&self, id: i64) -> String {
        called("campaign", self.campaigns.get(&id), id)
    }

    #[cfg(test)]
    pub(super) fn for_test() -> Names {
        Names { lists: [(3, "News".to_owned())].into(), campaigns: [(4, "Spring".to_owned())].into() }
    }
}

fn called(what: &str, name: Option<&String>, id: i64) -> String {
    match name {
        Some(name) if !name.is_empty() => format!("the {what} “{name}”"),
        _ => format!("{what} {id}, which is deleted"),
    }
}
