-- main.db: campaigns choose a stream. Drafts from before belong to the one that always exists.
ALTER TABLE campaign ADD COLUMN stream TEXT NOT NULL DEFAULT 'bulk';
