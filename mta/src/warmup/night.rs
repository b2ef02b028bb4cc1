//! Each night the day that is over is judged; at the start, and after a change by hand, what is stored is read again.

use super::board::Board;
use super::ladder::{Gates, Step, judge};
use super::{DAY_MS, JUDGE_AFTER_MS, Plan, day_of};
use crate::hold;
use crate::shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use storage::warmup::{self, DomainWarmup, Line, State};
use storage::{Storage, StorageError, Transaction};

/// A line that nothing went over for so long is forgotten, and begins anew: providers forget too.
const FORGET_DAYS: i64 = 90;
/// After trouble with the database.
const TROUBLE_WAIT: Duration = Duration::from_secs(5);
/// The date is looked at so often at least: a computer that slept has missed its midnight.
const LOOK_MAX_MS: i64 = 600_000;

/// Judges what is over and reads everything anew. Whether a line became warm.
///
/// # Errors
/// The database's.
pub(crate) async fn refresh(board: &Arc<Board>, storage: &Storage, now_ms: i64) -> Result<bool, StorageError> {
    // One at a time: what was read first must not be loaded last.
    let _turn = board.turn().await;
    // Within the first moments of a day the one before may still get answers.
    let day = day_of(now_ms - JUDGE_AFTER_MS).max(board.day());
    let (storage, judging) = (storage.clone(), board.clone());
    let work = move |tx: &Transaction<'_>| {
        let domains = warmup::domains(tx, None)?;
        let warm = turn(tx, &judging, &domains, day, now_ms)?;
        Ok((warmup::all(tx)?, domains, warm))
    };
    let written = hold::blocking(move || storage.queue().write_blocking(work)).await;
    // Only what is committed is loaded: a day that is not begun on disk would not be counted there.
    let (lines, domains, warm) = written.unwrap_or(Err(StorageError::Closed))?;
    board.load(day, &lines, domains);
    Ok(warm)
}

/// Runs until it is dropped.
pub(crate) async fn nights(shared: Arc<Shared>) {
    loop {
        let now_ms = shared.clock.now_ms();
        if day_of(now_ms - JUDGE_AFTER_MS) > shared.warmup.day() {
            match refresh(&shared.warmup, &shared.storage, now_ms).await {
                Ok(true) => let_go(&shared, now_ms).await,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the warm-up's day cannot be judged; nothing leaves under it until then");
                    shared.clock.sleep(TROUBLE_WAIT).await;
                    continue;
                }
            }
            shared.book.counts.wake.notify_one();
        }
        let judged_ms = (shared.warmup.day() + 1) * DAY_MS + JUDGE_AFTER_MS;
        let wait_ms = (judged_ms - shared.clock.now_ms()).clamp(1, LOOK_MAX_MS);
        shared.clock.sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
    }
}

/// Who waits for a source that is warm now need not wait for the due time that was foreseen.
async fn let_go(shared: &Shared, now_ms: i64) {
    let storage = shared.storage.clone();
    let hastened = hold::off_clock(async move { warmup::hasten(&storage, now_ms).await }).await;
    if let Some(Err(error)) = hastened {
        tracing::warn!(%error, "those who wait for a warm-up that is done come when they are due");
    }
}

/// Judges every line whose day is over. Whether one became warm.
fn turn(
    tx: &Transaction<'_>,
    board: &Board,
    domains: &[DomainWarmup],
    day: i64,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let gates = Gates::builtin();
    let mut warm = false;
    for line in warmup::over(tx, day)? {
        let plan = board.plan_of(&line.key, domains);
        let was = line.state;
        let next = climbed(line, plan.as_deref(), &gates, day, now_ms);
        warm |= next.state != was && next.state == State::Done;
        warmup::begin_day(tx, &next)?;
    }
    let before_day = day - FORGET_DAYS;
    let forgotten = warmup::forget(tx, before_day, before_day * DAY_MS)?;
    if forgotten > 0 {
        tracing::info!(forgotten, "warm-ups that rested too long begin anew");
    }
    Ok(warm)
}

/// The line on its new day. One that follows no plan any more stays as it is.
fn climbed(line: Line, plan: Option<&Plan>, gates: &Gates, day: i64, now_ms: i64) -> Line {
    let mut next = Line { day, ..line.clone() };
    let Some(plan) = plan.filter(|_| line.state == State::Running) else { return next };
    let (stage, why) = match judge(plan, gates, line.stage, &line.figures) {
        Step::Climb => (line.stage + 1, format!("climbed: {} were delivered", line.figures.delivered)),
        Step::Done => {
            next.state = State::Done;
            (line.stage + 1, "done: nothing is limited any more".to_owned())
        }
        Step::Hold(why) => (line.stage, format!("held: {why}")),
        Step::Back(why) => (line.stage.saturating_sub(1), format!("stepped back: {why}")),
    };
    tracing::info!(source = %line.key.subject, provider = %line.key.provider, stage = stage + 1, "warm-up {why}");
    (next.stage, next.note, next.note_ms) = (stage, why, now_ms);
    next
}
