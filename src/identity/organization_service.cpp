#include "identity/organization_service.hpp"

#include <algorithm>

#include "identity/detail/organization_impl.hpp"

namespace pawl::identity {
namespace {

using detail::authorize;
using detail::lock_organization;

constexpr std::int64_t kMaxMemberships = 200;
constexpr std::int64_t kMaxMembers = 10'000;

Error last_owner() {
  return {ErrorClass::conflict, "organization.last_owner", "An organization needs an owner: make somebody else an owner first."};
}
Error member_not_found() { return {ErrorClass::not_found, "member.not_found", "This user is no member of the organization."}; }
Error user_not_found() {
  return {ErrorClass::not_found, "user.not_found", "There is no such user. Somebody without an account can be invited."};
}
Error no_power_over_owners() { return {ErrorClass::denied, "organization.denied", "Only owners make, change or remove owners."}; }

/// The most that credentials with these scopes may be in an organization.
Role largest_role(const Scopes& scopes) {
  if (scopes.has(Permission::own)) return Role::owner;
  if (scopes.has(Permission::manage)) return Role::admin;
  if (scopes.has(Permission::write) || scopes.has(Permission::execute)) return Role::member;
  return Role::viewer;
}

/// After a change: is there still an owner?
Result<void> keep_an_owner(storage::Session& session, const OrganizationId& id) {
  PAWL_TRY(owners, detail::count_owners(session, id));
  if (owners == 0) return last_owner();
  return {};
}

Result<OrganizationView> view_of(storage::Session& session, const OrganizationId& id, const UserId& user) {
  PAWL_TRY(found, detail::find_organization(session, id));
  if (!found) return detail::organization_not_found();
  OrganizationView view;
  view.organization = std::move(*found);
  PAWL_TRY(role, detail::find_role(session, id, user));
  view.role = role;
  PAWL_TRY(members, detail::count_members(session, id));
  view.members = members;
  return view;
}

/// Whoever could lower it from `owner` without being one would give himself what it takes away.
Result<void> take_destroy_role(Organization& organization, Role acting, const std::optional<Role>& wanted) {
  if (!wanted || *wanted == organization.destroy_role) return {};
  if (*wanted < Role::member) {
    Finding finding;
    finding.pointer = "/destroy_role";
    finding.message = "`member`, `admin` or `owner`: who only looks starts nothing.";
    finding.rule = "enum";
    return Error(ErrorClass::unprocessable, "organization.invalid", "The organization cannot be described like this.",
                 {std::move(finding)});
  }
  if ((*wanted == Role::owner || organization.destroy_role == Role::owner) && acting < Role::owner) {
    return Error(ErrorClass::denied, "organization.denied", "Only owners reserve destroying to owners, or give it to others again.");
  }
  organization.destroy_role = *wanted;
  return {};
}

}  // namespace

Actor actor_in(const Principal& principal, const OrganizationId& organization) {
  auto role = principal.role_in(organization);
  if (role) role = std::min(*role, largest_role(principal.scopes));
  return {principal.user, role, principal.superuser && principal.scopes.has(Permission::administer)};
}

namespace detail {

Error organization_not_found() { return {ErrorClass::not_found, "organization.not_found", "There is no such organization."}; }

Result<Role> authorize(storage::Session& session, const OrganizationId& id, const Actor& actor, Role needed) {
  PAWL_TRY(exists, find_organization(session, id));
  if (!exists) return organization_not_found();
  if (actor.superuser) return Role::owner;
  PAWL_TRY(stored, find_role(session, id, actor.user));
  if (!stored || !actor.role) return organization_not_found();
  const auto role = std::min(*stored, *actor.role);
  if (role < needed) {
    return Error(ErrorClass::denied, "organization.denied", "This asks for the role " + std::string(to_text(needed)) + " or a larger one.");
  }
  return role;
}

Result<void> room_for_member(storage::Session& session, const OrganizationId& id, const UserId& user) {
  PAWL_TRY(members, count_members(session, id));
  PAWL_TRY(memberships, count_memberships(session, user));
  if (members < kMaxMembers && memberships < kMaxMemberships) return {};
  return Error(ErrorClass::limited, "organization.full", "The organization has too many members, or the user too many organizations.");
}

}  // namespace detail

Organizations::Organizations(const Dependencies& dependencies) : impl_(std::make_unique<Impl>(dependencies)) {}
Organizations::~Organizations() = default;

void Organizations::add_part(OrganizationPart part) { impl_->parts.push_back(std::move(part)); }
void Organizations::on_membership_change(std::function<void(const UserId&)> listener) { impl_->changed = std::move(listener); }
void Organizations::on_deleted(std::function<void(const OrganizationId&)> listener) { impl_->deleted = std::move(listener); }
void Organizations::on_destroy_role(std::function<void(const OrganizationId&)> listener) {
  impl_->destroy_role_changed = std::move(listener);
}
void Organizations::on_invited(std::function<void(const Invited&)> listener) { impl_->invited = std::move(listener); }
void Organizations::membership_changed(const UserId& user) {
  if (impl_->changed) impl_->changed(user);
}

Result<OrganizationPage> Organizations::list(const UserId& user, std::uint32_t limit, std::optional<OrganizationId> after) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<OrganizationPage> {
    OrganizationPage page;
    PAWL_TRY(ids, detail::load_organization_ids(session, user, limit + 1, after.value_or(OrganizationId{})));
    for (const auto& id : ids) {
      if (page.organizations.size() == limit) {
        page.next = page.organizations.back().organization.id;
        break;
      }
      PAWL_TRY(view, view_of(session, id, user));
      page.organizations.push_back(std::move(view));
    }
    return page;
  });
}

Result<OrganizationView> Organizations::create(const UserId& owner, const NewOrganization& request) {
  OrganizationView view;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(id, create_organization(transaction, request, owner, impl_->d.clock.now(), impl_->d.random));
    PAWL_TRY(memberships, detail::count_memberships(transaction, owner));
    if (memberships > kMaxMemberships) return Error(ErrorClass::limited, "organization.full", "You belong to too many organizations.");
    PAWL_TRY(made, view_of(transaction, id, owner));
    view = std::move(made);
    return impl_->record(transaction, {.action = "organization.created", .actor = owner, .organization = id});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  membership_changed(owner);
  return view;
}

Result<OrganizationView> Organizations::get(const OrganizationId& id, const Actor& actor) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<OrganizationView> {
    PAWL_TRY_VOID(authorize(session, id, actor, Role::viewer));
    return view_of(session, id, actor.user);
  });
}

Result<OrganizationView> Organizations::update(const OrganizationId& id, const Actor& actor, const OrganizationChanges& changes) {
  OrganizationView view;
  bool is_moved = false;  // who may destroy
  std::vector<UserId> concerned;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, Role::admin));
    PAWL_TRY(found, detail::find_organization(transaction, id));
    auto organization = std::move(*found);
    const auto before = organization.destroy_role;
    PAWL_TRY_VOID(take_destroy_role(organization, acting, changes.destroy_role));
    if (changes.name) organization.name = *changes.name;
    if (changes.description) organization.description = *changes.description;
    PAWL_TRY_VOID(detail::check_texts(organization.name, organization.description));
    if (changes.slug && *changes.slug != organization.slug) {
      PAWL_TRY_VOID(detail::check_slug(*changes.slug));
      PAWL_TRY(taken, detail::slug_exists(transaction, *changes.slug));
      if (taken) return Error(ErrorClass::conflict, "organization.slug_taken", "Another organization has this short name.");
      organization.slug = *changes.slug;
    }
    organization.updated_at = impl_->d.clock.now();
    PAWL_TRY_VOID(detail::update_organization(transaction, organization));
    PAWL_TRY(changed, view_of(transaction, id, actor.user));
    view = std::move(changed);
    concerned.clear();
    is_moved = organization.destroy_role != before;
    if (is_moved) {
      PAWL_TRY(members, detail::load_member_ids(transaction, id));
      concerned = std::move(members);
      PAWL_TRY_VOID(impl_->record(transaction, {.action = "organization.destroy_role_changed",
                                                .actor = actor.user,
                                                .organization = id,
                                                .role = to_text(organization.destroy_role)}));
    }
    return impl_->record(transaction, {.action = "organization.changed", .actor = actor.user, .organization = id});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  // Also where nobody is a member, as in the installation's own organization.
  if (is_moved && impl_->destroy_role_changed) impl_->destroy_role_changed(id);
  for (const auto& user : concerned) membership_changed(user);
  return view;
}

Result<DeletionCounts> Organizations::Impl::count_parts(storage::Session& session, const OrganizationId& id) const {
  DeletionCounts counts;
  for (const auto& part : parts) {
    PAWL_TRY(count, part.count(session, id));
    counts.emplace_back(part.name, count);
  }
  PAWL_TRY(integrations, detail::count_integrations(session, id));
  counts.emplace_back("integrations", integrations);
  PAWL_TRY(keys, detail::count_api_keys(session, id));
  counts.emplace_back("api_keys", keys);
  PAWL_TRY(invitations, detail::count_open_invitations(session, id, d.clock.now()));
  counts.emplace_back("invitations", invitations);
  PAWL_TRY(members, detail::count_members(session, id));
  counts.emplace_back("members", members);
  return counts;
}

Result<void> Organizations::Impl::check_removal(storage::Session& session, const OrganizationId& id, const Actor& actor) const {
  PAWL_TRY_VOID(authorize(session, id, actor, Role::owner));
  PAWL_TRY(found, detail::find_organization(session, id));
  if (id == d.installation) {
    return Error(ErrorClass::conflict, "organization.protected", "The installation's own organization cannot be deleted.");
  }
  if (!found->personal_of) return {};
  return Error(ErrorClass::conflict, "organization.protected", "A personal organization lives as long as its user.");
}

Result<void> Organizations::Impl::erase(storage::Transaction& transaction, const OrganizationId& id, TimePoint now) const {
  for (const auto& part : parts) {
    if (part.remove) PAWL_TRY_VOID(part.remove(transaction, id, now));
  }
  return detail::delete_organization(transaction, id, now);
}

Result<DeletionCounts> Organizations::preview_removal(const OrganizationId& id, const Actor& actor) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<DeletionCounts> {
    PAWL_TRY_VOID(impl_->check_removal(session, id, actor));
    return impl_->count_parts(session, id);
  });
}

Result<DeletionCounts> Organizations::remove(const OrganizationId& id, const Actor& actor) {
  DeletionCounts counts;
  std::vector<UserId> members;
  const auto now = impl_->d.clock.now();
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY_VOID(impl_->check_removal(transaction, id, actor));
    PAWL_TRY(counted, impl_->count_parts(transaction, id));
    counts = std::move(counted);
    PAWL_TRY(users, detail::load_member_ids(transaction, id));
    members = std::move(users);
    PAWL_TRY_VOID(impl_->erase(transaction, id, now));
    return impl_->record(transaction, {.action = "organization.deleted", .actor = actor.user, .organization = id});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  announce_deleted({id});
  for (const auto& user : members) membership_changed(user);
  return counts;
}

Result<MemberPage> Organizations::members(const OrganizationId& id, const Actor& actor, std::uint32_t limit, std::optional<UserId> after) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<MemberPage> {
    PAWL_TRY_VOID(authorize(session, id, actor, Role::viewer));
    MemberPage page;
    PAWL_TRY(members, detail::load_members(session, id, limit + 1, after.value_or(UserId{})));
    page.members = std::move(members);
    if (page.members.size() > limit) {
      page.members.resize(limit);
      page.next = page.members.back().user;
    }
    return page;
  });
}

Result<Member> Organizations::Impl::add(storage::Transaction& transaction, const OrganizationId& id, const detail::UserRow& user,
                                        Role role) const {
  PAWL_TRY(present, detail::find_role(transaction, id, user.user.id));
  if (present) return Error(ErrorClass::conflict, "member.exists", "This user is a member already.");
  PAWL_TRY_VOID(detail::room_for_member(transaction, id, user.user.id));
  Member member;
  member.user = user.user.id;
  member.email = user.user.email;
  member.name = user.user.name;
  member.role = role;
  member.joined_at = d.clock.now();
  PAWL_TRY_VOID(detail::insert_member(transaction, id, user.user.id, role, member.joined_at));
  return member;
}

Result<Member> Organizations::add_member(const OrganizationId& id, const Actor& actor, const UserId& user, Role role) {
  return impl_->add_found(id, actor, role, [&](storage::Session& session) { return detail::load_user(session, user); });
}

Result<Member> Organizations::add_member(const OrganizationId& id, const Actor& actor, std::string_view email, Role role) {
  const auto key = email_key(email).value_or(std::string());  // nobody has the empty address
  return impl_->add_found(id, actor, role, [&](storage::Session& session) -> Result<std::optional<detail::UserRow>> {
    PAWL_TRY(row, detail::load_user_by_email(session, key));
    // Anybody can make an account for an address that is not theirs: until it is confirmed, it is nobody's.
    if (row && !row->user.email_verified_at) row.reset();
    return row;
  });
}

Result<Member> Organizations::Impl::add_found(const OrganizationId& id, const Actor& actor, Role role, const FindUser& find) {
  Member member;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, Role::admin));
    if (role == Role::owner && acting < Role::owner) return no_power_over_owners();
    PAWL_TRY(user, find(transaction));
    if (!user || !user->user.active) return user_not_found();
    PAWL_TRY(added, add(transaction, id, *user, role));
    member = std::move(added);
    return record(
        transaction,
        {.action = "organization.member_added", .actor = actor.user, .organization = id, .user = member.user, .role = to_text(role)});
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  if (changed) changed(member.user);
  return member;
}

Result<Member> Organizations::change_role(const OrganizationId& id, const Actor& actor, const UserId& user, Role role) {
  Member member;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, Role::admin));
    PAWL_TRY(present, detail::find_role(transaction, id, user));
    if (!present) return member_not_found();
    if ((role == Role::owner || *present == Role::owner) && acting < Role::owner) return no_power_over_owners();
    PAWL_TRY_VOID(detail::set_role(transaction, id, user, role));
    PAWL_TRY_VOID(keep_an_owner(transaction, id));
    PAWL_TRY(found, detail::find_member(transaction, id, user));
    if (!found) return member_not_found();
    member = std::move(*found);
    return impl_->record(
        transaction, {.action = "organization.role_changed", .actor = actor.user, .organization = id, .user = user, .role = to_text(role)});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  membership_changed(user);
  return member;
}

Result<void> Organizations::remove_member(const OrganizationId& id, const Actor& actor, const UserId& user) {
  const bool leaving = !actor.user.is_nil() && actor.user == user;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, leaving ? Role::viewer : Role::admin));
    PAWL_TRY(present, detail::find_role(transaction, id, user));
    if (!present) return member_not_found();
    if (!leaving && *present == Role::owner && acting < Role::owner) return no_power_over_owners();
    PAWL_TRY(organization, detail::find_organization(transaction, id));
    if (organization->personal_of == user) {
      return Error(ErrorClass::conflict, "organization.protected", "A personal organization keeps its user.");
    }
    PAWL_TRY_VOID(detail::delete_member(transaction, id, user));
    PAWL_TRY_VOID(keep_an_owner(transaction, id));
    return impl_->record(transaction, {.action = "organization.member_removed", .actor = actor.user, .organization = id, .user = user});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  membership_changed(user);
  return {};
}

Result<std::vector<OrganizationId>> Organizations::leave_everything(storage::Transaction& transaction, const UserId& user,
                                                                    const UserId& actor) {
  std::vector<OrganizationId> gone;
  const auto now = impl_->d.clock.now();
  PAWL_TRY(own, personal_organization(transaction, user));
  PAWL_TRY(memberships, load_memberships(transaction, user));
  for (const auto& [id, role, least] : memberships) {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    if (id == own) {
      PAWL_TRY_VOID(impl_->erase(transaction, id, now));
      PAWL_TRY_VOID(impl_->record(transaction, {.action = "organization.deleted", .actor = actor, .organization = id}));
      gone.push_back(id);
      continue;
    }
    PAWL_TRY_VOID(detail::delete_member(transaction, id, user));
    PAWL_TRY_VOID(keep_an_owner(transaction, id));
    PAWL_TRY_VOID(impl_->record(transaction, {.action = "organization.member_removed", .actor = actor, .organization = id, .user = user}));
  }
  return gone;
}

void Organizations::announce_deleted(const std::vector<OrganizationId>& organizations) {
  if (!impl_->deleted) return;
  for (const auto& id : organizations) impl_->deleted(id);
}

}  // namespace pawl::identity
