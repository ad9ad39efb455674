#include "identity/organizations.hpp"

#include <gmock/gmock.h>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

using testing::SizeIs;

class OrganizationsTest : public StoredTest {
 protected:
  Result<OrganizationId> create(const NewOrganization& request, const UserId& owner) {
    Result<OrganizationId> made = OrganizationId{};
    const auto written = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      made = create_organization(transaction, request, owner, clock_.now(), random_);
      if (made.has_error()) return made.error();
      return {};
    });
    if (written.has_error()) return written.error();
    return made;
  }
  UserId user() { return UserId::make(clock_.now(), random_); }
};

TEST_F(OrganizationsTest, P2_WhoMakesAnOrganizationOwnsIt) {
  const auto ada = user();
  const auto made = create({.name = "Acme & Sons"}, ada);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const auto memberships = database_->read([&](storage::Session& session) { return load_memberships(session, ada); });
  ASSERT_TRUE(memberships.has_value());
  ASSERT_THAT(*memberships, SizeIs(1));
  EXPECT_EQ(memberships->front().organization, *made);
  EXPECT_EQ(memberships->front().role, Role::owner);
}

TEST_F(OrganizationsTest, P2_APersonalOrganizationIsFoundByItsUser) {
  const auto ada = user();
  const auto made = create({.name = "Ada", .personal = true}, ada);
  const auto found = database_->read([&](storage::Session& session) { return personal_organization(session, ada); });
  ASSERT_TRUE(made.has_value() && found.has_value());
  EXPECT_EQ(*found, *made);
}

TEST_F(OrganizationsTest, NamesAreChecked) {
  const auto made = create({.name = "  "}, user());
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, "organization.invalid");
  EXPECT_THAT(made.error().findings, SizeIs(1));
}

TEST_F(OrganizationsTest, TheSameNameTwiceGetsTwoSlugs) {
  EXPECT_TRUE(create({.name = "Acme"}, user()).has_value());
  EXPECT_TRUE(create({.name = "Acme"}, user()).has_value());
}

TEST_F(OrganizationsTest, TheInstallationsOrganizationIsMadeOnceAndKeepsItsId) {
  const auto first = ensure_organization(*database_, clock_, random_);
  const auto second = ensure_organization(*database_, clock_, random_);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(*first, *second);
}

TEST_F(OrganizationsTest, AnOlderInstallationsOrganizationIsTakenOver) {
  const auto id = OrganizationId::make(clock_.now(), random_);
  ASSERT_TRUE(database_
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    PAWL_TRY_VOID(
                        transaction.execute("insert into settings (key, value) values ('organization_id', $1)", {id.to_string()}));
                    return {};
                  })
                  .has_value());
  const auto ensured = ensure_organization(*database_, clock_, random_);
  ASSERT_TRUE(ensured.has_value());
  EXPECT_EQ(*ensured, id);
}

TEST(Slug, IsWrittenInLettersDigitsAndSingleHyphens) {
  EXPECT_EQ(slug_of("Acme & Sons, Ltd."), "acme-sons-ltd");
  EXPECT_EQ(slug_of("Söhne"), "s-hne");
  EXPECT_EQ(slug_of("  "), "organization");
  EXPECT_EQ(slug_of(std::string(100, 'a')).size(), 48);
}

}  // namespace
}  // namespace pawl::identity
