-- Who made and changed workflows and versions; dead letters; what is remembered of signed deliveries and of a rotated webhook.

alter table workflows add column created_by blob;
alter table workflows add column updated_by blob;
alter table workflow_versions add column created_by blob;

-- Starts that came to nothing and wait for somebody: a triggered run that faulted (kind `run`), or a firing that could not become one (kind
-- `start`). `id` is that run's; the copies of trigger, input and error outlive it.
create table dead_letters (
  id blob primary key,
  organization_id blob not null,
  workflow_id blob not null,
  workflow_name text not null,
  version integer not null,
  kind text not null,
  cause text not null,
  input text not null,
  error text not null,
  created_at integer not null,
  replayed_at integer,
  replay_run_id blob
);
create index dead_letters_by_organization on dead_letters (organization_id, id);

-- Signatures of webhook deliveries within their time window, so that none is taken twice.
create table webhook_deliveries (
  digest blob primary key,
  expires_at integer not null
);
create index webhook_deliveries_by_expiry on webhook_deliveries (expires_at);

alter table webhooks add column rotated_at integer;

-- down
alter table webhooks drop column rotated_at;
drop table webhook_deliveries;
drop table dead_letters;
alter table workflow_versions drop column created_by;
alter table workflows drop column updated_by;
alter table workflows drop column created_by;
