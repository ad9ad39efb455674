-- The audit trail. `hash` is over all columns of the record and the hash before it, `mac` is that hash under the installation's key. A
-- record never changes. What names a person's machine (`audit_addresses`) is beside the chain, which holds a salted digest of it: so it
-- can be erased and the chain still fits.

create table audit_records (
  seq integer primary key,
  at integer not null,
  organization_id blob,
  actor text not null,
  actor_user blob,
  actor_key blob,
  action text not null,
  resource_type text not null,
  resource_id text not null,
  outcome text not null,
  network text not null,
  address_digest blob,
  request_id text not null,
  run_id blob,
  task text not null,
  duration integer,
  details text not null,
  previous blob not null,
  hash blob not null,
  mac blob not null
);
create index audit_records_by_organization on audit_records (organization_id, seq);

create table audit_addresses (
  seq integer primary key,
  salt blob not null,
  address text not null
);

-- One row each (id 1): the newest record, and the last one that retention has removed.
create table audit_head (
  id integer primary key,
  seq integer not null,
  hash blob not null,
  mac blob not null
);
create table audit_checkpoint (
  id integer primary key,
  seq integer not null,
  hash blob not null,
  at integer not null,
  mac blob not null
);

-- down
drop table audit_checkpoint;
drop table audit_head;
drop table audit_addresses;
drop index audit_records_by_organization;
drop table audit_records;
