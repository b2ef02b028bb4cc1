//! Where a recipient's content comes from.

use crate::{CampaignId, ContactId, MessageId};
use rusqlite::Row;

/// Where a recipient's content comes from: made for it when it is sent, or submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Rendered from the campaign's template for the contact.
    Campaign {
        /// The campaign.
        campaign: CampaignId,
        /// The contact.
        contact: ContactId,
    },
    /// Submitted by SMTP or HTTP, or by Packetboat itself.
    Message(MessageId),
}

impl Origin {
    /// The campaign, where there is one.
    #[must_use]
    pub fn campaign(self) -> Option<CampaignId> {
        match self {
            Origin::Campaign { campaign, .. } => Some(campaign),
            Origin::Message(_) => None,
        }
    }

    /// The contact, where there is one.
    #[must_use]
    pub fn contact(self) -> Option<ContactId> {
        match self {
            Origin::Campaign { contact, .. } => Some(contact),
            Origin::Message(_) => None,
        }
    }

    /// The submitted message, where it is one.
    #[must_use]
    pub fn message(self) -> Option<MessageId> {
        match self {
            Origin::Campaign { .. } => None,
            Origin::Message(message) => Some(message),
        }
    }

    /// What its tallies are kept under.
    pub(crate) fn tally(self) -> CampaignId {
        self.campaign().unwrap_or(CampaignId::NONE)
    }

    /// Reads the columns campaign_id, contact_id, message_id from `first` on.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Origin> {
        // The schema's CHECK allows one or the other, whole.
        match row.get(first)? {
            Some(campaign) => Ok(Origin::Campaign { campaign, contact: row.get(first + 1)? }),
            None => Ok(Origin::Message(row.get(first + 2)?)),
        }
    }
}
