//! A campaign's progress as server-sent events.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::campaigns::figures;
use crate::http::error::ApiError;
use crate::http::extract::Path;
use api_types::{ErrorCode, Progress};
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use std::convert::Infallible;
use std::time::Duration;
use storage::{CampaignId, WorkspaceId};
use tokio::sync::OwnedSemaphorePermit;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// A comment in between keeps proxies from ending the stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Looks of one stream, a quarter of an hour: browsers connect again by themselves, and are asked anew who they are.
const LOOKS_MAX: u32 = 900;

/// The figures whenever they changed, looked at every second; ends after the last ones.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}/stream", tag = "campaigns", params(("id" = i64, Path)),
    responses((status = 200, content_type = "text/event-stream", body = Progress)))]
pub(crate) async fn stream(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<([(&'static str, &'static str); 1], Sse<impl Stream<Item = Result<Event, Infallible>>>), ApiError> {
    let place = app.streams.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(ErrorCode::Unavailable, "Too many pages watch at once. Ask for /progress instead.")
    })?;
    // Refusals have their own status: the first look is before the stream.
    let first = figures(&app, actor.workspace, CampaignId(id)).await?;
    let watch = Watch {
        app,
        workspace: actor.workspace,
        id: CampaignId(id),
        next: Some(first),
        shown: None,
        looks: 0,
        _place: place,
    };
    let events = futures_util::stream::unfold(Some(watch), async |watch| watch?.step().await);
    // nginx would else collect events until its buffer is full.
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

struct Watch {
    app: Shared,
    workspace: WorkspaceId,
    id: CampaignId,
    /// Figures that were read and not yet looked at.
    next: Option<(Progress, bool)>,
    shown: Option<Progress>,
    looks: u32,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// The next event, and the watch unless that was the last one.
    async fn step(mut self) -> Option<(Result<Event, Infallible>, Option<Watch>)> {
        loop {
            let (progress, last) = match self.next.take() {
                Some(read) => read,
                None => self.look().await?,
            };
            if last || self.shown.as_ref().is_none_or(|shown| *shown != progress) {
                let event = Event::default().event("progress").json_data(&progress).ok()?;
                self.shown = Some(progress);
                return Some((Ok(event), (!last).then_some(self)));
            }
        }
    }

    /// Looks again after a second. `None` at the end of the watch or of the daemon, and when the database fails: the
    /// browser connects again.
    async fn look(&mut self) -> Option<(Progress, bool)> {
        self.looks += 1;
        if self.looks > LOOKS_MAX {
            return None;
        }
        tokio::select! {
            () = self.app.stop.cancelled() => return None,
            () = self.app.clock.sleep(EVERY) => {}
        }
        figures(&self.app, self.workspace, self.id).await.ok()
    }
}
