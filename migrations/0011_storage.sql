-- PostgreSQL only: the number of the latest batch of writes, by the process that wrote it. It is written in the batch's own transaction: when a
-- connection dies during a commit, it tells how the commit ended.

create table commit_marks (
  node blob primary key,
  batch integer not null
);

-- down
drop table commit_marks;
