-- Functions that somebody has written (catalogs, the folder of user functions) are part of the version that calls them: as JSON, an array of
-- `{name, version, catalog, sha256, task}`. Empty where there are none.

alter table workflow_versions add column functions text not null default '';

-- down
alter table workflow_versions drop column functions;
