-- events.db: what happened to the sources themselves is found without reading everything.
CREATE INDEX event_source ON event (id) WHERE kind IN ('source_out', 'source_back', 'source_check');
