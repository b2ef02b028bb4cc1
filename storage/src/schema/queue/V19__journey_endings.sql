-- queue.db: how runs of journeys ended, each figure leading to the runs that it counts.
CREATE INDEX journey_run_reason ON journey_run (journey_id, end_reason, id) WHERE state = 'ended';
