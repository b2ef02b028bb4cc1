//! Segments: who matches a condition, and who of them receives.

pub mod names;
pub mod sentence;

use crate::error::{self, Refused};
use crate::time::rfc3339;
use api_types::{Filter, ListStatus, SegmentInput};
use jiff::tz::TimeZone;
use names::Names;
use sentence::sentence;
use storage::campaign::Draft;
use storage::contact::{self, Contact, Query};
use storage::filter::{self, CompiledFilter, FilterContext};
use storage::segment::{self, Segment};
use storage::{Connection, SegmentId, Storage, StorageError, WorkspaceId, field, stream_leave, workspace};

/// Contacts shown as a sample.
const SAMPLE: u32 = 5;

/// Segments as the API shows them.
///
/// # Errors
/// The database's.
pub fn views(
    c: &Connection,
    workspace: WorkspaceId,
    segments: Vec<Segment>,
) -> Result<Vec<api_types::Segment>, StorageError> {
    let names = Names::of(c, workspace, segments.iter().map(|segment| &segment.filter))?;
    let view = |segment: Segment| api_types::Segment {
        id: segment.id.0,
        name: segment.name,
        sentence: sentence(&segment.filter, &names),
        filter: segment.filter,
        count: segment.count,
        updated_at: rfc3339(segment.updated_ms),
    };
    Ok(segments.into_iter().map(view).collect())
}

/// How many match a condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audience {
    /// Contacts that match.
    pub matching: u64,
    /// Of those, on the suppression list.
    pub suppressed: u64,
    /// Of those, who would receive a campaign.
    pub receiving: u64,
}

/// Compiles a condition with the workspace's fields and time zone.
///
/// # Errors
/// The place in the condition that is wrong.
pub fn compile(
    tx: &Connection,
    workspace: WorkspaceId,
    condition: &Filter,
    now_ms: i64,
) -> Result<CompiledFilter, Refused> {
    let owner = workspace::find(tx, workspace)?.ok_or(Refused::NotFound("workspace"))?;
    let zone = TimeZone::get(&owner.time_zone).unwrap_or(TimeZone::UTC);
    let context = FilterContext { workspace, fields: field::list(tx, workspace)?, zone, now_ms };
    Ok(filter::compile(condition, &context)?)
}

/// As [`compile`]; where a stream is named, without those who want no mail of it. For readers.
///
/// # Errors
/// The place in the condition that is wrong.
pub fn compile_for(
    c: &Connection,
    workspace: WorkspaceId,
    (condition, stream): (&Filter, Option<&str>),
    now_ms: i64,
) -> Result<CompiledFilter, Refused> {
    let compiled = compile(c, workspace, condition, now_ms)?;
    match stream {
        Some(stream) if stream_leave::anybody(c, workspace, stream)? => Ok(compiled.wanting(stream)),
        _ => Ok(compiled),
    }
}

/// Counts who matches; where a stream is named, without those who want no mail of it. For readers.
///
/// # Errors
/// The place in the condition that is wrong.
pub fn audience(
    tx: &Connection,
    workspace: WorkspaceId,
    wanted: (&Filter, Option<&str>),
    now_ms: i64,
) -> Result<Audience, Refused> {
    let compiled = compile_for(tx, workspace, wanted, now_ms)?;
    let found = contact::count_matching(tx, workspace, &compiled, now_ms)?;
    Ok(Audience {
        matching: found.matching,
        suppressed: found.suppressed,
        receiving: found.matching - found.suppressed,
    })
}

/// Counts who matches, with a few of them; where a stream is named, without those who want no mail of it. For readers.
///
/// # Errors
/// The place in the condition that is wrong.
pub fn count(
    tx: &Connection,
    workspace: WorkspaceId,
    wanted: (&Filter, Option<&str>),
    now_ms: i64,
) -> Result<(Audience, Vec<Contact>), Refused> {
    let compiled = compile_for(tx, workspace, wanted, now_ms)?;
    let found = contact::count_matching(tx, workspace, &compiled, now_ms)?;
    let query = Query { filter: Some(compiled), limit: SAMPLE, ..Query::default() };
    let sample = contact::page(tx, workspace, &query, now_ms)?;
    let audience = Audience {
        matching: found.matching,
        suppressed: found.suppressed,
        receiving: found.matching - found.suppressed,
    };
    Ok((audience, sample))
}

/// The condition of a segment; everyone where there is none.
///
/// # Errors
/// No such segment.
pub fn filter_of(tx: &Connection, workspace: WorkspaceId, id: Option<SegmentId>) -> Result<Filter, Refused> {
    match id {
        None => Ok(Filter::everyone()),
        Some(id) => Ok(segment::find(tx, workspace, id)?.ok_or(Refused::NotFound("segment"))?.filter),
    }
}

/// The condition of a campaign's audience: its segment, and of that those who are on its list.
///
/// # Errors
/// No such segment.
pub fn audience_of(tx: &Connection, workspace: WorkspaceId, draft: &Draft) -> Result<Filter, Refused> {
    let segment = filter_of(tx, workspace, draft.segment_id)?;
    let Some(list) = draft.list_id else { return Ok(segment) };
    let on_it = Filter::List { id: list.0, status: ListStatus::Subscribed };
    Ok(Filter::And { filters: vec![segment, on_it] })
}

/// Saves a new segment.
///
/// # Errors
/// The place in the condition that is wrong; a name that is taken.
pub async fn create(
    storage: &Storage,
    workspace: WorkspaceId,
    input: SegmentInput,
    now_ms: i64,
) -> Result<Segment, Refused> {
    let (name, filter, count) = checked(storage, workspace, input, now_ms).await?;
    let saved = name.clone();
    storage
        .main()
        .write(move |tx| {
            let id = segment::insert(tx, workspace, &name, &filter, count, now_ms)?;
            segment::find(tx, workspace, id)
        })
        .await
        .map_err(|e| taken(e, &saved))?
        .ok_or(Refused::NotFound("segment"))
}

/// Replaces a segment.
///
/// # Errors
/// As [`create`]; no such segment.
pub async fn update(
    storage: &Storage,
    workspace: WorkspaceId,
    id: SegmentId,
    input: SegmentInput,
    now_ms: i64,
) -> Result<Segment, Refused> {
    let (name, filter, count) = checked(storage, workspace, input, now_ms).await?;
    let saved = name.clone();
    storage
        .main()
        .write(move |tx| {
            segment::update(tx, workspace, id, (&name, &filter, count), now_ms)?;
            segment::find(tx, workspace, id)
        })
        .await
        .map_err(|e| taken(e, &saved))?
        .ok_or(Refused::NotFound("segment"))
}

async fn checked(
    storage: &Storage,
    workspace: WorkspaceId,
    input: SegmentInput,
    now_ms: i64,
) -> Result<(String, Filter, u64), Refused> {
    let name = error::name("name", &input.name)?;
    let filter = input.filter;
    storage
        .read(move |tx| {
            Ok(audience(tx, workspace, (&filter, None), now_ms).map(|audience| (name, filter, audience.matching)))
        })
        .await?
}

fn taken(error: StorageError, name: &str) -> Refused {
    Refused::taken(error, "name", format!("there is a segment called “{name}” already; choose another name"))
}
