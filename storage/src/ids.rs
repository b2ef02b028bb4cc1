//! Row ids as types, so that a contact is never looked up under a campaign's number.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                i64::column_result(value).map($name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

ids! {
    /// A tenant.
    WorkspaceId
    /// A person who signs in.
    UserId
    /// An API key.
    ApiKeyId
    /// What a program submits mail with.
    CredentialId
    /// A person that mail is sent to.
    ContactId
    /// A file being imported.
    ImportId
    /// A list that people subscribe to.
    ListId
    /// A named filter.
    SegmentId
    /// A template.
    TemplateId
    /// One immutable version of a template.
    TemplateVersionId
    /// A mailing.
    CampaignId
    /// A submitted message.
    MessageId
    /// One RCPT TO with its own state.
    RecipientId
    /// A sending domain.
    DomainId
    /// A signing key.
    DkimKeyId
    /// A row of the suppression list.
    SuppressionId
    /// Something that the engine does by itself.
    AutomationId
    /// A kill switch.
    PauseId
    /// An action on many recipients.
    JobId
    /// An address that recipients answer to.
    ReplyAddressId
    /// An answer that came to one.
    ReplyId
    /// Where what happens is told to.
    WebhookId
    /// A journey.
    JourneyId
    /// A contact's way through one.
    RunId
}

impl WorkspaceId {
    /// The workspace that every installation begins with.
    pub const MAIN: WorkspaceId = WorkspaceId(1);
    /// What belongs to the installation is kept under this.
    pub const NONE: WorkspaceId = WorkspaceId(0);
}

impl CampaignId {
    /// What the tallies of submitted mail, which belongs to no campaign, are kept under.
    pub const NONE: CampaignId = CampaignId(0);
}
