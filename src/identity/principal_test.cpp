#include "identity/principal.hpp"

#include <gtest/gtest.h>

namespace pawl::identity {
namespace {

const OrganizationId kOurs = *OrganizationId::parse("00000000-0000-7000-8000-000000000001");
const OrganizationId kTheirs = *OrganizationId::parse("00000000-0000-7000-8000-000000000002");

Principal member_of(const OrganizationId& organization, Role role) {
  Principal principal;
  principal.kind = Principal::Kind::user;
  principal.memberships.push_back({organization, role});
  return principal;
}

TEST(Principal, P2_S4_O1_ARoleGrantsWhatStandsBelowItAndNothingElsewhere) {
  const auto viewer = member_of(kOurs, Role::viewer);
  EXPECT_TRUE(viewer.permits(Permission::read, kOurs));
  for (const auto more : {Permission::execute, Permission::write, Permission::manage, Permission::own, Permission::administer}) {
    EXPECT_FALSE(viewer.permits(more, kOurs)) << to_text(more);
  }
  const auto admin = member_of(kOurs, Role::admin);
  EXPECT_TRUE(admin.permits(Permission::manage, kOurs));
  EXPECT_FALSE(admin.permits(Permission::own, kOurs));
  const auto owner = member_of(kOurs, Role::owner);
  EXPECT_TRUE(owner.permits(Permission::own, kOurs));
  for (const auto any : {Permission::read, Permission::write, Permission::own}) EXPECT_FALSE(owner.permits(any, kTheirs)) << to_text(any);
}

TEST(Principal, NobodyIsPermittedOnlyWhatIsOpen) {
  const Principal nobody;
  EXPECT_TRUE(nobody.permits(Permission::open, kOurs));
  for (const auto any : {Permission::account, Permission::read, Permission::administer}) EXPECT_FALSE(nobody.permits(any, kOurs));
}

TEST(Principal, AnApiKeyHasNoMoreThanItsScopes) {
  auto key = member_of(kOurs, Role::owner);
  key.kind = Principal::Kind::api_key;
  key.scopes = Scopes();
  key.scopes.add(Permission::read);
  EXPECT_TRUE(key.permits(Permission::read, kOurs));
  EXPECT_FALSE(key.permits(Permission::write, kOurs));
}

// proves: S4-H3
TEST(Principal, S4_H3_WhoMayDestroyIsForTheOrganizationToSay) {
  EXPECT_TRUE(member_of(kOurs, Role::member).may_destroy(kOurs)) << "as it was before there was a setting";
  EXPECT_FALSE(member_of(kOurs, Role::viewer).may_destroy(kOurs));
  EXPECT_FALSE(member_of(kOurs, Role::owner).may_destroy(kTheirs));
  EXPECT_FALSE(Principal().may_destroy(kOurs));
  for (const auto least : {Role::member, Role::admin, Role::owner}) {
    for (const auto role : {Role::viewer, Role::member, Role::admin, Role::owner}) {
      auto principal = member_of(kOurs, role);
      principal.memberships.front().destroy_role = least;
      EXPECT_EQ(principal.may_destroy(kOurs), role >= least) << to_text(role) << " where it takes " << to_text(least);
      principal.kind = Principal::Kind::api_key;
      principal.scopes = Scopes();
      principal.scopes.add(Permission::execute);
      EXPECT_EQ(principal.may_destroy(kOurs), role >= least) << "a key acts as its user, where it may act at all";
      principal.superuser = true;
      EXPECT_EQ(principal.may_destroy(kOurs), role >= least) << "a key without the scope is no administrator's";
      principal.scopes = Scopes::all();
      EXPECT_TRUE(principal.may_destroy(kOurs));
    }
  }
}

TEST(Principal, NamesOfRolesAndPermissionsReadBack) {
  for (const auto role : {Role::viewer, Role::member, Role::admin, Role::owner}) EXPECT_EQ(parse_role(to_text(role)), role);
  EXPECT_EQ(parse_permission(to_text(Permission::manage)), Permission::manage);
  EXPECT_FALSE(parse_role("root"));
}

}  // namespace
}  // namespace pawl::identity
