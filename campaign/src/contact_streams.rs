//! Which streams a contact gets mail of, as staff see and set it.

use crate::error::Refused;
use crate::preferences::offered;
use crate::time::rfc3339;
use api_types::ContactStream;
use config::Streams;
use mail::StreamKind;
use std::collections::HashMap;
use storage::list::Mover;
use storage::{AddressHash, Connection, ContactId, Storage, WorkspaceId, contact, preference_centre, stream_leave};

/// How a contact stands to every bulk stream of the configuration, in the order of the configuration. For readers.
///
/// # Errors
/// No such contact.
pub fn of_contact(
    c: &Connection,
    streams: &Streams,
    workspace: WorkspaceId,
    id: ContactId,
) -> Result<Vec<ContactStream>, Refused> {
    Ok(standings(c, streams, workspace, id)?.1)
}

/// Takes a contact off these streams and puts it back on the others, on somebody's word: also on those that it has left
/// itself.
///
/// # Errors
/// No such contact, or no such stream.
pub async fn set_of_contact(
    storage: &Storage,
    streams: &Streams,
    (workspace, id): (WorkspaceId, ContactId),
    left: Vec<String>,
    (by, now_ms): (String, i64),
) -> Result<(), Refused> {
    let known = streams.clone();
    let (hash, all) = storage.read(move |c| Ok(standings(c, &known, workspace, id))).await??;
    if let Some(at) = left.iter().position(|name| all.iter().all(|one| one.stream != *name)) {
        let names: Vec<&str> = all.iter().map(|one| one.stream.as_str()).collect();
        let message = format!("there is no bulk stream “{}”; the configuration has {}", left[at], names.join(", "));
        return Err(Refused::invalid(format!("left[{at}]"), message));
    }
    let change = move |tx: &storage::Transaction<'_>| {
        let who = Mover::by_staff((workspace, id), &hash, &by, now_ms);
        for one in &all {
            let named = (one.stream.as_str(), one.title.as_str());
            match left.contains(&one.stream) {
                true => stream_leave::leave(tx, who, named)?,
                false => stream_leave::rejoin(tx, who, named)?,
            };
        }
        Ok(())
    };
    Ok(storage.queue().write(change).await?)
}

fn standings(
    c: &Connection,
    streams: &Streams,
    workspace: WorkspaceId,
    id: ContactId,
) -> Result<(AddressHash, Vec<ContactStream>), Refused> {
    let hash = contact::find(c, workspace, id)?.ok_or(Refused::NotFound("contact"))?.address_hash;
    let left = stream_leave::of_address(c, workspace, &hash)?;
    let offers = offered(&preference_centre::get(c, workspace)?, streams);
    let titles: HashMap<&str, &str> =
        offers.iter().map(|offer| (offer.stream.as_str(), offer.title.as_str())).collect();
    let bulk = streams.iter().filter(|stream| stream.kind == StreamKind::Bulk).map(|stream| stream.name.as_str());
    let standing = |name: &str| ContactStream {
        stream: name.to_owned(),
        title: titles.get(name).copied().unwrap_or(name).to_owned(),
        left_at: left.get(name).map(|at_ms| rfc3339(*at_ms)),
    };
    Ok((hash, bulk.map(standing).collect()))
}
