-- events.db: which webhooks were told of an event, or of what else concerns a recipient.
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id) WHERE event_id IS NOT NULL;
-- What is no event is queued, and keeps what it tells.
CREATE INDEX webhook_delivery_recipient ON webhook_delivery (json_extract(data, '$.recipient_id')) WHERE queued_id IS NOT NULL;
