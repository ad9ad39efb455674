-- How much a memory holds, so that a list and the limit of an organization read no conversations; null where it was written before this, until
-- it is written again. And whose words are in it: everybody who started a run that wrote it, since it was last without anything.
alter table agent_memories add column message_count integer;
alter table agent_memories add column bytes integer;
create index agent_memories_by_size on agent_memories (organization_id, bytes);

create table agent_memory_people (
  memory_id blob not null references agent_memories (id) on delete cascade,
  user_id blob not null,
  primary key (memory_id, user_id)
) without rowid;
create index agent_memory_people_of_user on agent_memory_people (user_id);
insert into agent_memory_people (memory_id, user_id) select id, user_id from agent_memories where user_id is not null;

-- down
drop table agent_memory_people;
drop index agent_memories_by_size;
alter table agent_memories drop column bytes;
alter table agent_memories drop column message_count;
