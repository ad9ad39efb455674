-- Remedies for failed runs: what was proposed, how it was decided, what came of it. `error_kind` tells failures of one kind, so that what worked is offered
-- first the next time. `proposal` is JSON; `healing_run_id` the run that asks for approval and applies; `result_run_id` the run whose end says whether
-- it worked. A run has one remedy at a time that is not settled: `drafting` rows reserve it while a model is asked, and are void when the process ends.
create table remedies (
  id blob primary key,
  organization_id blob not null,
  workflow_id blob not null,
  workflow_name text not null,
  run_id blob not null,
  version integer not null,
  error_kind text not null,
  kind text not null,
  source text not null,
  proposal text not null,
  status text not null,
  healing_run_id blob not null,
  result_run_id blob not null,
  new_version integer,
  failure text not null,
  outcome text not null,
  created_at integer not null,
  applied_at integer,
  ended_at integer
) without rowid;
create index remedies_of_organization on remedies (organization_id, id);
create index remedies_by_error on remedies (organization_id, workflow_id, error_kind);
create index remedies_of_run on remedies (run_id);
create index remedies_by_healing_run on remedies (healing_run_id);
create unique index remedies_open on remedies (run_id) where status in ('drafting', 'proposed', 'applying');
create index remedies_awaited on remedies (result_run_id) where status = 'applied' and outcome = '';

-- down
drop table remedies;
