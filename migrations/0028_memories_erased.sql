-- When somebody's words went from memories of agents with that person (later than now: they are going). A run that had begun before may hold
-- them still, and keeps nothing any more (src/agents/memories.hpp).
alter table organizations add column memories_erased_at integer;

-- down
alter table organizations drop column memories_erased_at;
