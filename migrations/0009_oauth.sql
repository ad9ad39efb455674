-- Accounts of other providers that lead to users here. Tokens of providers are not kept.

create table oauth_identities (
  provider text not null,
  subject text not null,
  user_id blob not null,
  email text not null,
  created_at integer not null,
  last_used_at integer not null,
  primary key (provider, subject)
) without rowid;
create index oauth_identities_by_user on oauth_identities (user_id);

-- States whose answer has come, until they would have expired: each counts once.
create table oauth_used_states (
  state_hash blob primary key,
  expires_at integer not null
) without rowid;
create index oauth_used_states_by_expiry on oauth_used_states (expires_at);

-- down
drop table oauth_used_states;
drop table oauth_identities;
