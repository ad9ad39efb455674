-- Stored credentials of organizations. `public_config` is JSON without the secret fields, `sealed_config` the secret fields alone, sealed
-- by the key ring for this row and organization.

create table integrations (
  id blob primary key,
  organization_id blob not null,
  connector text not null,
  name text not null,
  public_config text not null,
  sealed_config blob not null,
  is_active integer not null default 1,
  created_by blob,
  last_tested_at integer,
  last_error text,
  created_at integer not null,
  updated_at integer not null,
  unique (organization_id, name)
);

-- down
drop table integrations;
