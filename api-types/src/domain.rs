//! Sending domains: records, keys and their rotation, what mailbox providers demand.
//!
//! `GET, POST /api/v1/domains` · `GET, DELETE /api/v1/domains/{id}` · `POST /api/v1/domains/{id}/verify` ·
//! `POST /api/v1/domains/{id}/rotate` · `PUT /api/v1/domains/{id}/schedule` ·
//! `POST /api/v1/domains/{id}/keys/{key}/sign_anyway` · `DELETE /api/v1/domains/{id}/keys/{key}`

use serde::{Deserialize, Serialize};

use crate::Time;

/// A domain that mail is sent from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SendingDomain {
    /// Id.
    pub id: i64,
    /// The name.
    pub domain: String,
    /// Domain of the return path.
    pub return_path_domain: String,
    /// When added.
    pub created_at: Time,
    /// When its records were last looked up.
    pub checked_at: Option<Time>,
    /// When they are looked up next.
    pub next_check_at: Time,
    /// Required and recommended records found as wanted.
    pub records_ok: u32,
    /// Required and recommended records in all.
    pub records_total: u32,
    /// How it stands as a whole.
    pub health: DomainHealth,
    /// Why, for people.
    pub health_reason: String,
    /// New keys every so many days; by hand only when absent.
    pub rotate_every_days: Option<u32>,
}

/// How a sending domain stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainHealth {
    /// Its records were never looked up.
    Unchecked,
    /// Every required record is as wanted, and mail is signed.
    Good,
    /// Something is to be done, or could not be found out.
    Attention,
    /// Required records are missing or wrong.
    Broken,
    /// No key may sign: nothing is sent from it.
    CannotSign,
}

/// A new sending domain; keys are made with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewDomain {
    /// The name.
    pub domain: String,
}

/// A sending domain with everything about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DomainDetail {
    /// The domain.
    pub domain: SendingDomain,
    /// The records.
    pub records: Vec<DomainRecord>,
    /// The signing keys, in the order in which they were made.
    pub keys: Vec<DomainKey>,
    /// What the large mailbox providers demand of it.
    pub requirements: Vec<ProviderRequirements>,
    /// What happened to it, newest first; at most 50.
    pub events: Vec<DomainEvent>,
}

/// A record to publish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DomainRecord {
    /// What it is for, for example "DKIM key (RSA)".
    pub purpose: String,
    /// How much mail suffers without it.
    pub need: RecordNeed,
    /// `TXT`, `MX`, `CNAME`, `A`, `PTR`.
    pub kind: String,
    /// Full name.
    pub name: String,
    /// Value as wanted.
    pub wanted: String,
    /// The same as a zone file has it: texts quoted and cut into strings, names with a dot at the end.
    pub zone_value: String,
    /// Values found at the last look-up.
    pub found: Vec<String>,
    /// How it stands.
    pub status: RecordStatus,
    /// What differs, or what to do.
    pub message: String,
}

/// How much a record is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordNeed {
    /// Mail is refused or distrusted without it.
    Required,
    /// It does good.
    Recommended,
    /// A matter of taste.
    Optional,
}

/// How a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RecordStatus {
    /// Not looked up yet.
    Unchecked,
    /// As wanted.
    Found,
    /// Not there.
    Missing,
    /// There, but different.
    Differs,
    /// The look-up failed for now.
    Failed,
}

/// A signing key of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DomainKey {
    /// Id.
    pub id: i64,
    /// Selector.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// When made.
    pub created_at: Time,
    /// Where it is in its life.
    pub step: KeyStep,
    /// Since when.
    pub step_at: Time,
    /// When its record was seen.
    pub seen_at: Option<Time>,
    /// When it began to sign.
    pub active_at: Option<Time>,
    /// When a newer key took over.
    pub replaced_at: Option<Time>,
    /// When its record was to be emptied.
    pub retired_at: Option<Time>,
    /// When the record was seen empty or gone.
    pub revoked_at: Option<Time>,
    /// From when on it may be removed.
    pub removable_at: Option<Time>,
    /// Since when its record has been missing, where it should be visible.
    pub missing_since: Option<Time>,
    /// Who let it sign without waiting for its record.
    pub forced_by: Option<String>,
    /// When that was.
    pub forced_at: Option<Time>,
    /// What comes next, or what to do.
    pub next: String,
    /// When the present step ends by itself.
    pub next_at: Option<Time>,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyStep {
    /// Made; its record is not visible yet.
    Waiting,
    /// Its record is visible; it signs as soon as old answers are forgotten.
    Seen,
    /// It signs.
    Active,
    /// A newer key signs; the record stays for mail under way.
    Replaced,
    /// Its record is to be emptied.
    Retired,
    /// The record is empty or gone.
    Revoked,
    /// Record and key may be removed.
    Removable,
}

impl KeyStep {
    /// Every step, in order.
    pub const ALL: [KeyStep; 7] = [
        KeyStep::Waiting,
        KeyStep::Seen,
        KeyStep::Active,
        KeyStep::Replaced,
        KeyStep::Retired,
        KeyStep::Revoked,
        KeyStep::Removable,
    ];
}

/// How often new keys are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotationSchedule {
    /// Every so many days, 7 to 3650; by hand only when absent.
    pub every_days: Option<u32>,
}

/// What a mailbox provider demands of bulk senders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderRequirements {
    /// The provider.
    pub provider: String,
    /// Its own page about it.
    pub page: String,
    /// Each demand.
    pub requirements: Vec<Requirement>,
}

/// One demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Requirement {
    /// The demand in words.
    pub wants: String,
    /// Whether it is met.
    pub met: RequirementMet,
    /// Why, or what to do.
    pub why: String,
}

/// Whether a demand is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RequirementMet {
    /// Yes.
    Met,
    /// No.
    NotMet,
    /// Packetboat cannot tell.
    NotCheckable,
}

/// Something that happened to a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DomainEvent {
    /// When.
    pub at: Time,
    /// What kind of thing.
    pub kind: DomainEventKind,
    /// What, for people.
    pub text: String,
    /// Who did it, when a person did.
    pub actor: Option<String>,
}

/// What kind of thing happened to a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DomainEventKind {
    /// The domain was added.
    Added,
    /// New keys were made.
    Rotation,
    /// A key took a step.
    Key,
    /// Somebody let a key sign without its record.
    Forced,
    /// A record that was there is gone or wrong.
    Lost,
    /// A record that was gone is there again.
    Back,
    /// The schedule of rotation was changed.
    Schedule,
    /// A key was removed.
    Removed,
}

impl DomainEventKind {
    /// Every kind.
    pub const ALL: [DomainEventKind; 8] = [
        DomainEventKind::Added,
        DomainEventKind::Rotation,
        DomainEventKind::Key,
        DomainEventKind::Forced,
        DomainEventKind::Lost,
        DomainEventKind::Back,
        DomainEventKind::Schedule,
        DomainEventKind::Removed,
    ];
}
