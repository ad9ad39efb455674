-- What people should hear of. A row counts the notices of one kind and subject within an hour; `pending`: channels and followers have not
-- heard of this count yet. `least_role` 0 (viewer) to 3 (owner).
create table notifications (
  id blob primary key,
  organization_id blob not null,
  kind text not null,
  subject text not null,
  title text not null,
  data text not null,
  least_role integer not null,
  count integer not null,
  created_at integer not null,
  updated_at integer not null,
  pending integer not null
) without rowid;
create index notifications_of_organization on notifications (organization_id, updated_at, id);
create index notifications_pending on notifications (updated_at) where pending = 1;

-- How far somebody has read: what was counted later is new again.
create table notification_reads (
  user_id blob not null,
  notification_id blob not null,
  organization_id blob not null,
  read_count integer not null,
  primary key (user_id, notification_id)
) without rowid;

create table notification_preferences (
  user_id blob not null,
  organization_id blob not null,
  kind text not null,
  in_app integer not null,
  email integer not null,
  primary key (user_id, organization_id, kind)
) without rowid;
create index notification_preferences_mail on notification_preferences (organization_id, kind) where email = 1;

-- Where an organization is told: Slack, a webhook. `sealed_config` is the address and the key that signs; `kinds` is empty for all, else
-- `,run.failed,dead_letter,`.
create table notification_channels (
  id blob primary key,
  organization_id blob not null,
  kind text not null,
  name text not null,
  host text not null,
  sealed_config blob not null,
  kinds text not null,
  is_active integer not null,
  created_by blob,
  created_at integer not null,
  updated_at integer not null,
  last_sent_at integer,
  last_error text,
  unique (organization_id, name)
);

-- What a channel, or a member by mail, is still to be told; and when each of them may be told next.
create table notification_queue (
  target blob not null,
  organization_id blob not null,
  notification_id blob not null,
  count integer not null,
  queued_at integer not null,
  primary key (target, organization_id, notification_id)
) without rowid;
create table notification_targets (
  target blob not null,
  organization_id blob not null,
  by_mail integer not null,
  next_at integer not null,
  attempts integer not null,
  primary key (target, organization_id)
) without rowid;
create index notification_targets_due on notification_targets (next_at);

-- down
drop table notification_targets;
drop table notification_queue;
drop table notification_channels;
drop table notification_preferences;
drop table notification_reads;
drop table notifications;
