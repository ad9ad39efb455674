-- What model calls of an organization may take in a month, and what they have taken. Costs are billionths of a US dollar. No row in
-- `model_budgets`: the default of the installation; null: no limit. `period` is the month's first moment (UTC). A reservation is made before a
-- call and gone with its settlement, so that used + reserved holds whatever crashes; what an earlier process left behind counts as used in
-- full (`assumed`), as does what a call took of which nobody knows how much it was.
create table model_budgets (
  organization_id blob primary key,
  tokens integer,
  cost integer,
  updated_at integer not null,
  updated_by blob
) without rowid;

create table model_usage (
  organization_id blob not null,
  period integer not null,
  calls integer not null,
  used_tokens integer not null,
  used_cost integer not null,
  reserved_tokens integer not null,
  reserved_cost integer not null,
  assumed_tokens integer not null,
  assumed_cost integer not null,
  primary key (organization_id, period)
) without rowid;

create table model_reservations (
  id blob primary key,
  organization_id blob not null,
  period integer not null,
  tokens integer not null,
  cost integer not null,
  created_at integer not null
) without rowid;

-- down
drop table model_reservations;
drop table model_usage;
drop table model_budgets;
