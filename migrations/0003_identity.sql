-- Users and how they show who they are. Passwords, tokens, codes and keys are kept as hashes only; the seed of the second factor is sealed.

-- `email` as the person wrote it, `email_key` in lower case: what makes two addresses the same.
create table users (
  id blob primary key,
  email text not null,
  email_key text not null,
  name text not null,
  password_hash text,
  is_active integer not null default 1,
  is_superuser integer not null default 0,
  email_verified_at integer,
  sealed_totp_seed blob,
  totp_enabled_at integer,
  totp_last_step integer not null default 0,
  last_login_at integer,
  created_at integer not null,
  updated_at integer not null,
  deleted_at integer
);
create unique index users_by_email on users (email_key) where deleted_at is null;

-- One row per sign-in: the family of all refresh tokens that came from it. `token_hash` is of the current one.
create table sessions (
  id blob primary key,
  user_id blob not null references users (id),
  token_hash blob not null,
  previous_hash blob,
  salt blob not null,
  generation integer not null default 0,
  rotated_at integer not null,
  user_agent text not null default '',
  address text not null default '',
  created_at integer not null,
  last_used_at integer not null,
  expires_at integer not null,
  revoked_at integer,
  revoked_because text not null default ''
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_end on sessions (expires_at);

-- Links in mails, and the link of the first start (which has no user). `email_key`: the address that the link was sent to.
create table one_time_tokens (
  token_hash blob primary key,
  purpose text not null,
  user_id blob references users (id),
  email_key text not null default '',
  created_at integer not null,
  expires_at integer not null,
  used_at integer
);
create index one_time_tokens_by_user on one_time_tokens (user_id);
create index one_time_tokens_by_end on one_time_tokens (expires_at);

create table backup_codes (
  user_id blob not null references users (id),
  code_hash blob not null,
  used_at integer,
  primary key (user_id, code_hash)
);

create table api_keys (
  id blob primary key,
  key_hash blob not null unique,
  prefix text not null,
  name text not null,
  scopes integer not null,
  organization_id blob not null,
  user_id blob not null references users (id),
  created_at integer not null,
  expires_at integer,
  last_used_at integer,
  revoked_at integer
);
create index api_keys_by_user on api_keys (user_id);

-- Failed sign-ins, by a digest of the address that was tried (whether or not it has an account) with or without where they came from.
create table login_failures (
  subject blob primary key,
  failures integer not null,
  first_at integer not null,
  last_at integer not null
);
create index login_failures_by_age on login_failures (last_at);

-- down
drop table login_failures;
drop table api_keys;
drop table backup_codes;
drop table one_time_tokens;
drop table sessions;
drop table users;
