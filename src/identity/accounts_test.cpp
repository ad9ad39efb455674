#include "identity/accounts.hpp"

#include <gmock/gmock.h>

#include "identity/detail/test_support.hpp"
#include "identity/login_throttle.hpp"
#include "identity/organization_service.hpp"

namespace pawl::identity {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

// ---- registration -----------------------------------------------------------------------------------------------------------------

// proves: P1
TEST_F(AccountsTest, P1_ARegistrationMakesAUserWithAPersonalOrganizationAndSignsIn) {
  const auto made =
      accounts_->register_account({.email = " Ada@Example.org ", .password = kPassword, .name = "Ada", .organization = "Engines"}, client_);
  ASSERT_TRUE(made.has_value()) << made.error().code;
  EXPECT_EQ(made->user.email, "Ada@Example.org");
  EXPECT_FALSE(made->user.superuser);
  const auto principal = who(made->access_token);
  ASSERT_TRUE(principal.has_value());
  EXPECT_EQ(principal->user, made->user.id);
  ASSERT_THAT(principal->memberships, SizeIs(1));
  EXPECT_EQ(principal->memberships.front().role, Role::owner);
  EXPECT_EQ(principal->home, principal->memberships.front().organization);
  EXPECT_TRUE(login("ada@EXAMPLE.org").has_value());
  ASSERT_THAT(mail_.messages, SizeIs(1));
  EXPECT_EQ(mail_.messages.front().to, "Ada@Example.org");
  EXPECT_THAT(mail_.messages.front().text, HasSubstr("https://pawl.example.org/verify-email#"));
}

TEST_F(AccountsTest, ATakenAddressIsRefusedWhateverItsCase) {
  sign_up();
  const auto before = hasher_.statistics().hashes;
  EXPECT_EQ(code_of(accounts_->register_account({.email = "ADA@example.org", .password = kPassword, .name = "Eve"}, client_)),
            "auth.email_taken");
  EXPECT_EQ(hasher_.statistics().hashes, before + 1) << "the work of a registration";
  EXPECT_THAT(mail_.messages, SizeIs(1));
}

TEST_F(AccountsTest, ARegistrationHappensCompletelyOrNotAtAll) {
  mail_.broken = true;
  EXPECT_EQ(code_of(accounts_->register_account({.email = "ada@example.org", .password = kPassword, .name = "Ada"}, client_)), "test.mail");
  EXPECT_FALSE(*accounts_->any_user());
  mail_.broken = false;
  EXPECT_FALSE(*accounts_->any_user());
  sign_up();
}

TEST_F(AccountsTest, ChecksWhatIsRegistered) {
  const auto attempt = [&](const char* email, const char* password, const char* name) {
    return accounts_->register_account({.email = email, .password = password, .name = name}, client_);
  };
  for (const char* email : {"", "ada", "@example.org", "ada@", "ada@nodots", "a b@example.org", "ada@example.org\r\nBcc: x@y.z",
                            "a@b@example.org", "<ada@example.org>"}) {
    EXPECT_EQ(code_of(attempt(email, kPassword, "Ada")), "auth.invalid_email");
  }
  EXPECT_EQ(code_of(attempt("ada@example.org", "short", "Ada")), "auth.weak_password");
  EXPECT_EQ(code_of(attempt("ada@example.org", kPassword, "")), "auth.invalid_name");
  EXPECT_EQ(code_of(attempt("ada@example.org", kPassword, "two\nlines")), "auth.invalid_name");
}

// proves: FA-15
TEST_F(AccountsTest, FA_15_RegistrationCanBeClosed) {
  open({.registration = Registration::closed});
  const NewAccount request{.email = "ada@example.org", .password = kPassword, .name = "Ada"};
  EXPECT_EQ(code_of(accounts_->register_account(request, client_)), "auth.registration_closed");
  open({.registration = Registration::invited});
  EXPECT_EQ(code_of(accounts_->register_account(request, client_)), "auth.registration_closed");
  auto invited = request;
  invited.invitation = "not one of ours";
  EXPECT_EQ(code_of(accounts_->register_account(invited, client_)), "invitation.invalid_token");
  EXPECT_FALSE(*accounts_->any_user());

  open({.registration = Registration::closed});
  const auto host = accounts_->create_user({.email = "host@example.org", .password = kPassword, .name = "Host"}, false);
  ASSERT_TRUE(host.has_value());
  OrganizationId organization;
  ASSERT_TRUE(database_
                  ->read([&](storage::Session& session) -> Result<void> {
                    PAWL_TRY(found, personal_organization(session, host->id));
                    organization = found.value();
                    return {};
                  })
                  .has_value());
  Organizations organizations({.database = *database_,
                               .mailer = mail_,
                               .clock = clock_,
                               .random = random_,
                               .public_url = "https://pawl.example.org",
                               .installation = installation_,
                               .record = {}});
  ASSERT_TRUE(organizations.invite(organization, {host->id, Role::owner, false}, "ada@example.org", Role::viewer).has_value());
  invited.invitation = mail_.token();
  EXPECT_EQ(code_of(accounts_->register_account(invited, client_)), "auth.registration_closed");
  open({.registration = Registration::invited});
  auto other = invited;
  other.email = "eve@example.org";
  EXPECT_EQ(code_of(accounts_->register_account(other, client_)), "invitation.other_email");
  const auto joined = accounts_->register_account(invited, client_);
  ASSERT_TRUE(joined.has_value()) << joined.error().code;
  EXPECT_TRUE(joined->user.email_verified_at.has_value()) << "who has the link reads the mail";
  EXPECT_EQ(who(joined->access_token)->role_in(organization), Role::viewer);
  EXPECT_EQ(code_of(accounts_->register_account(invited, client_)), "invitation.invalid_token");
}

// ---- signing in -------------------------------------------------------------------------------------------------------------------

// proves: S4-O7
TEST_F(AccountsTest, S4_O7_ALoginTellsNothingAboutWhichAddressesHaveAccounts) {
  sign_up();
  const auto made = accounts_->create_user({.email = "gone@example.org", .password = kPassword, .name = "Gone"}, false);
  ASSERT_TRUE(made.has_value());
  execute("update users set is_active = 0 where email_key = 'gone@example.org'");
  for (const char* email : {"ada@example.org", "nobody@example.org", "gone@example.org", "no address"}) {
    const auto before = hasher_.statistics().hashes;
    const auto answer = login(email, "not the password");
    ASSERT_TRUE(answer.has_error());
    EXPECT_EQ(answer.error().code, "auth.invalid_credentials") << email;
    EXPECT_EQ(answer.error().message, "The e-mail address, the password or the code is not right.") << email;
    EXPECT_EQ(hasher_.statistics().hashes, before + 1) << "the same work for " << email;
  }
  EXPECT_EQ(code_of(login("gone@example.org")), "auth.invalid_credentials");
}

// proves: N-4
TEST_F(AccountsTest, N_4_ABadBearerIsUnauthenticatedAndNothingElse) {
  for (const char* bearer : {"x", "a.b.c", "pawl_", "Bearer", "\xff\xff", "pawl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    const auto answer = who(bearer);
    ASSERT_TRUE(answer.has_error()) << bearer;
    EXPECT_EQ(answer.error().kind, ErrorClass::unauthenticated);
    EXPECT_EQ(answer.error().code, "auth.invalid_token");
  }
  const auto nobody = who("");
  ASSERT_TRUE(nobody.has_value());
  EXPECT_EQ(nobody->kind, Principal::Kind::anonymous);
  const auto administrator = authenticator_->try_authenticate({"the key of the installation, for administrators", {}});
  ASSERT_TRUE(administrator && administrator->has_value());
  EXPECT_EQ((*administrator)->kind, Principal::Kind::administrator);
}

TEST_F(AccountsTest, ANewerCostIsTakenOnAtTheNextLogin) {
  sign_up();
  const auto hash_of = [&] {
    std::string hash;
    const auto read = database_->read([&](storage::Session& session) {
      return session.query("select password_hash from users", {}, [&](const storage::Row& row) { hash = std::string(row.text(0)); });
    });
    EXPECT_TRUE(read.has_value());
    return hash;
  };
  EXPECT_THAT(hash_of(), HasSubstr("m=8,t=1"));
  PasswordHasher dearer({{2, 16384}, 2, 8});
  Accounts later(Accounts::Dependencies{*database_, *authenticator_, dearer, keys_, seals_, mail_, clock_, random_, {}}, AccountsOptions{});
  ASSERT_TRUE(later.login({"ada@example.org", kPassword, ""}, client_).has_value());
  EXPECT_THAT(hash_of(), HasSubstr("m=16,t=2"));
  EXPECT_TRUE(later.login({"ada@example.org", kPassword, ""}, client_).has_value());
}

// proves: S4-O7
TEST_F(AccountsTest, S4_O7_WhoGuessesHasToWaitAndTheOwnerElsewhereDoesNot) {
  sign_up();
  for (int i = 0; i < LoginThrottle::kFreeFailures; ++i) EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
  const auto before = hasher_.statistics().hashes;
  EXPECT_EQ(code_of(login()), "auth.too_many_attempts");
  EXPECT_EQ(hasher_.statistics().hashes, before) << "not looked at";
  EXPECT_TRUE(accounts_->login({"ada@example.org", kPassword, ""}, {"198.51.100.9", "her own"}).has_value());
  advance(std::chrono::seconds(31));
  EXPECT_TRUE(login().has_value()) << "the wait is over, attempts while waiting did not make it longer";
  for (int i = 0; i < 9; ++i) EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
  EXPECT_TRUE(login().has_value()) << "a sign-in forgets earlier failures";
  // One without an account behaves the same.
  for (int i = 0; i < LoginThrottle::kFreeFailures; ++i)
    EXPECT_EQ(code_of(login("nobody@example.org", "wrong")), "auth.invalid_credentials");
  EXPECT_EQ(code_of(login("nobody@example.org")), "auth.too_many_attempts");
}

TEST_F(AccountsTest, AWindowThatIsOverBeginsAnewAlthoughItsLastFailureIsRecent) {
  sign_up();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
  advance(std::chrono::minutes(14));
  EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
  advance(std::chrono::minutes(2));
  for (int i = 0; i < LoginThrottle::kFreeFailures; ++i) EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
  EXPECT_EQ(code_of(login()), "auth.too_many_attempts");
}

TEST_F(AccountsTest, TheLongestWaitIsFiveMinutes) {
  sign_up();
  for (int i = 0; i < 14; ++i) {
    EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
    if (i >= 9) advance(std::min<Millis>(std::chrono::seconds(30) * (1 << (i - 9)), std::chrono::minutes(5)));
  }
  EXPECT_TRUE(login().has_value());
}

// ---- the first start --------------------------------------------------------------------------------------------------------------

// proves: S4-O5
TEST_F(AccountsTest, TheSetupLinkMakesTheFirstSuperuserOnce) {
  const auto token = accounts_->make_setup_token();
  ASSERT_TRUE(token.has_value() && token->has_value());
  const NewAccount root{.email = "root@example.org", .password = kPassword, .name = "Root"};
  EXPECT_EQ(code_of(accounts_->setup("x", root, client_)), "auth.link_invalid");
  EXPECT_EQ(code_of(accounts_->setup("", root, client_)), "auth.link_invalid");
  const auto made = accounts_->setup(**token, root, client_);
  ASSERT_TRUE(made.has_value()) << made.error().code;
  EXPECT_TRUE(made->user.superuser);
  EXPECT_TRUE(who(made->access_token)->superuser);
  EXPECT_EQ(code_of(accounts_->setup(**token, {.email = "eve@example.org", .password = kPassword, .name = "Eve"}, client_)),
            "auth.link_invalid");
  EXPECT_FALSE(accounts_->make_setup_token()->has_value());
}

TEST_F(AccountsTest, TheSetupLinkDiesWithTheFirstUserWhoeverMadeIt) {
  const auto token = accounts_->make_setup_token();
  ASSERT_TRUE(accounts_->create_user({.email = "root@example.org", .password = kPassword, .name = "Root"}, true).has_value());
  EXPECT_EQ(code_of(accounts_->setup(**token, {.email = "eve@example.org", .password = kPassword, .name = "Eve"}, client_)),
            "auth.link_invalid");
}

// ---- what is kept -----------------------------------------------------------------------------------------------------------------

// proves: S4-O2, N-6, N-14
TEST_F(AccountsTest, S4_O2_TheDatabaseHoldsNoTokenPasswordSeedOrCode) {
  if (storage::testing::on_postgresql()) GTEST_SKIP() << "reads the file of SQLite";
  const auto signed_in = sign_up();
  std::vector<std::string> secrets{kPassword, mail_.token(), signed_in.refresh_token, signed_in.access_token};
  secrets.push_back(accounts_->refresh(signed_in.refresh_token, client_)->refresh_token);
  accounts_->forgot_password("ada@example.org");
  settle();
  secrets.push_back(mail_.token());
  const auto setup = accounts_->setup_totp(signed_in.user.id, kPassword, client_);
  const App app(setup->secret);
  secrets.push_back(setup->secret);
  secrets.push_back(app.seed());
  const auto codes = accounts_->enable_totp(signed_in.user.id, app.code(clock_.time), client_);
  ASSERT_TRUE(codes.has_value());
  secrets.insert(secrets.end(), codes->begin(), codes->end());
  const auto principal = *who(signed_in.access_token);
  secrets.push_back(api_keys_->create(principal, principal.home, {"deploy", {"read"}, {}})->secret);
  const auto bytes = dump();
  ASSERT_THAT(bytes, HasSubstr("ada@example.org")) << "the dump is one";
  for (const auto& secret : secrets) {
    EXPECT_EQ(bytes.find(secret), std::string::npos) << secret;
    EXPECT_EQ(bytes.find(secret.substr(secret.size() / 2)), std::string::npos) << "half of " << secret;
  }
  for (const auto& event : events_) {
    for (const auto& secret : secrets) EXPECT_THAT(event, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace pawl::identity
