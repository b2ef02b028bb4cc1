-- queue.db: figures of reputation act as replies do, on a workspace's, a domain's or a campaign's bulk mail; bounces are
-- found by class and time.

ALTER TABLE automation ADD COLUMN campaign_id INTEGER;
-- Words are added to two checks. No row becomes wrong by it, so the tables need not be written anew; done here as
-- https://www.sqlite.org/lang_altertable.html §7 describes.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''workspace_provider''', '''workspace_provider'', ''workspace'', ''domain'', ''campaign''')
WHERE type = 'table' AND name = 'automation';
UPDATE sqlite_schema SET sql = replace(sql, '''domain_hold'',', '''domain_hold'', ''reputation'',')
WHERE type = 'table' AND name = 'recipient';
PRAGMA writable_schema = RESET;
-- What has ended lately: it is not begun again for the same figures.
CREATE INDEX automation_acted ON automation (ended_ms) WHERE scope IN ('workspace', 'domain', 'campaign');

-- Few of all that is finished, and asked for by class and time.
CREATE INDEX recipient_done_refused ON recipient_done (workspace_id, finished_ms, id) WHERE state IN ('bounced', 'expired');
CREATE INDEX recipient_done_refused_class ON recipient_done (workspace_id, class, finished_ms, id)
    WHERE state IN ('bounced', 'expired');
