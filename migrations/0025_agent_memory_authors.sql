-- Whose words each message of a memory holds, so that of a person who is erased only theirs go. JSON: {"people": [user ids], "of": [...]}, where
-- `of` has for each message an array of indices into `people`, or null: everybody in agent_memory_people. Null: written before this, all null.
alter table agent_memories add column authors text;

-- down
alter table agent_memories drop column authors;
