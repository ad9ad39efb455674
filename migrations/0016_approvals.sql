-- What runs ask people. A row comes with the question's own commit and is closed by the one that ends the wait; it stays until retention
-- takes it. `asked` is the whole question as JSON, `digest` what a decision is bound to; `least_role` 0 (viewer) to 3 (owner), 4: nobody by
-- role alone.
create table approvals (
  id blob primary key,
  organization_id blob not null,
  run_id blob not null,
  number integer not null,
  workflow_id blob not null,
  workflow_name text not null,
  version integer not null,
  task text not null,
  title text not null,
  asked text not null,
  digest text not null,
  status text not null,
  least_role integer not null,
  exclude_starter integer not null,
  starter blob,
  starter_key integer not null,
  created_at integer not null,
  deadline integer,
  mailed_at integer,
  decided_at integer,
  decided_by blob,
  comment text,
  answer text
) without rowid;
create index approvals_of_organization on approvals (organization_id, status, created_at, id);
create index approvals_of_run on approvals (run_id);
create index approvals_decided on approvals (decided_at);
create index approvals_to_mail on approvals (created_at) where mailed_at is null and status = 'open';

-- Who may decide besides those with the role, by id or mail address in lower case; while the question is open.
create table approval_users (
  approval_id blob not null,
  name text not null,
  organization_id blob not null,
  primary key (approval_id, name)
) without rowid;

-- down
drop table approval_users;
drop table approvals;
