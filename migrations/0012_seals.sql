-- Everything sealed stands under the key ring, so that one rotation reaches it all: also addresses of webhooks and mails that wait.
-- What was sealed under SECRET_KEY before cannot be carried over by SQL: such webhooks answer as before, and show their address again once
-- it is renewed; such mails are marked as failed.

update webhooks set sealed_token = null;

alter table outbox add column sealed_body blob;
update outbox set state = 'failed', last_error = 'Sealed before the key ring: have it sent again.', ended_at = created_at
  where state = 'waiting';
alter table outbox drop column body;

-- down
update outbox set state = 'failed', last_error = 'Sealed under the key ring: have it sent again.', ended_at = created_at
  where state = 'waiting';
alter table outbox drop column sealed_body;
alter table outbox add column body blob;
update webhooks set sealed_token = null;
