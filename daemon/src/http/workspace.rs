//! The workspace's own settings.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::Json;
use api_types::WorkspaceSettings;
use axum::extract::State;
use storage::workspace::{self, Workspace};

/// Longest name, in characters.
const NAME_MAX: usize = 100;
/// Longest postal address, in characters.
const POSTAL_ADDRESS_MAX: usize = 500;

/// Name, time zone and postal address of the workspace.
#[utoipa::path(get, path = "/api/v1/workspace", tag = "workspace", responses((status = 200, body = WorkspaceSettings)))]
pub(crate) async fn show(State(app): State<Shared>, actor: Actor) -> Result<Json<WorkspaceSettings>, ApiError> {
    let row = app.storage.read(move |c| workspace::find(c, actor.workspace)).await?;
    let row = row.ok_or_else(|| ApiError::not_found("workspace"))?;
    let Workspace { name, time_zone, postal_address, .. } = row;
    Ok(Json(WorkspaceSettings { name, time_zone, postal_address }))
}

/// Replaces name, time zone and postal address. Campaigns under way use the new address within a minute.
#[utoipa::path(put, path = "/api/v1/workspace", tag = "workspace", request_body = WorkspaceSettings,
    responses((status = 200, body = WorkspaceSettings)))]
pub(crate) async fn update(
    State(app): State<Shared>,
    actor: Actor,
    Json(input): Json<WorkspaceSettings>,
) -> Result<Json<WorkspaceSettings>, ApiError> {
    let settings = checked(input)?;
    let WorkspaceSettings { name, time_zone, postal_address } = settings.clone();
    let row = Workspace { id: actor.workspace, name, time_zone, postal_address };
    app.storage.main().write(move |tx| workspace::update(tx, &row)).await?;
    Ok(Json(settings))
}

fn checked(input: WorkspaceSettings) -> Result<WorkspaceSettings, ApiError> {
    let name = input.name.trim().to_owned();
    if name.is_empty() {
        return Err(ApiError::invalid("name", "The workspace needs a name."));
    }
    if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(ApiError::invalid("name", format!("The name is one line of at most {NAME_MAX} characters.")));
    }
    let time_zone = input.time_zone.trim().to_owned();
    if jiff::tz::TimeZone::get(&time_zone).is_err() {
        let message = format!("{time_zone:?} is no time zone; write its IANA name, such as Europe/Lisbon.");
        return Err(ApiError::invalid("time_zone", message));
    }
    // One line: it stands in headers of nothing, but in the footer of every mail.
    let postal_address = input.postal_address.split_whitespace().collect::<Vec<_>>().join(" ");
    if postal_address.chars().count() > POSTAL_ADDRESS_MAX {
        let message = format!("The postal address has at most {POSTAL_ADDRESS_MAX} characters.");
        return Err(ApiError::invalid("postal_address", message));
    }
    Ok(WorkspaceSettings { name, time_zone, postal_address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_by_field() {
        let check = |name: &str, time_zone: &str, postal_address: &str| {
            let [name, time_zone, postal_address] = [name, time_zone, postal_address].map(str::to_owned);
            checked(WorkspaceSettings { name, time_zone, postal_address })
        };
        let good = check(" Acme ", "Europe/Lisbon", "1 Road\n 4000 Porto").unwrap();
        assert_eq!((good.name.as_str(), good.postal_address.as_str()), ("Acme", "1 Road 4000 Porto"));
        for (name, time_zone, postal_address, field) in [
            (" ", "UTC", "", "name"),
            ("a\u{7}", "UTC", "", "name"),
            ("Acme", "Europe/Atlantis", "", "time_zone"),
            ("Acme", "UTC", "x".repeat(501).as_str(), "postal_address"),
        ] {
            let refused = check(name, time_zone, postal_address).unwrap_err();
            assert!(format!("{refused:?}").contains(&format!("field: Some({field:?})")), "{refused:?}");
        }
    }
}
