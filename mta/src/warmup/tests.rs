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
    expect![[r#"
        0: 20 of 20, 2 an hour, 2 wait
        1: 22 of 22, 2 an hour, 4 wait; climbed: 20 were delivered
        2: 25 of 25, 2 an hour, 6 wait; climbed: 22 were delivered
        3: 28 of 28, 2 an hour, 8 wait; climbed: 25 were delivered
        4: 31 of 31, 2 an hour, 11 wait; climbed: 28 were delivered
        5: 21 of 35, 2 an hour, 0 wait, little mail; climbed: 31 were delivered
        6: 0 of 35, 0 an hour, 0 wait, no mail; held: 21 of 35 were delivered, 90 % are needed
        7: 35 of 35, 3 an hour, 13 wait; held: 21 of 35 were delivered, 90 % are needed
        8: 39 of 39, 2 an hour, 28 wait; climbed: 35 were delivered
        9: 44 of 44, 2 an hour, 46 wait; climbed: 39 were delivered
        10: 50 of 50, 3 an hour, 65 wait; climbed: 43 were delivered
        11: 55 of 55, 3 an hour, 86 wait; climbed: 49 were delivered
        12: 62 of 62, 3 an hour, 126 wait, provider slows; climbed: 55 were delivered
        13: 55 of 55, 3 an hour, 167 wait; stepped back: 17 of 62 were answered with “not now”, 20 % is too much
        14: 62 of 62, 3 an hour, 212 wait; climbed: 54 were delivered
        15: 70 of 70, 3 an hour, 263 wait; climbed: 62 were delivered
        16: 78 of 78, 4 an hour, 319 wait; climbed: 69 were delivered
        17: 87 of 87, 4 an hour, 385 wait; climbed: 78 were delivered
        18: 98 of 98, 5 an hour, 459 wait, provider blocks; climbed: 85 were delivered
        19: 109 of 109, 5 an hour, 547 wait, provider blocks; climbed: 95 were delivered
        20: 98 of 98, 5 an hour, 662 wait; stepped back: 8 of 109 were refused because of our address or name, 5 % is too much
        21: 109 of 109, 5 an hour, 791 wait; climbed: 97 were delivered
        22: 123 of 123, 6 an hour, 935 wait; climbed: 108 were delivered
        23: 137 of 137, 6 an hour, 1096 wait; climbed: 122 were delivered
        24: 154 of 154, 7 an hour, 1277 wait; climbed: 137 were delivered
        25: 172 of 172, 8 an hour, 1479 wait; climbed: 152 were delivered
        26: 172 of 172, 8 an hour, 1725 wait, paused by hand; climbed: 152 were delivered
        27: 172 of 172, 8 an hour, 2022 wait, paused by hand; climbed: 152 were delivered
        28: 172 of 172, 8 an hour, 2375 wait, paused by hand; climbed: 152 were delivered
        29: 193 of 193, 9 an hour, 2770 wait; climbed: 172 were delivered
        30: 216 of 216, 9 an hour, 3216 wait; climbed: 193 were delivered
        31: 242 of 242, 11 an hour, 3714 wait; climbed: 213 were delivered
        32: 271 of 271, 12 an hour, 4270 wait; climbed: 240 were delivered
        33: 304 of 304, 13 an hour, 4892 wait, restarted at noon; climbed: 270 were delivered
        34: 340 of 340, 15 an hour, 5592 wait; climbed: 304 were delivered
        35: 381 of 381, 16 an hour, 6375 wait; climbed: 337 were delivered
        36: 426 of 426, 18 an hour, 7249 wait; climbed: 378 were delivered
        37: 478 of 478, 20 an hour, 8230 wait; climbed: 426 were delivered
        38: 535 of 535, 23 an hour, 9328 wait; climbed: 476 were delivered
        39: 599 of 599, 25 an hour, 10558 wait; climbed: 533 were delivered
        40: 671 of 671, 28 an hour, 11936 wait; climbed: 597 were delivered
        41: 752 of 752, 32 an hour, 13476 wait; climbed: 669 were delivered
        42: 842 of 842, 36 an hour, 15203 wait; climbed: 752 were delivered
        43: 943 of 943, 40 an hour, 17136 wait; climbed: 840 were delivered
        44: 1056 of 1056, 44 an hour, 19304 wait; climbed: 943 were delivered
        45: 1183 of 1183, 50 an hour, 21730 wait; climbed: 1053 were delivered
        46: 1325 of 1325, 56 an hour, 24445 wait; climbed: 1181 were delivered
        47: 1484 of 1484, 62 an hour, 27494 wait; climbed: 1325 were delivered
        48: 1662 of 1662, 70 an hour, 30904 wait; climbed: 1476 were delivered
        49: 1861 of 1861, 78 an hour, 34719 wait; climbed: 1658 were delivered
        50: 2084 of 2084, 87 an hour, 38635 wait; climbed: 1861 were delivered
        51: 2334 of 2334, 98 an hour, 42323 wait; climbed: 2084 were delivered
        52: 2615 of 2615, 109 an hour, 45708 wait; climbed: 2312 were delivered
        53: 2928 of 2928, 123 an hour, 48780 wait; climbed: 2615 were delivered
        54: 3280 of 3280, 137 an hour, 51532 wait; climbed: 2928 were delivered
        55: 22442 open, 0 an hour, 35314 wait; done: nothing is limited any more
        56: 18951 open, 0 an hour, 22552 wait; done: nothing is limited any more
        57: 15764 open, 0 an hour, 12945 wait; done: nothing is limited any more
        58: 12687 open, 0 an hour, 6384 wait; done: nothing is limited any more
        59: 9957 open, 0 an hour, 2526 wait; done: nothing is limited any more
    "#]].assert_eq(&story);
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
