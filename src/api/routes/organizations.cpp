// Organizations, their members, and invitations.
#include "identity/organization_service.hpp"

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

using identity::Role;

void append_organization(std::string& out, const identity::OrganizationView& view) {
  const auto& organization = view.organization;
  ObjectWriter object(out);
  object.text("id", organization.id.to_string());
  object.text("name", organization.name);
  object.text("slug", organization.slug);
  object.text("description", organization.description);
  object.boolean("personal", organization.personal_of.has_value());
  object.text_or_null("role", view.role ? identity::to_text(*view.role) : "");
  object.text("destroy_role", identity::to_text(organization.destroy_role));
  object.integer("members", view.members);
  object.time("created_at", organization.created_at);
  object.time("updated_at", organization.updated_at);
}

void append_member(std::string& out, const identity::Member& member) {
  ObjectWriter object(out);
  object.text("user_id", member.user.to_string());
  object.text("email", member.email);
  object.text("name", member.name);
  object.text("role", identity::to_text(member.role));
  object.time("joined_at", member.joined_at);
}

void append_invitation(std::string& out, const identity::Invitation& invitation) {
  ObjectWriter object(out);
  object.text("id", invitation.id.to_string());
  object.text("email", invitation.email);
  object.text("role", identity::to_text(invitation.role));
  object.text_or_null("invited_by", invitation.invited_by ? invitation.invited_by->to_string() : "");
  object.time("created_at", invitation.created_at);
  object.time("expires_at", invitation.expires_at);
}

template <class Value, class Append>
void reply_with(Call& call, int status, const Value& value, Append append) {
  std::string out;
  append(out, value);
  call.reply(status, std::move(out));
}

void reply_counts(Call& call, const identity::DeletionCounts& counts, bool dry_run) {
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("dry_run", dry_run);
    ObjectWriter inner(object.raw("removed"));
    for (const auto& [name, count] : counts) inner.integer(name, count);
  }
  call.reply(200, std::move(out));
}

void reply_nothing(Call& call) { call.reply(http::Response::empty()); }

/// The organization in the path, in which the gate has let the caller act.
Result<OrganizationId> organization_of(const Call& call) {
  PAWL_TRY(id, path_id<OrganizationId>(call.request, "org_id", "organization.not_found", "organization"));
  if (id == call.organization) return id;
  return Error(ErrorClass::not_found, "organization.not_found", "There is no organization of this id.");
}
Result<UserId> member_of(const Call& call) { return path_id<UserId>(call.request, "user_id", "member.not_found", "member"); }
Result<InvitationId> invitation_of(const Call& call) {
  return path_id<InvitationId>(call.request, "invitation_id", "invitation.not_found", "invitation");
}
identity::Actor actor_of(const Call& call) { return identity::actor_in(call.principal, call.organization); }

/// The shape has checked it.
Role role_in(const json::Value& body, Role otherwise) {
  const auto& role = body.get("role");
  return role.is_string() ? identity::parse_role(role.as_string()).value_or(otherwise) : otherwise;
}

std::optional<std::string> text_in(const json::Value& body, std::string_view name) {
  const auto& value = body.get(name);
  if (!value.is_string()) return std::nullopt;
  return std::string(value.as_string());
}

// ---- organizations --------------------------------------------------------------------------------------------------------------

void list_organizations(Context& context, Call call) {
  Query query(call.request);
  const auto limit = query.limit();
  std::optional<OrganizationId> after;
  if (const auto cursor = query.text("cursor")) {
    after = OrganizationId::parse(*cursor);
    if (!after) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  auto& organizations = *context.d.organizations;
  identity::OrganizationPage page;
  if (call.principal.kind != identity::Principal::Kind::user) {
    // The installation's own key belongs to no user, and an API key to one organization: it sees what it may act in.
    for (const auto& membership : call.principal.memberships) {
      PAWL_API_TRY(view, organizations.get(membership.organization, identity::actor_in(call.principal, membership.organization)));
      view.role = membership.role;
      page.organizations.push_back(std::move(view));
    }
  } else {
    PAWL_API_TRY(listed, organizations.list(call.principal.user, limit, after));
    page = std::move(listed);
  }
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.organizations, [&](const identity::OrganizationView& view) { append_organization(out, view); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void create_organization(Context& context, Call call) {
  identity::NewOrganization request;
  request.name = text_in(call.body, "name").value_or("");
  request.description = text_in(call.body, "description").value_or("");
  PAWL_API_TRY(view, context.d.organizations->create(call.principal.user, request));
  reply_with(call, 201, view, append_organization);
}

void get_organization(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(view, context.d.organizations->get(id, actor_of(call)));
  reply_with(call, 200, view, append_organization);
}

void update_organization(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  identity::OrganizationChanges changes;
  changes.name = text_in(call.body, "name");
  changes.description = text_in(call.body, "description");
  changes.slug = text_in(call.body, "slug");
  if (const auto least = text_in(call.body, "destroy_role")) changes.destroy_role = identity::parse_role(*least);
  PAWL_API_TRY(view, context.d.organizations->update(id, actor_of(call), changes));
  reply_with(call, 200, view, append_organization);
}

/// `Prefer: return=representation` (RFC 7240): what went, instead of nothing.
bool wants_representation(const http::Request& request) {
  return request.header("Prefer").find("return=representation") != std::string_view::npos;
}

void delete_organization(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  Query query(call.request);
  const auto dry_run = query.text("dry_run").value_or("false");
  if (dry_run != "true" && dry_run != "false") query.problem("dry_run", "is true or false");
  PAWL_API_CHECK(query.finish());
  auto& organizations = *context.d.organizations;
  if (dry_run == "true") {
    PAWL_API_TRY(counts, organizations.preview_removal(id, actor_of(call)));
    return reply_counts(call, counts, true);
  }
  PAWL_API_TRY(counts, organizations.remove(id, actor_of(call)));
  if (wants_representation(call.request)) return reply_counts(call, counts, false);
  call.reply(http::Response::empty(204));
}

// ---- members --------------------------------------------------------------------------------------------------------------------

void list_members(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  Query query(call.request);
  const auto limit = query.limit();
  std::optional<UserId> after;
  if (const auto cursor = query.text("cursor")) {
    after = UserId::parse(*cursor);
    if (!after) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.d.organizations->members(id, actor_of(call), limit, after));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.members, [&](const identity::Member& member) { append_member(out, member); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void add_member(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  const auto user = text_in(call.body, "user_id");
  const auto email = text_in(call.body, "email");
  const auto role = role_in(call.body, Role::member);
  if (user.has_value() == email.has_value()) {
    Finding finding;
    finding.message = "Name the user by `user_id` or by `email`.";
    finding.rule = "one-of";
    return call.fail(Error(ErrorClass::unprocessable, "request.invalid", "The request has 1 problem.", {std::move(finding)}));
  }
  auto& organizations = *context.d.organizations;
  if (email) {
    PAWL_API_TRY(member, organizations.add_member(id, actor_of(call), std::string_view(*email), role));
    return reply_with(call, 201, member, append_member);
  }
  PAWL_API_TRY(member, organizations.add_member(id, actor_of(call), UserId::parse(*user).value_or(UserId{}), role));
  reply_with(call, 201, member, append_member);
}

void change_member(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(user, member_of(call));
  PAWL_API_TRY(member, context.d.organizations->change_role(id, actor_of(call), user, role_in(call.body, Role::viewer)));
  reply_with(call, 200, member, append_member);
}

void remove_member(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(user, member_of(call));
  // Everybody may leave, so the row asks for no more than `read`. A key that was made to read takes nobody out, its own user neither.
  if (call.principal.kind == identity::Principal::Kind::api_key && !call.principal.permits(Permission::manage, id)) {
    return call.fail(forbidden(Permission::manage));
  }
  if (const auto removed = context.d.organizations->remove_member(id, actor_of(call), user); removed.has_error()) {
    return call.fail(removed.error());
  }
  reply_nothing(call);
}

// ---- invitations ----------------------------------------------------------------------------------------------------------------

void list_invitations(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(invitations, context.d.organizations->invitations(id, actor_of(call)));
  Query query(call.request);
  const auto page = page_of(query, invitations, [](const identity::Invitation& each) { return each.id.to_string(); });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const identity::Invitation& each) { append_invitation(out, each); });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void invite(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  const auto email = text_in(call.body, "email").value_or("");
  PAWL_API_TRY(invitation, context.d.organizations->invite(id, actor_of(call), email, role_in(call.body, Role::member)));
  reply_with(call, 201, invitation, append_invitation);
}

void resend_invitation(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(which, invitation_of(call));
  PAWL_API_TRY(invitation, context.d.organizations->resend(id, actor_of(call), which));
  reply_with(call, 200, invitation, append_invitation);
}

void revoke_invitation(Context& context, Call call) {
  PAWL_API_TRY(id, organization_of(call));
  PAWL_API_TRY(which, invitation_of(call));
  if (const auto revoked = context.d.organizations->revoke(id, actor_of(call), which); revoked.has_error()) {
    return call.fail(revoked.error());
  }
  reply_nothing(call);
}

void preview_invitation(Context& context, Call call) {
  PAWL_API_TRY(preview, context.d.organizations->preview(text_in(call.body, "token").value_or("")));
  std::string out;
  {
    ObjectWriter object(out);
    object.text("organization", preview.organization);
    object.text("email", preview.email);
    object.text("role", identity::to_text(preview.role));
    object.time("expires_at", preview.expires_at);
  }
  call.reply(200, std::move(out));
}

void accept_invitation(Context& context, Call call) {
  PAWL_API_TRY(view, context.d.organizations->accept(call.principal.user, text_in(call.body, "token").value_or("")));
  reply_with(call, 200, view, append_organization);
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape role_shape() { return Shape::choice({"viewer", "member", "admin", "owner"}); }

Shape destroy_role_shape() {
  return Shape::choice({"member", "admin", "owner"}).described("The least role whose runs may let functions destroy.");
}

Shape organization_shape() {
  return Shape::object("Organization", {{"id", Shape::id()},
                                        {"name", Shape::text("Acme", 200)},
                                        {"slug", Shape::text("acme", 48)},
                                        {"description", Shape::text("Makes everything", 4000)},
                                        {"personal", Shape::boolean(false)},
                                        {"role", role_shape().or_null()},
                                        {"destroy_role", destroy_role_shape()},
                                        {"members", Shape::integer(3)},
                                        {"created_at", Shape::time()},
                                        {"updated_at", Shape::time()}});
}

Shape member_shape() {
  return Shape::object("Member", {{"user_id", Shape::id()},
                                  {"email", Shape::email("ada@example.org")},
                                  {"name", Shape::text("Ada")},
                                  {"role", role_shape()},
                                  {"joined_at", Shape::time()}});
}

Shape invitation_shape() {
  return Shape::object("Invitation", {{"id", Shape::id()},
                                      {"email", Shape::email("bob@example.org")},
                                      {"role", role_shape()},
                                      {"invited_by", Shape::id().or_null()},
                                      {"created_at", Shape::time()},
                                      {"expires_at", Shape::time()}});
}

Shape deletion_shape() {
  return Shape::object("OrganizationRemoval", {{"dry_run", Shape::boolean(true).described("Nothing was removed: this is what would be.")},
                                               {"removed", Shape::map("workflows", Shape::integer(3))}});
}

Shape token_shape() { return Shape::object("InvitationToken", {{"token", Shape::secret(200)}}); }

std::vector<Route> organization_rows() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/organizations",
       .id = "listOrganizations",
       .tag = "organizations",
       .summary = "List the organizations that you belong to",
       .permission = Permission::account,
       .handler = list_organizations,
       .runs = Runs::pool,
       .query = {limit_parameter(), cursor_parameter()},
       .reply = Shape::page("OrganizationPage", organization_shape())},
      {.method = Method::post,
       .path = "/api/organizations",
       .id = "createOrganization",
       .tag = "organizations",
       .summary = "Create an organization; you become its owner",
       .permission = Permission::account,
       .handler = create_organization,
       .runs = Runs::pool,
       .body = Body::json,
       .request = Shape::object("NewOrganization", {{"name", Shape::text("Acme", 200).at_least(1)},
                                                    {"description", Shape::text("Makes everything", 4000), Shape::kOptional}}),
       .status = 201,
       .reply = organization_shape()},
      {.method = Method::get,
       .path = "/api/organizations/{org_id}",
       .id = "getOrganization",
       .tag = "organizations",
       .summary = "Read an organization",
       .permission = Permission::read,
       .handler = get_organization,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .reply = organization_shape()},
      {.method = Method::put,
       .path = "/api/organizations/{org_id}",
       .id = "updateOrganization",
       .tag = "organizations",
       .summary = "Change an organization",
       .permission = Permission::manage,
       .handler = update_organization,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .body = Body::json,
       .request = Shape::object("OrganizationChanges", {{"name", Shape::text("Acme", 200).at_least(1), Shape::kOptional},
                                                        {"description", Shape::text("Makes everything", 4000), Shape::kOptional},
                                                        {"slug", Shape::text("acme", 48), Shape::kOptional},
                                                        {"destroy_role", destroy_role_shape(), Shape::kOptional}}),
       .reply = organization_shape(),
       .description = "The slug stays when the name changes; name a new one to change it. Only owners take `destroy_role` to `owner`, or "
                      "away from there."},
      {.method = Method::delete_,
       .path = "/api/organizations/{org_id}",
       .id = "deleteOrganization",
       .tag = "organizations",
       .summary = "Delete an organization and everything that belongs to it",
       .permission = Permission::own,
       .handler = delete_organization,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .query = {{"dry_run", Shape::boolean(true), "Only count what would be removed."}},
       .status = 204,
       .other_replies = {{200, "What would be removed, or with the field `Prefer: return=representation` what was.", "application/json",
                          deletion_shape()}},
       .description =
           "Running runs are cancelled; what has ended stays readable to nobody until retention removes it. Personal organizations "
           "live as long as their user."},
  };
}

std::vector<Route> member_rows() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/organizations/{org_id}/members",
       .id = "listMembers",
       .tag = "organizations",
       .summary = "List the members",
       .permission = Permission::read,
       .handler = list_members,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .query = {limit_parameter(), cursor_parameter()},
       .reply = Shape::page("MemberPage", member_shape())},
      {.method = Method::post,
       .path = "/api/organizations/{org_id}/members",
       .id = "addMember",
       .tag = "organizations",
       .summary = "Make a user a member",
       .permission = Permission::manage,
       .handler = add_member,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .body = Body::json,
       .request = Shape::object("NewMember", {{"user_id", Shape::id(), Shape::kOptional},
                                              {"email", Shape::text("ada@example.org", 254), Shape::kOptional},
                                              {"role", role_shape(), Shape::kOptional}})
                      .with_example(json::Value::object({{"email", "ada@example.org"}, {"role", "member"}})),
       .status = 201,
       .reply = member_shape(),
       .description = "By `user_id` or by `email`; whoever has no account can be invited."},
      {.method = Method::put,
       .path = "/api/organizations/{org_id}/members/{user_id}",
       .id = "changeMember",
       .tag = "organizations",
       .summary = "Change a member's role",
       .permission = Permission::manage,
       .handler = change_member,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .body = Body::json,
       .request = Shape::object("MemberChange", {{"role", role_shape()}}),
       .reply = member_shape(),
       .description = "Only owners make, change or remove owners; the last one stays."},
      {.method = Method::delete_,
       .path = "/api/organizations/{org_id}/members/{user_id}",
       .id = "removeMember",
       .tag = "organizations",
       .summary = "Remove a member, or leave",
       .permission = Permission::read,
       .handler = remove_member,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .status = 204,
       .description = "Every member may leave; removing others needs the permission `manage`."},
  };
}

std::vector<Route> invitation_rows() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/organizations/{org_id}/invitations",
       .id = "listInvitations",
       .tag = "organizations",
       .summary = "List open invitations",
       .permission = Permission::manage,
       .handler = list_invitations,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .query = whole_list_parameters(),
       .reply = Shape::page("InvitationPage", invitation_shape())},
      {.method = Method::post,
       .path = "/api/organizations/{org_id}/invitations",
       .id = "createInvitation",
       .tag = "organizations",
       .summary = "Invite somebody by e-mail",
       .permission = Permission::manage,
       .handler = invite,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .body = Body::json,
       .request =
           Shape::object("NewInvitation", {{"email", Shape::text("bob@example.org", 254)}, {"role", role_shape(), Shape::kOptional}}),
       .status = 201,
       .reply = invitation_shape(),
       .description = "The token travels in the mail only. It is worth one acceptance within seven days."},
      {.method = Method::post,
       .path = "/api/organizations/{org_id}/invitations/{invitation_id}/resend",
       .id = "resendInvitation",
       .tag = "organizations",
       .summary = "Send an invitation again, with a new token",
       .permission = Permission::manage,
       .handler = resend_invitation,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .reply = invitation_shape()},
      {.method = Method::delete_,
       .path = "/api/organizations/{org_id}/invitations/{invitation_id}",
       .id = "revokeInvitation",
       .tag = "organizations",
       .summary = "Take an invitation back",
       .permission = Permission::manage,
       .handler = revoke_invitation,
       .runs = Runs::pool,
       .owner = &kOrganizationOwner,
       .status = 204},
      {.method = Method::post,
       .path = "/api/invitations/preview",
       .id = "previewInvitation",
       .tag = "organizations",
       .summary = "What an invitation's token invites to",
       .permission = Permission::open,
       .handler = preview_invitation,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = token_shape(),
       .reply = Shape::object("InvitationPreview", {{"organization", Shape::text("Acme")},
                                                    {"email", Shape::email("bob@example.org")},
                                                    {"role", role_shape()},
                                                    {"expires_at", Shape::time()}})},
      {.method = Method::post,
       .path = "/api/invitations/accept",
       .id = "acceptInvitation",
       .tag = "organizations",
       .summary = "Accept an invitation",
       .permission = Permission::account,
       .handler = accept_invitation,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = token_shape(),
       .reply = organization_shape(),
       .description = "Your account's e-mail address must be verified and the one that was invited."},
  };
}

}  // namespace

std::vector<Route> organization_routes() {
  auto rows = organization_rows();
  for (auto& row : member_rows()) rows.push_back(std::move(row));
  for (auto& row : invitation_rows()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace pawl::api::detail
