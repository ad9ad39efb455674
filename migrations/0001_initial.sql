-- Runs, their journal, and the catalog of workflows. Ids are UUIDv7 (16 bytes), times are milliseconds since 1970 (UTC).

create table settings (
  key text primary key,
  value text not null
) without rowid;

create table workflows (
  id blob primary key,
  organization_id blob not null,
  name text not null,
  description text not null default '',
  is_active integer not null default 1,
  current_version integer not null default 1,
  created_at integer not null,
  updated_at integer not null,
  deleted_at integer
);
create index workflows_by_organization on workflows (organization_id, id) where deleted_at is null;

create table workflow_versions (
  workflow_id blob not null references workflows (id),
  version integer not null,
  definition text not null,
  source_format text not null default 'yaml',
  change_summary text not null default '',
  created_at integer not null,
  primary key (workflow_id, version)
);

create table schedules (
  id blob primary key,
  organization_id blob not null,
  workflow_id blob not null references workflows (id),
  kind text not null,
  spec text not null,
  next_due integer,
  last_fired integer,
  enabled integer not null default 1
);
create index schedules_by_due on schedules (next_due) where enabled = 1;
create index schedules_by_workflow on schedules (workflow_id);

create table webhooks (
  token_hash blob primary key,
  workflow_id blob not null references workflows (id),
  organization_id blob not null,
  created_at integer not null
);
create index webhooks_by_workflow on webhooks (workflow_id);

create table idempotency_keys (
  organization_id blob not null,
  key text not null,
  run_id blob not null,
  created_at integer not null,
  primary key (organization_id, key)
) without rowid;
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- A small number for (organization, workflow), so that the rows of runs stay narrow. Written by the engine.
create table run_workflows (
  ref integer primary key,
  organization_id blob not null,
  workflow_id blob not null,
  name text not null,
  unique (organization_id, workflow_id)
);

-- Finished runs, one row each. `key` is the run's id cut to 63 bits (time, counter, shard), so that the table grows at its end and needs no index by id.
create table runs (
  key integer primary key,
  id blob not null,
  workflow integer not null,
  version integer not null,
  phase integer not null,
  flags integer not null,
  created_at integer not null,
  started_after integer not null,
  ended_after integer not null,
  history blob not null
);
create index runs_by_workflow on runs (workflow);

-- Runs that have not ended. `beginning` is the first record of the journal; `resident` is 0 while the run sleeps outside of memory.
create table open_runs (
  id blob primary key,
  workflow integer not null,
  version integer not null,
  phase integer not null,
  flags integer not null,
  created_at integer not null,
  resident integer not null,
  reason text not null,
  beginning blob not null
) without rowid;
create index open_runs_by_workflow on open_runs (workflow);

-- What has happened to open runs: one row per run and commit, all its events since the last.
create table journal (
  run_id blob not null,
  seq integer not null,
  data blob not null,
  primary key (run_id, seq)
) without rowid;

-- State of an open run after the journal record `seq`; earlier records are gone.
create table snapshots (
  run_id blob primary key,
  seq integer not null,
  data blob not null
);

-- When to wake a run that sleeps outside of memory.
create table timers (
  due integer not null,
  run_id blob not null,
  primary key (due, run_id)
) without rowid;
create index timers_by_run on timers (run_id);

-- Which event types wake it; the empty type: any.
create table listeners (
  organization_id blob not null,
  type text not null,
  run_id blob not null,
  primary key (organization_id, type, run_id)
) without rowid;
create index listeners_by_run on listeners (run_id);

-- down
drop table listeners;
drop table timers;
drop table snapshots;
drop table journal;
drop table open_runs;
drop table runs;
drop table run_workflows;
drop table idempotency_keys;
drop table webhooks;
drop table schedules;
drop table workflow_versions;
drop table workflows;
drop table settings;
