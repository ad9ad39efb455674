-- What the catalog needs beyond the first tables: names inside of documents, state of schedules, sealed webhook tokens, request digests.

alter table workflow_versions add column document_namespace text not null default '';
alter table workflow_versions add column document_name text not null default '';
alter table workflow_versions add column document_version text not null default '';
create index workflow_versions_by_name on workflow_versions (document_name, document_namespace);

alter table schedules add column created_at integer not null default 0;
alter table schedules add column state text not null default '{}';

alter table webhooks add column sealed_token blob;

alter table idempotency_keys add column request_digest blob;

-- down
alter table idempotency_keys drop column request_digest;
alter table webhooks drop column sealed_token;
alter table schedules drop column state;
alter table schedules drop column created_at;
drop index workflow_versions_by_name;
alter table workflow_versions drop column document_version;
alter table workflow_versions drop column document_name;
alter table workflow_versions drop column document_namespace;
