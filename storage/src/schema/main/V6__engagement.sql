-- main.db: when a contact last did something with our mail: opened, clicked, answered, subscribed again.
ALTER TABLE contact ADD COLUMN engaged_ms INTEGER;
-- An audience with the most engaged first is read off it.
CREATE INDEX contact_engaged ON contact (workspace_id, engaged_ms, id) WHERE engaged_ms IS NOT NULL;
