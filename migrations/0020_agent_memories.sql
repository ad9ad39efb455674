-- What agents keep between runs: the conversation under a key, within the organization. `scope` is a workflow's `namespace/name`, or empty for all
-- of them. `messages` and `untrusted` are JSON; `run_id` wrote it last, `user_id` started that run.
create table agent_memories (
  id blob primary key,
  organization_id blob not null,
  scope text not null,
  key text not null,
  messages text not null,
  untrusted text not null,
  run_id blob not null,
  user_id blob,
  created_at integer not null,
  updated_at integer not null,
  expires_at integer
) without rowid;
create unique index agent_memories_by_key on agent_memories (organization_id, scope, key);
create index agent_memories_expiring on agent_memories (expires_at) where expires_at is not null;
create index agent_memories_of_user on agent_memories (user_id) where user_id is not null;

-- down
drop table agent_memories;
