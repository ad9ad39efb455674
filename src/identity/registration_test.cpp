// Making an account tells nobody who has one, and accounts of providers come and go without leaving anybody outside.
#include <gmock/gmock.h>

#include "identity/detail/test_support.hpp"
#include "identity/oauth.hpp"

namespace pawl::identity {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ConfirmFirst : public AccountsTest {
 protected:
  ConfirmFirst() { open({.confirm_first = true}); }
  Result<void> ask(const std::string& email, const std::string& password = kPassword) {
    auto asked = accounts_->request_account({.email = email, .password = password, .name = "Ada"}, client_);
    settle();
    return asked;
  }
};

TEST_F(ConfirmFirst, P1_S4_O7_ARegistrationTellsNothingAboutWhichAddressesHaveAccounts) {
  ASSERT_TRUE(accounts_->create_user({.email = "ada@example.org", .password = kPassword, .name = "Ada"}, false).has_value());
  for (const char* email : {"ada@example.org", "new@example.org", "new@example.org"}) {
    const auto hashes = hasher_.statistics().hashes;
    EXPECT_TRUE(ask(email).has_value()) << email;
    EXPECT_EQ(hasher_.statistics().hashes, hashes + 1) << "the same work for " << email;
  }
  ASSERT_THAT(mail_.messages, SizeIs(3));
  EXPECT_EQ(mail_.messages[0].to, "ada@example.org");
  EXPECT_EQ(mail_.messages[0].kind, "account-exists");
  EXPECT_EQ(mail_.messages[1].kind, "email-verification");
  EXPECT_EQ(mail_.messages[2].kind, "account-exists");
  EXPECT_EQ(code_of(accounts_->register_account({.email = "x@example.org", .password = kPassword, .name = "X"}, client_)),
            "auth.confirm_first");
}

TEST_F(ConfirmFirst, P1_WhoIsNotConfirmedSignsInAsLittleAsSomebodyUnknown) {
  ASSERT_TRUE(ask("ada@example.org").has_value());
  const auto refused = login();
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, "auth.invalid_credentials");
  EXPECT_EQ(refused.error().message, login("nobody@example.org").error().message);
  ASSERT_TRUE(accounts_->verify_email(mail_.token()).has_value());
  EXPECT_TRUE(login().has_value());
}

TEST_F(ConfirmFirst, P1_WhoTakesAnAddressFirstDoesNotKeepItFromItsOwner) {
  ASSERT_TRUE(ask("ada@example.org", "the password of a squatter").has_value());
  const auto link_of_squatter = mail_.token();
  ASSERT_TRUE(ask("ada@example.org").has_value());
  EXPECT_TRUE(accounts_->verify_email(link_of_squatter).has_error()) << "it would let the squatter in";
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
  EXPECT_EQ(code_of(login("ada@example.org", "the password of a squatter")), "auth.invalid_credentials");
}

TEST_F(AccountsTest, P1_ADeactivatedAccountGetsNoLinkByRegisteringAgain) {
  open({.confirm_first = true});
  ASSERT_TRUE(accounts_->create_user({.email = "ada@example.org", .password = kPassword, .name = "Ada"}, false).has_value());
  execute("update users set is_active = 0");
  ASSERT_TRUE(accounts_->request_account({.email = "ada@example.org", .password = kPassword, .name = "Ada"}, client_).has_value());
  settle();
  EXPECT_THAT(mail_.messages, IsEmpty());
}

TEST_F(AccountsTest, P1_AnInvitationThatIsNoneTellsNothingAboutAccounts) {
  sign_up();
  for (const char* email : {"ada@example.org", "nobody@example.org"}) {
    EXPECT_EQ(
        code_of(accounts_->register_account({.email = email, .password = kPassword, .name = "Eve", .invitation = "made up"}, client_)),
        "invitation.invalid_token")
        << email;
  }
}

// ---- providers --------------------------------------------------------------------------------------------------------------------

class Links : public AccountsTest {
 protected:
  static ExternalIdentity identity(const std::string& subject, const std::string& provider = "oidc") {
    return {.provider = provider, .subject = subject, .email = "", .email_verified = false, .name = "Ada"};
  }
  std::vector<std::string> linked(const UserId& user) {
    std::vector<std::string> names;
    for (const auto& each : *accounts_->linked_providers(user)) names.push_back(each.provider);
    return names;
  }
};

TEST_F(Links, P1_AProviderIsLinkedAndTakenAwayByWhoKnowsThePassword) {
  const auto ada = sign_up();
  const auto second = login();
  ASSERT_TRUE(accounts_->link_provider(ada.user.id, identity("1"), client_).has_value());
  ASSERT_TRUE(accounts_->link_provider(ada.user.id, identity("1"), client_).has_value()) << "again is no error";
  EXPECT_THAT(linked(ada.user.id), ElementsAre("oidc"));
  EXPECT_THAT(mail_.messages.back().text, HasSubstr("can sign in with oidc"));
  EXPECT_EQ(accounts_->login(identity("1"), client_)->user.id, ada.user.id);
  EXPECT_EQ(code_of(accounts_->unlink_provider(ada.user.id, ada.session, "oidc", "wrong", client_)), "auth.invalid_credentials");
  EXPECT_EQ(code_of(accounts_->unlink_provider(ada.user.id, ada.session, "google", kPassword, client_)), "oauth.not_linked");
  EXPECT_THAT(linked(ada.user.id), ElementsAre("oidc"));
  ASSERT_TRUE(accounts_->unlink_provider(ada.user.id, ada.session, "oidc", kPassword, client_).has_value());
  EXPECT_THAT(linked(ada.user.id), IsEmpty());
  EXPECT_EQ(code_of(accounts_->login(identity("1"), client_)), "oauth.unverified_email");
  EXPECT_TRUE(is_accepted(ada.access_token));
  EXPECT_FALSE(is_accepted(second->access_token)) << "whoever came by the provider is out";
}

TEST_F(Links, P1_TheLastWayToSignInStays) {
  auto newcomer = identity("7");
  newcomer.email = "ada@example.org";
  newcomer.email_verified = true;
  const auto ada = accounts_->login(newcomer, client_);
  ASSERT_TRUE(ada.has_value());
  EXPECT_EQ(code_of(accounts_->unlink_provider(ada->user.id, ada->session, "oidc", "", client_)), "oauth.last_way");
  ASSERT_TRUE(accounts_->link_provider(ada->user.id, identity("8", "github"), client_).has_value());
  EXPECT_EQ(code_of(accounts_->unlink_provider(ada->user.id, ada->session, "oidc", "", client_)), "auth.no_password")
      << "nothing proves that it is the user";
  EXPECT_THAT(linked(ada->user.id), ElementsAre("github", "oidc"));
}

TEST_F(Links, P1_WhoTakesAnAddressFirstKeepsNoLinkToItsOwnersAccount) {
  const auto squatter = sign_up();
  ASSERT_TRUE(accounts_->link_provider(squatter.user.id, identity("evil"), client_).has_value());
  accounts_->forgot_password("ada@example.org");
  settle();
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_THAT(linked(squatter.user.id), IsEmpty());
  EXPECT_EQ(code_of(accounts_->login(identity("evil"), client_)), "oauth.unverified_email");
}

TEST_F(Links, P1_TheProvidersWordEndsTheLinksOfWhoeverMadeTheAccount) {
  const auto squatter = sign_up();
  ASSERT_TRUE(accounts_->verify_email(mail_.token()).has_value()) << "a careless click";
  ASSERT_TRUE(accounts_->link_provider(squatter.user.id, identity("evil"), client_).has_value());
  auto owner = identity("7", "google");
  owner.email = "ada@example.org";
  owner.email_verified = true;
  ASSERT_TRUE(accounts_->login(owner, client_).has_value());
  EXPECT_THAT(linked(squatter.user.id), ElementsAre("google"));
}

TEST_F(Links, P1_ALinkThatWasBegunEndsWithTheSessionThatBeganIt) {
  const auto ada = sign_up();
  auto begun = identity("1");
  begun.asked_by = Asker{ada.user.id, ada.session};
  accounts_->forgot_password("ada@example.org");
  settle();
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_EQ(code_of(accounts_->link_provider(ada.user.id, begun, client_)), "auth.invalid_credentials");
  EXPECT_THAT(linked(ada.user.id), IsEmpty());
}

TEST_F(Links, P1_AnAccountOfAProviderLeadsToOneUser) {
  const auto ada = sign_up();
  const auto bob = sign_up("bob@example.org");
  ASSERT_TRUE(accounts_->link_provider(ada.user.id, identity("1"), client_).has_value());
  EXPECT_EQ(code_of(accounts_->link_provider(bob.user.id, identity("1"), client_)), "oauth.linked_elsewhere");
  EXPECT_THAT(linked(bob.user.id), IsEmpty());
  EXPECT_EQ(accounts_->login(identity("1"), client_)->user.id, ada.user.id);
}

}  // namespace
}  // namespace pawl::identity
