//! Sixty days of a source at one provider, told day by day: the board, its permits, its nights and what is stored, with
//! a provider and a queue that are only numbers.

use super::*;
use expect_test::expect;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use storage::warmup::{self as rows, Axis, Fate, State};
use storage::{OpenOptions, Storage, WorkspaceId};

const HOUR_MS: i64 = 3_600_000;
const CONFIG: &str = "
    [[source]]
    name = \"new\"
    warmup = \"own\"
    [[warmup_plan]]
    name = \"own\"
    stages = { start = 20, factor = 1.12, days = 46 }";

/// What a day brings.
struct Day {
    /// Mails that come at nine o'clock.
    mails: u64,
    /// The provider says "not now" to so many of a hundred, and refuses our address to so many.
    deferred: u64,
    blocked: u64,
    /// Told of the day.
    what: &'static str,
}

fn day(n: i64) -> Day {
    let day = |mails, deferred, blocked, what| Day { mails, deferred, blocked, what };
    // Somewhat more each day, as it is with those who grow.
    let mails = (22.0 * 1.12_f64.powi(n as i32)).min(6_000.0) as u64;
    match n {
        5 => day(10, 0, 0, ", little mail"),
        6 => day(0, 0, 0, ", no mail"),
        12 => day(mails, 30, 0, ", provider slows"),
        18 | 19 => day(mails, 0, 8, ", provider blocks"),
        26..=28 => day(mails, 0, 0, ", paused by hand"),
        33 => day(mails, 0, 0, ", restarted at noon"),
        _ => day(mails, 1, 0, ""),
    }
}

struct Sea {
    storage: Storage,
    board: Arc<Board>,
    config: config::Config,
    /// Those who wait, by when they come.
    queue: BinaryHeap<Reverse<i64>>,
    _dir: tempfile::TempDir,
}

impl Sea {
    fn new() -> Sea {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let config = config::parse("test", CONFIG).unwrap_or_else(|e| panic!("{e}"));
        let board = Board::new(Plans::new(&config.warmup_plans), &config.sources);
        Sea { storage, board, config, queue: BinaryHeap::new(), _dir: dir }
    }

    /// A new board: what was in memory is gone, permits that were out too.
    async fn restart(&mut self, now_ms: i64) {
        self.board = Board::new(Plans::new(&self.config.warmup_plans), &self.config.sources);
        refresh(&self.board, &self.storage, now_ms).await.unwrap();
    }

    fn line(&self) -> Option<rows::Line> {
        self.storage.read_blocking(|c| rows::at(c, Axis::Source, "new", "Gull")).unwrap()
    }

    async fn pause(&self, state: State, now_ms: i64) {
        let line = rows::Line { state, ..self.line().unwrap() };
        self.storage.queue().write(move |tx| rows::set(tx, WorkspaceId::MAIN, &line)).await.unwrap();
        refresh(&self.board, &self.storage, now_ms).await.unwrap();
    }

    /// One asks; `true` when it left and is done with.
    fn ask(&mut self, now_ms: i64, fate: Fate, counts: &mut rows::Counts, told: &mut Told) {
        let (subject, provider) = (Subject::Source(0), Arc::from("Gull"));
        told.asked += 1;
        let mut tracks = self.board.tracks();
        let mut permits = Permits::new();
        match self.board.look(&mut tracks, subject, &provider, now_ms) {
            Look::Open => told.open += 1,
            Look::Now => {
                permits.extend(self.board.take(&mut tracks, subject, &provider, now_ms));
                told.hours[(now_ms % DAY_MS / HOUR_MS) as usize] += 1;
            }
            Look::Today(_) | Look::Later(_) => {
                return self.queue.push(Reverse(self.board.queue(&mut tracks, subject, &provider, now_ms)));
            }
        }
        drop(tracks);
        for permit in permits {
            let (key, day) = permit.place();
            counts.add(&key, day, Fate::Sent);
            counts.add(&key, day, fate);
            permit.redeem();
        }
        if fate != Fate::Delivered {
            self.queue.push(Reverse(now_ms + HOUR_MS));
        }
    }
}

#[derive(Default)]
struct Told {
    asked: u64,
    open: u64,
    hours: [u64; 24],
}

#[tokio::test]
async fn sixty_days() {
    let mut sea = Sea::new();
    let mut story = String::new();
    let mut asked = 0;
    let mut mails = 0;
    for n in 0..60_i64 {
        let (today, begin_ms) = (day(n), n * DAY_MS);
        refresh(&sea.board, &sea.storage, begin_ms + JUDGE_AFTER_MS).await.unwrap();
        let began = sea.line();
        let (stage, note) = began.map_or((0, String::new()), |line| (line.stage, format!("; {}", line.note)));
        sea.queue.extend((0..today.mails).map(|_| Reverse(begin_ms + 9 * HOUR_MS)));
        mails += today.mails;
        let mut told = Told::default();
        let mut counts = rows::Counts::default();
        let (mut restarted, mut sequence) = (false, 0);
        while let Some(Reverse(due_ms)) = sea.queue.pop_if_before(begin_ms + DAY_MS) {
            let now_ms = due_ms.max(begin_ms + JUDGE_AFTER_MS);
            if n == 33 && !restarted && now_ms > begin_ms + 12 * HOUR_MS {
                restarted = true;
                let so_far = std::mem::take(&mut counts);
                sea.storage.queue().write(move |tx| so_far.write(tx)).await.unwrap();
                sea.restart(now_ms).await;
            }
            sequence += 1;
            let fate = match sequence * 37 % 100 {
                draw if draw < today.deferred => Fate::Deferred,
                draw if draw < today.blocked => Fate::Blocked,
                _ => Fate::Delivered,
            };
            sea.ask(now_ms, fate, &mut counts, &mut told);
        }
        sea.storage.queue().write(move |tx| counts.write(tx)).await.unwrap();
        match n {
            25 => sea.pause(State::Paused, begin_ms + DAY_MS - 1).await,
            28 => sea.pause(State::Running, begin_ms + DAY_MS - 1).await,
            _ => {}
        }
        let figures = sea.line().map(|line| line.figures).unwrap_or_default();
        let target = Plans::new(&sea.config.warmup_plans).get("own").unwrap().target(stage);
        let allowed = target.map_or("open".to_owned(), |target| format!("of {target}"));
        let sent = figures.sent + told.open;
        assert!(target.is_none_or(|target| figures.sent <= target && told.open == 0), "day {n}");
        let busiest = told.hours.iter().max().unwrap();
        assert!(target.is_none_or(|target| *busiest <= target.div_ceil(8)), "day {n}: {busiest} in an hour");
        asked += told.asked;
        let waiting = sea.queue.len();
        story += &format!("{n}: {sent} {allowed}, {busiest} an hour, {waiting} wait{}{note}\n", today.what);
    }
    expect![[""]].assert_eq(&story);
    assert!(asked < 3 * mails, "{asked} times asked by {mails} mails");
}

trait PopIf {
    fn pop_if_before(&mut self, end_ms: i64) -> Option<Reverse<i64>>;
}

impl PopIf for BinaryHeap<Reverse<i64>> {
    fn pop_if_before(&mut self, end_ms: i64) -> Option<Reverse<i64>> {
        if self.peek()?.0 < end_ms { self.pop() } else { None }
    }
}
