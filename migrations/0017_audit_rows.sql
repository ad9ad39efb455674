-- A row of the trail may hold several records that follow each other and have organization, actor and address in common: `seq`, `at`, `hash`
-- and `mac` are those of the last one, `previous` is that of the first, what the records say is in `body`, and the columns for it are empty.
-- `marks` has a few signed bytes for each of them, by which verification names the one that was altered. The way down removes such rows: what
-- their records say is in the file of JSON lines from then on, and the chain in the database has gaps.

alter table audit_records add column records integer not null default 1;
alter table audit_records add column earliest integer;
alter table audit_records add column marks blob;
alter table audit_records add column body blob;

-- down
delete from audit_addresses where seq in (select seq from audit_records where records > 1);
delete from audit_records where records > 1;
alter table audit_records drop column body;
alter table audit_records drop column marks;
alter table audit_records drop column earliest;
alter table audit_records drop column records;
