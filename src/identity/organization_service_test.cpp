#include "identity/organization_service.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "identity/detail/test_support.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/mailer.hpp"
#include "identity/user_admin.hpp"

namespace pawl::identity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class KeptMails final : public Mailer {
 public:
  [[nodiscard]] Result<void> send(storage::Transaction&, const Message& message) override {
    mails.push_back(message);
    return {};
  }
  /// The token in the link of the last one.
  [[nodiscard]] std::string token() const {
    const auto& text = mails.back().text;
    const auto begin = text.find("/invitation#") + 12;
    return text.substr(begin, text.find('\n', begin) - begin);
  }
  std::vector<Message> mails;
};

class OrganizationServiceTest : public StoredTest {
 protected:
  OrganizationServiceTest() {
    Organizations::Dependencies parts{*database_, mailer_, clock_, random_};
    parts.public_url = "https://pawl.example.com";
    parts.record = [this](storage::Transaction&, const OrganizationEvent& event) -> Result<void> {
      recorded_.emplace_back(event.action);
      return {};
    };
    service_ = std::make_unique<Organizations>(parts);
    service_->on_membership_change([this](const UserId& user) { changed_.push_back(user); });
    ada_ = add_user("ada@example.org");
    bob_ = add_user("bob@example.org");
    eve_ = add_user("eve@example.org");
    acme_ = service_->create(ada_, {.name = "Acme"})->organization.id;
    theirs_ = service_->create(eve_, {.name = "Theirs"})->organization.id;
  }
  ~OrganizationServiceTest() override { service_.reset(); }

  UserId add_user(const std::string& email, bool verified = true, bool superuser = false) {
    detail::UserRow row;
    row.user.id = UserId::make(clock_.now(), random_);
    row.user.email = row.email_key = email;
    row.user.name = email.substr(0, email.find('@'));
    row.user.superuser = superuser;
    if (verified) row.user.email_verified_at = clock_.now();
    row.user.created_at = row.user.updated_at = clock_.now();
    EXPECT_TRUE(database_->write_and_wait([&](storage::Transaction& t) { return detail::insert_user(t, row); }).has_value());
    return row.user.id;
  }
  static Actor as(const UserId& user, Role role = Role::owner) { return {user, role, false}; }
  void add(const UserId& user, Role role) { ASSERT_TRUE(service_->add_member(acme_, as(ada_), user, role).has_value()); }
  template <class T>
  static std::string code(const Result<T>& result) {
    return result.has_error() ? result.error().code : "ok";
  }

  KeptMails mailer_;
  std::unique_ptr<Organizations> service_;
  std::vector<std::string> recorded_;
  std::vector<UserId> changed_;
  UserId ada_, bob_, eve_;
  OrganizationId acme_, theirs_;
};

// ---- who may what -----------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, P2_FA_13_ToWhoIsNoMemberAnOrganizationDoesNotExist) {
  const auto outsider = as(eve_);  // claims to be an owner; the database knows better
  EXPECT_EQ(code(service_->get(acme_, outsider)), "organization.not_found");
  EXPECT_EQ(code(service_->update(acme_, outsider, {.name = "x"})), "organization.not_found");
  EXPECT_EQ(code(service_->remove(acme_, outsider)), "organization.not_found");
  EXPECT_EQ(code(service_->preview_removal(acme_, outsider)), "organization.not_found");
  EXPECT_EQ(code(service_->members(acme_, outsider, 10, {})), "organization.not_found");
  EXPECT_EQ(code(service_->add_member(acme_, outsider, bob_, Role::viewer)), "organization.not_found");
  EXPECT_EQ(code(service_->change_role(acme_, outsider, ada_, Role::viewer)), "organization.not_found");
  EXPECT_EQ(code(service_->remove_member(acme_, outsider, ada_)), "organization.not_found");
  EXPECT_EQ(code(service_->invite(acme_, outsider, "x@example.org", Role::viewer)), "organization.not_found");
  EXPECT_EQ(code(service_->invitations(acme_, outsider)), "organization.not_found");
  EXPECT_EQ(code(service_->get(acme_, {ada_, std::nullopt, false})), "organization.not_found") << "a key of another organization";
}

// proves: S4-H3
TEST_F(OrganizationServiceTest, S4_H3_WhoMayDestroyIsASettingThatNobodySetsAboveTheOwnRole) {
  add(bob_, Role::admin);
  const auto admin = as(bob_, Role::admin);
  EXPECT_EQ(service_->get(acme_, admin)->organization.destroy_role, Role::member);
  const auto memberships = [&](const UserId& user) {
    return database_->read([&](storage::Session& session) { return load_memberships(session, user); }).value();
  };
  recorded_.clear();
  changed_.clear();
  std::vector<OrganizationId> told;
  service_->on_destroy_role([&](const OrganizationId& id) { told.push_back(id); });
  ASSERT_TRUE(service_->update(acme_, admin, {.destroy_role = Role::admin}).has_value());
  EXPECT_THAT(recorded_, ElementsAre("organization.destroy_role_changed", "organization.changed"));
  EXPECT_THAT(changed_, testing::UnorderedElementsAre(ada_, bob_)) << "what is cached of them is stale";
  EXPECT_THAT(told, ElementsAre(acme_));
  EXPECT_EQ(service_->get(acme_, admin)->organization.destroy_role, Role::admin);
  for (const auto& membership : memberships(bob_)) EXPECT_EQ(membership.destroy_role, Role::admin);
  for (const auto& membership : memberships(eve_)) EXPECT_EQ(membership.destroy_role, Role::member);

  EXPECT_EQ(code(service_->update(acme_, admin, {.destroy_role = Role::viewer})), "organization.invalid");
  EXPECT_EQ(code(service_->update(acme_, admin, {.destroy_role = Role::owner})), "organization.denied");
  ASSERT_TRUE(service_->update(acme_, as(ada_), {.destroy_role = Role::owner}).has_value());
  EXPECT_EQ(code(service_->update(acme_, admin, {.destroy_role = Role::member})), "organization.denied");
  recorded_.clear();
  ASSERT_TRUE(service_->update(acme_, admin, {.name = "Acme 2", .destroy_role = Role::owner}).has_value()) << "as it is";
  EXPECT_THAT(recorded_, ElementsAre("organization.changed"));
}

TEST_F(OrganizationServiceTest, P1_AKeyOfAnOwnerHasNoMorePowerThanItsScopes) {
  Principal key;
  key.kind = Principal::Kind::api_key;
  key.user = ada_;
  key.superuser = true;
  key.memberships = {{acme_, Role::owner}};
  const std::vector<std::pair<Permission, Role>> largest{{Permission::read, Role::viewer},
                                                         {Permission::execute, Role::member},
                                                         {Permission::write, Role::member},
                                                         {Permission::manage, Role::admin},
                                                         {Permission::own, Role::owner}};
  for (const auto& [scope, role] : largest) {
    key.scopes = {};
    key.scopes.add(scope);
    EXPECT_EQ(actor_in(key, acme_).role, role) << to_text(scope);
    EXPECT_FALSE(actor_in(key, acme_).superuser) << to_text(scope);
    EXPECT_FALSE(actor_in(key, theirs_).role.has_value());
  }
  key.scopes = {};
  key.scopes.add(Permission::manage);
  EXPECT_EQ(code(service_->add_member(acme_, actor_in(key, acme_), eve_, Role::owner)), "organization.denied");
  EXPECT_EQ(code(service_->change_role(acme_, actor_in(key, acme_), ada_, Role::viewer)), "organization.denied");
  EXPECT_EQ(code(service_->get(theirs_, actor_in(key, theirs_))), "organization.not_found");
  key.scopes = Scopes::all();
  EXPECT_TRUE(actor_in(key, theirs_).superuser);
}

TEST_F(OrganizationServiceTest, P2_AnAddressThatIsNotConfirmedIsNobodysInAnOrganization) {
  add_user("boss@example.org", false);
  EXPECT_EQ(code(service_->add_member(acme_, as(ada_), "boss@example.org", Role::admin)), "user.not_found");
  EXPECT_EQ(code(service_->add_member(acme_, as(ada_), "bob@example.org", Role::member)), "ok");
}

TEST_F(OrganizationServiceTest, P2_S0_12_RolesAreCheckedInTheTransactionWhateverTheCallerBelieves) {
  add(bob_, Role::member);
  EXPECT_EQ(code(service_->update(acme_, as(bob_), {.name = "x"})), "organization.denied");
  EXPECT_EQ(code(service_->invite(acme_, as(bob_), "x@example.org", Role::viewer)), "organization.denied");
  EXPECT_EQ(code(service_->remove(acme_, as(bob_))), "organization.denied");
  EXPECT_EQ(code(service_->get(acme_, as(bob_))), "ok");
  EXPECT_EQ(code(service_->update(acme_, as(ada_, Role::member), {.name = "x"})), "organization.denied")
      << "credentials may be narrower than the role";
}

TEST_F(OrganizationServiceTest, P2_FA_2_AnAdminHasNoPowerOverOwners) {
  add(bob_, Role::admin);
  add(eve_, Role::member);
  const auto admin = as(bob_, Role::admin);
  EXPECT_EQ(code(service_->change_role(acme_, admin, eve_, Role::owner)), "organization.denied");
  EXPECT_EQ(code(service_->change_role(acme_, admin, ada_, Role::viewer)), "organization.denied");
  EXPECT_EQ(code(service_->remove_member(acme_, admin, ada_)), "organization.denied");
  EXPECT_EQ(code(service_->invite(acme_, admin, "x@example.org", Role::owner)), "organization.denied");
  EXPECT_EQ(code(service_->change_role(acme_, admin, eve_, Role::admin)), "ok");
}

// ---- the last owner ---------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, P2_FA_2_TheLastOwnerCannotLeaveOrBeDemoted) {
  EXPECT_EQ(code(service_->change_role(acme_, as(ada_), ada_, Role::admin)), "organization.last_owner");
  EXPECT_EQ(code(service_->remove_member(acme_, as(ada_), ada_)), "organization.last_owner");
  add(bob_, Role::owner);
  EXPECT_EQ(code(service_->remove_member(acme_, as(ada_), ada_)), "ok");
  EXPECT_EQ(code(service_->remove_member(acme_, as(bob_), bob_)), "organization.last_owner");
}

TEST_F(OrganizationServiceTest, P2_TwentyOwnersWhoDemoteThemselvesAtOnceLeaveOne) {
  std::vector<UserId> owners{ada_};
  for (int i = 0; i < 19; ++i) {
    owners.push_back(add_user("owner" + std::to_string(i) + "@example.org"));
    add(owners.back(), Role::owner);
  }
  service_->on_membership_change({});
  std::vector<std::thread> threads;
  std::atomic<int> demoted = 0;
  for (const auto& owner : owners) {
    threads.emplace_back([this, owner, &demoted] {
      if (service_->change_role(acme_, as(owner), owner, Role::viewer).has_value()) ++demoted;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(demoted, 19);
}

// ---- changing ---------------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, S0_12_TheSlugStaysWhenTheNameChanges) {
  const auto renamed = service_->update(acme_, as(ada_), {.name = "Zenith"});
  ASSERT_TRUE(renamed.has_value());
  EXPECT_EQ(renamed->organization.name, "Zenith");
  EXPECT_EQ(renamed->organization.slug, "acme");
  EXPECT_EQ(code(service_->update(acme_, as(ada_), {.slug = "theirs"})), "organization.slug_taken");
  EXPECT_EQ(code(service_->update(acme_, as(ada_), {.slug = "No Slug"})), "organization.invalid");
  EXPECT_EQ(service_->update(acme_, as(ada_), {.slug = "zenith"})->organization.slug, "zenith");
}

TEST_F(OrganizationServiceTest, P2_EveryChangeOfMembersTellsWhoIsConcernedAndTheAudit) {
  recorded_.clear();
  changed_.clear();
  add(bob_, Role::viewer);
  ASSERT_EQ(code(service_->change_role(acme_, as(ada_), bob_, Role::member)), "ok");
  ASSERT_EQ(code(service_->remove_member(acme_, as(ada_), bob_)), "ok");
  EXPECT_THAT(changed_, ElementsAre(bob_, bob_, bob_));
  EXPECT_THAT(recorded_, ElementsAre("organization.member_added", "organization.role_changed", "organization.member_removed"));
}

TEST_F(OrganizationServiceTest, MembersAreListedPageByPage) {
  add(bob_, Role::viewer);
  add(eve_, Role::viewer);
  const auto first = service_->members(acme_, as(ada_), 2, {});
  ASSERT_TRUE(first.has_value());
  ASSERT_THAT(first->members, SizeIs(2));
  const auto second = service_->members(acme_, as(ada_), 2, first->next);
  ASSERT_THAT(second->members, SizeIs(1));
  EXPECT_FALSE(second->next);
}

// ---- deleting ---------------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, P2_DeletingSaysWhatGoesAndTakesIt) {
  add(bob_, Role::viewer);
  ASSERT_EQ(code(service_->invite(acme_, as(ada_), "x@example.org", Role::viewer)), "ok");
  int removed = 0;
  std::vector<OrganizationId> announced;
  service_->add_part({"workflows", [](storage::Session&, const OrganizationId&) -> Result<std::int64_t> { return 3; },
                      [&](storage::Transaction&, const OrganizationId&, TimePoint) -> Result<void> {
                        ++removed;
                        return {};
                      }});
  service_->on_deleted([&](const OrganizationId& id) { announced.push_back(id); });
  const auto preview = service_->preview_removal(acme_, as(ada_));
  ASSERT_TRUE(preview.has_value());
  EXPECT_THAT(*preview,
              ElementsAre(Pair("workflows", 3), Pair("integrations", 0), Pair("api_keys", 0), Pair("invitations", 1), Pair("members", 2)));
  EXPECT_EQ(removed, 0);
  const auto deleted = service_->remove(acme_, as(ada_));
  ASSERT_TRUE(deleted.has_value());
  EXPECT_EQ(*deleted, *preview);
  EXPECT_EQ(removed, 1);
  EXPECT_THAT(announced, ElementsAre(acme_));
  EXPECT_EQ(code(service_->get(acme_, as(ada_))), "organization.not_found");
  EXPECT_EQ(service_->create(bob_, {.name = "Acme"})->organization.slug, "acme") << "the short name is free again";
}

TEST_F(OrganizationServiceTest, P2_APersonalOrganizationCannotBeDeletedOrLeft) {
  const auto own = service_->create(bob_, {.name = "Bob", .personal = true});
  ASSERT_TRUE(own.has_value());
  const auto id = own->organization.id;
  EXPECT_EQ(code(service_->remove(id, as(bob_))), "organization.protected");
  EXPECT_EQ(code(service_->remove_member(id, as(bob_), bob_)), "organization.protected");
}

// ---- invitations ------------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, P2_AnInvitationIsAcceptedOnceByTheVerifiedAddressItWasSentTo) {
  ASSERT_EQ(code(service_->invite(acme_, as(ada_), "Bob@Example.org", Role::member)), "ok");
  ASSERT_THAT(mailer_.mails, SizeIs(1));
  EXPECT_EQ(mailer_.mails[0].to, "bob@example.org");
  const auto token = mailer_.token();
  EXPECT_EQ(service_->preview(token)->organization, "Acme");
  EXPECT_EQ(code(service_->accept(eve_, token)), "invitation.other_email");
  const auto joined = service_->accept(bob_, token);
  ASSERT_TRUE(joined.has_value()) << joined.error().message;
  EXPECT_EQ(joined->role, Role::member);
  EXPECT_EQ(code(service_->accept(bob_, token)), "invitation.invalid_token");
  EXPECT_THAT(*service_->invitations(acme_, as(ada_)), IsEmpty());
}

TEST_F(OrganizationServiceTest, N_5_AnUnverifiedAddressAcceptsNothing) {
  const auto mallory = add_user("mallory@example.org", false);
  ASSERT_EQ(code(service_->invite(acme_, as(ada_), "mallory@example.org", Role::member)), "ok");
  EXPECT_EQ(code(service_->accept(mallory, mailer_.token())), "invitation.other_email");
}

// security-checks 12
TEST_F(OrganizationServiceTest, P2_InvitationTokensExpireAreReplacedAndRevoked) {
  const auto sent = service_->invite(acme_, as(ada_), "bob@example.org", Role::member);
  const auto first = mailer_.token();
  ASSERT_EQ(code(service_->resend(acme_, as(ada_), sent->id)), "ok");
  const auto second = mailer_.token();
  EXPECT_NE(first, second);
  EXPECT_EQ(code(service_->accept(bob_, first)), "invitation.invalid_token");
  ASSERT_EQ(code(service_->revoke(acme_, as(ada_), sent->id)), "ok");
  EXPECT_EQ(code(service_->accept(bob_, second)), "invitation.invalid_token");
  EXPECT_EQ(code(service_->revoke(acme_, as(ada_), sent->id)), "invitation.not_found");

  ASSERT_EQ(code(service_->invite(acme_, as(ada_), "bob@example.org", Role::member)), "ok");
  clock_.time += std::chrono::hours(7 * 24);
  EXPECT_EQ(code(service_->accept(bob_, mailer_.token())), "invitation.invalid_token");
  EXPECT_EQ(code(service_->accept(bob_, "")), "invitation.invalid_token");
}

TEST_F(OrganizationServiceTest, P2_InvitationsOfAnotherOrganizationDoNotExist) {
  const auto sent = service_->invite(acme_, as(ada_), "bob@example.org", Role::member);
  EXPECT_EQ(code(service_->revoke(theirs_, as(eve_), sent->id)), "invitation.not_found");
  EXPECT_EQ(code(service_->resend(theirs_, as(eve_), sent->id)), "invitation.not_found");
}

TEST_F(OrganizationServiceTest, P2_AnInvitationIsWorthNoMoreThanItsSendersRole) {
  add(eve_, Role::admin);
  ASSERT_EQ(code(service_->invite(acme_, as(eve_, Role::admin), "bob@example.org", Role::admin)), "ok");
  ASSERT_EQ(code(service_->remove_member(acme_, as(ada_), eve_)), "ok");
  EXPECT_EQ(code(service_->accept(bob_, mailer_.token())), "invitation.invalid_token");
}

TEST_F(OrganizationServiceTest, P2_NamesInInvitationMailsMakeNoLinks) {
  ASSERT_EQ(code(service_->update(acme_, as(ada_), {.name = "https://evil.example"})), "ok");
  ASSERT_EQ(code(service_->invite(acme_, as(ada_), "bob@example.org", Role::member)), "ok");
  EXPECT_THAT(mailer_.mails.back().text, HasSubstr("https evil.example"));
}

// ---- users ------------------------------------------------------------------------------------------------------------------------

TEST_F(OrganizationServiceTest, FA_3_UsersAreManagedByAdministratorsOnlyAndOneOfThemRemains) {
  UserAdmin admin({*database_, *service_, clock_});
  const auto root = add_user("root@example.org", true, true);
  EXPECT_EQ(code(admin.list({bob_}, {})), "user.denied");
  EXPECT_EQ(code(admin.update({bob_}, bob_, {.superuser = true})), "user.denied");
  EXPECT_EQ(code(admin.remove({bob_}, ada_)), "user.denied");
  const auto found = admin.list({root}, {.text = "BOB", .limit = 10, .after = {}});
  ASSERT_TRUE(found.has_value());
  ASSERT_THAT(found->users, SizeIs(1));
  EXPECT_EQ(found->users[0].id, bob_);
  EXPECT_THAT(admin.list({root}, {.text = "%", .limit = 10, .after = {}})->users, IsEmpty()) << "taken literally";
  EXPECT_EQ(code(admin.update({root}, root, {.superuser = false})), "user.last_superuser");
  EXPECT_EQ(code(admin.update({root}, root, {.active = false})), "user.last_superuser");
  EXPECT_EQ(code(admin.remove({root}, root)), "user.last_superuser");
  EXPECT_EQ(code(admin.update({root}, bob_, {.superuser = true})), "ok");
  EXPECT_EQ(code(admin.update({root}, root, {.superuser = false})), "ok");
}

TEST_F(OrganizationServiceTest, FA_3_ADeletedUserLeavesNothingBehindThatNamesThem) {
  UserAdmin admin({*database_, *service_, clock_});
  const auto own = service_->create(bob_, {.name = "Bob", .personal = true})->organization.id;
  add(bob_, Role::member);
  EXPECT_EQ(code(admin.remove({UserId{}}, ada_)), "organization.last_owner");
  ASSERT_EQ(code(admin.remove({UserId{}}, bob_)), "ok");
  EXPECT_EQ(code(admin.get({UserId{}}, bob_)), "user.not_found");
  EXPECT_THAT(service_->members(acme_, as(ada_), 10, {})->members, SizeIs(1));
  EXPECT_EQ(code(service_->get(own, {UserId{}, std::nullopt, true})), "organization.not_found");
  int rows = 0;
  ASSERT_TRUE(database_
                  ->read([&](storage::Session& session) {
                    return session.query("select 1 from users where email like '%bob%' or email_key like '%bob%' or name like '%bob%'", {},
                                         [&](const storage::Row&) { ++rows; });
                  })
                  .has_value());
  EXPECT_EQ(rows, 0);
}

}  // namespace
}  // namespace pawl::identity
