-- Runs with a concurrency key: for which one, and whether they hold a place or wait for it. One row from the start to the end of the run.
create table run_places (
  run_id blob primary key,
  organization_id blob not null,
  key text not null,
  places integer not null,
  priority integer not null,
  admitted integer not null
) without rowid;

-- Ends of runs that others follow, from the end's own commit until they are delivered.
create table lifecycle_events (
  id text primary key,
  organization_id blob not null,
  event text not null,
  created_at integer not null
);

-- down
drop table lifecycle_events;
drop table run_places;
