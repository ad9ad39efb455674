-- Organizations, who belongs to them, and who has been asked to join.

create table organizations (
  id blob primary key,
  name text not null,
  slug text not null,
  description text not null default '',
  personal_of blob unique,
  created_at integer not null,
  updated_at integer not null,
  deleted_at integer
);
create unique index organizations_by_slug on organizations (slug) where deleted_at is null;

create table organization_members (
  organization_id blob not null references organizations (id),
  user_id blob not null,
  role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
  joined_at integer not null,
  primary key (organization_id, user_id)
) without rowid;
create index organization_members_by_user on organization_members (user_id);

-- `token_hash` is of the one-time token that only the mail carries; `email` is in lower case.
create table invitations (
  id blob primary key,
  organization_id blob not null references organizations (id),
  email text not null,
  role text not null check (role in ('viewer', 'member', 'admin', 'owner')),
  token_hash blob not null unique,
  invited_by blob,
  created_at integer not null,
  expires_at integer not null,
  accepted_at integer,
  accepted_by blob,
  revoked_at integer
);
create index invitations_by_organization on invitations (organization_id, id);

-- down
drop table invitations;
drop table organization_members;
drop table organizations;
