-- What a schedule of kind `files` has dealt with: the state in which each file below its folder was when it last started a run, or was not to.
-- A row changes in the commit that makes the run's start durable.
create table watched_files (
  schedule_id blob not null references schedules (id) on delete cascade,
  path text not null,
  size integer not null,
  modified integer not null,
  primary key (schedule_id, path)
) without rowid;

-- down
drop table watched_files;
