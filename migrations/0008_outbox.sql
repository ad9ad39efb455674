-- Mails that wait to be sent. `body` is sealed: it may hold a one-time token, which must not lie here in clear. It is emptied once sent.

create table outbox (
  id blob primary key,
  kind text not null,
  recipient text not null,
  subject text not null,
  body blob not null,
  state text not null check (state in ('waiting', 'sent', 'failed')),
  attempts integer not null default 0,
  next_at integer not null,
  expires_at integer not null,
  last_error text not null default '',
  created_at integer not null,
  ended_at integer
);
create index outbox_by_due on outbox (next_at) where state = 'waiting';
create index outbox_by_end on outbox (ended_at) where ended_at is not null;

-- down
drop table outbox;
