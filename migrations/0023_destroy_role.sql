-- Whose runs may let functions destroy: the least role in the organization. `member` is everybody who may start a run, as it was before.
alter table organizations add column destroy_role text not null default 'member';

-- down
alter table organizations drop column destroy_role;
