-- What an API key may do, and how often.

-- JSON list of api_types::KeyScope. Keys of before could do everything that an administrator can.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '["admin"]' CHECK (json_valid(scopes));
-- Requests a minute, each message of a batch counted; NULL: as many as the server takes.
ALTER TABLE api_key ADD COLUMN rate_per_minute INTEGER CHECK (rate_per_minute > 0);
