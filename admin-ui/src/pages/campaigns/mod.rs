//! Campaigns: the list, the wizard, the live page, the recipient log.

mod actions;
mod checklist;
mod figures;
mod list;
mod live;
mod log;
mod wizard;

pub use list::Campaigns;
pub use live::CampaignPage;
pub use log::CampaignRecipients;
pub use wizard::{EditCampaign, NewCampaign};
