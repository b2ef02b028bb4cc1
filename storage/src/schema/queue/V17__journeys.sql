-- queue.db: contacts on their way through journeys. Here, so that a run ends in the commit of what ends it: a bounce, a
-- complaint, an unsubscribing, any suppression of its address, leaving its list.

CREATE TABLE journey_live (
    journey_id   INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('live', 'paused', 'ended')),
    -- Who or what brought it there.
    reason       TEXT NOT NULL,
    changed_ms   INTEGER NOT NULL,
    -- Of the newest published version, by which new ones enter.
    version      INTEGER NOT NULL,
    name         TEXT NOT NULL,
    start        TEXT NOT NULL,
    -- The list that leads in, and whose leaving leads out.
    list_id      INTEGER,
    -- Who has been in it may enter again so long after the last entry; NULL: never.
    reentry_ms   INTEGER
) STRICT;
CREATE INDEX journey_live_list ON journey_live (workspace_id, list_id) WHERE list_id IS NOT NULL;

CREATE TABLE journey_run (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    journey_id   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    contact_id   INTEGER NOT NULL,
    -- The suppression key of the address that the contact had last.
    address_hash BLOB NOT NULL,
    list_id      INTEGER,
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'ended')),
    -- Where it is, or was last; of a run that was refused, where it would have begun.
    step         TEXT NOT NULL,
    -- How often it went on: a move is made once.
    moves        INTEGER NOT NULL DEFAULT 0,
    -- When the step is done: at once, or when its wait is over.
    due_ms       INTEGER NOT NULL,
    entered_ms   INTEGER NOT NULL,
    -- When it came to its step.
    step_ms      INTEGER NOT NULL,
    -- How it came in.
    source       TEXT NOT NULL,
    ended_ms     INTEGER,
    end_reason   TEXT CHECK (end_reason IN ('finished', 'goal', 'unsubscribed', 'bounced', 'complained', 'suppressed',
                     'left_list', 'contact_deleted', 'by_hand', 'journey_ended', 'not_entered')),
    -- What led to the end, in words.
    end_words    TEXT,
    CHECK ((state = 'ended') = (ended_ms IS NOT NULL) AND (state = 'ended') = (end_reason IS NOT NULL))
) STRICT;
-- A contact is in a journey once at a time.
CREATE UNIQUE INDEX journey_run_one ON journey_run (journey_id, contact_id) WHERE state = 'waiting';
CREATE INDEX journey_run_due ON journey_run (journey_id, due_ms, id) WHERE state = 'waiting';
-- With what counting those at each step asks, so that it does not read the rows.
CREATE INDEX journey_run_step ON journey_run (journey_id, step, id, version, workspace_id) WHERE state = 'waiting';
CREATE INDEX journey_run_address ON journey_run (address_hash, workspace_id) WHERE state = 'waiting';
CREATE INDEX journey_run_contact ON journey_run (contact_id) WHERE state = 'waiting';
CREATE INDEX journey_run_journey ON journey_run (journey_id, id);
CREATE INDEX journey_run_ended ON journey_run (ended_ms) WHERE state = 'ended';

-- Who has been in a journey: "once" outlives the runs, which are forgotten.
CREATE TABLE journey_been (
    journey_id   INTEGER NOT NULL,
    contact_id   INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    entered_ms   INTEGER NOT NULL,
    PRIMARY KEY (journey_id, contact_id)
) STRICT, WITHOUT ROWID;

-- Every step of every run.
CREATE TABLE journey_log (
    -- Ascends with time: the old ones are in front.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    step         TEXT NOT NULL,
    -- When the run came to the step, and when it was done with it.
    entered_ms   INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,
    -- The port it left by, 'entered' where the first step is a wait that begins, or 'ended'.
    result       TEXT NOT NULL,
    -- What was done, or what ended it.
    reason       TEXT NOT NULL
) STRICT;
CREATE INDEX journey_log_run ON journey_log (run_id, id);

-- entered, and ended:REASON; kept in the commit of what they count.
CREATE TABLE journey_tally (
    workspace_id INTEGER NOT NULL,
    journey_id   INTEGER NOT NULL,
    measure      TEXT NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, journey_id, measure)
) STRICT, WITHOUT ROWID;

-- As main.db's journey_joined, of who comes back to a list that it had left.
CREATE TABLE journey_rejoined (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    journey_id   INTEGER NOT NULL,
    contact_id   INTEGER NOT NULL,
    list_id      INTEGER NOT NULL
) STRICT;

-- Recipients of a step's mailing come one by one: it has no audience that would be complete.
ALTER TABLE campaign_run ADD COLUMN journey_id INTEGER;
ALTER TABLE campaign_run ADD COLUMN journey_version INTEGER;
ALTER TABLE campaign_run ADD COLUMN journey_step TEXT;
CREATE INDEX campaign_run_journey ON campaign_run (journey_id, journey_version, journey_step, campaign_id)
    WHERE journey_id IS NOT NULL;
