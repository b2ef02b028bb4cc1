//! One connection of a lane: opened, worked on until there is nothing more to do, and what it means when there is none.

mod envelope;
mod judge;
mod transact;
mod upcoming;

use crate::dialing::{self, NoSession};
use crate::lane::{Lane, Trouble};
use crate::shared::{ConnectionPermit, Shared};
use crate::source_watch;
use mail::{BounceClass, WaitReason};
use std::sync::Arc;
use std::time::Duration;
use storage::WorkspaceId;
use storage::queue::Answer;
use transact::Connection;

/// A lane whose source has no address here is looked at again after this; the source itself is watched all the time.
const NO_SOURCE_HOLD: Duration = Duration::from_secs(30);
/// A site that has no address of the source's family is asked from it again after this.
const OTHER_FAMILY_HOLD: Duration = Duration::from_hours(1);

/// Opens a connection and works on it until there is nothing more to do.
pub(crate) fn spawn(shared: &Arc<Shared>, lane: &Arc<Lane>, permit: ConnectionPermit) {
    let (shared, lane) = (shared.clone(), lane.clone());
    shared.tasks.clone().spawn(async move {
        tokio::select! {
            biased;
            () = shared.aborting.cancelled() => {}
            () = run(&shared, &lane) => {}
        }
        drop(permit);
        lane.go_on(&shared);
    });
}

async fn run(shared: &Arc<Shared>, lane: &Arc<Lane>) {
    let no_session = tokio::select! {
        // Nothing is lost by not connecting.
        () = shared.stopping.cancelled() => return,
        opened = dialing::open(shared, lane) => match opened {
            Ok((session, mx)) => {
                let _established = lane.connected();
                return Connection::new(shared, lane, session, mx).serve().await;
            }
            Err(no_session) => no_session,
        },
    };
    match no_session {
        NoSession::NotReached(class, answer) => lane.could_not_connect(shared, Trouble { class, answer }),
        NoSession::NoSource(why) => {
            // The system says the same when it has no port left: the watch looks whether the address is there.
            let is_gone = shared.sources[lane.source].ip.is_some_and(|ip| !shared.dial.has_source(ip));
            if is_gone && shared.source_states.note(lane.source, Some(why.clone())) {
                source_watch::tell(shared, lane.source, Some(&why)).await;
            }
            lane.hold(shared, WaitReason::Local, NO_SOURCE_HOLD, why);
        }
        NoSession::OtherFamily(why) => {
            let source = &shared.sources[lane.source];
            tracing::debug!(source = %source.name, why, "the site has no address of the source's family");
            if shared.has_other_family(source) {
                lane.hold(shared, WaitReason::Connect, OTHER_FAMILY_HOLD, why);
            } else {
                // No source has: who waits is told so.
                let answer = Answer::of_trouble(BounceClass::Dns, why);
                lane.could_not_connect(shared, Trouble { class: BounceClass::Dns, answer });
            }
        }
        NoSession::Refused(stage, reply) => {
            let class = shared.rules_at(lane).classify(&reply, stage).class;
            // Nobody's mail was named yet; what is about a source concerns everybody who sends from it.
            let context = shared.context(lane, WorkspaceId::MAIN, None);
            if shared.answered((&reply, stage), &context, None).is_some_and(|answered| answered.holds_lane()) {
                return lane.told(reply.to_string());
            }
            if matches!(class, BounceClass::TooManyConnections | BounceClass::RateLimit) {
                lane.fewer_connections(shared, reply.to_string());
            }
            let answer = Answer::of_reply(&reply, Some(class));
            lane.could_not_connect(shared, Trouble { class, answer });
        }
    }
}
