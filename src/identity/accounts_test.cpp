#include "identity/accounts.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "identity/access_token.hpp"
#include "identity/api_keys.hpp"
#include "identity/login_throttle.hpp"
#include "identity/organization_service.hpp"
#include "identity/organizations.hpp"
#include "identity/totp.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::identity {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kPassword = "correct horse battery";
constexpr const char* kOtherPassword = "staple of another kind";

class SettableClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time{Millis(1'700'000'000'000)};
};

class Mailbox final : public Mailer {
 public:
  Result<void> send(storage::Transaction&, const Message& message) override {
    if (broken) return Error(ErrorClass::unavailable, "test.mail", "no mail today");
    messages.push_back(message);
    return {};
  }
  /// What stands behind `#` in the link of the newest message.
  [[nodiscard]] std::string token() const {
    const auto& text = messages.back().text;
    const auto start = text.find('#') + 1;
    return text.substr(start, text.find('\n', start) - start);
  }
  std::vector<Message> messages;
  bool broken = false;
};

template <class T>
std::string code_of(const Result<T>& result) {
  return result.has_error() ? result.error().code : "no error";
}

/// The code of an app that was set up with this secret.
class App {
 public:
  explicit App(std::string_view base32) {
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char c : base32) {
      held = (held << 5U) | static_cast<std::uint32_t>(c >= 'A' ? c - 'A' : c - '2' + 26);
      bits += 5;
      if (bits < 8) continue;
      bits -= 8;
      seed_ += static_cast<char>((held >> bits) & 0xFFU);
    }
  }
  [[nodiscard]] std::string code(TimePoint now) const { return totp_code(seed_, totp_step(now)); }
  [[nodiscard]] const std::string& seed() const { return seed_; }

 private:
  std::string seed_;
};

class AccountsTest : public testing::Test {
 protected:
  AccountsTest() {
    auto pattern = (std::filesystem::temp_directory_path() / "pawl-accounts-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = storage::Database::open(options);
    EXPECT_TRUE(opened.has_value());
    database_ = std::move(*opened);
    EXPECT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    const auto installation = ensure_organization(*database_, clock_, random_);
    EXPECT_TRUE(installation.has_value());
    installation_ = *installation;
    SessionAuthenticatorOptions authenticator_options;
    authenticator_options.installation_keys = {"the key of the installation, for administrators"};
    authenticator_options.installation = *installation;
    authenticator_ = std::make_unique<SessionAuthenticator>(*database_, clock_, keys_, authenticator_options);
    open();
  }
  ~AccountsTest() override {
    accounts_.reset();
    authenticator_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open(AccountsOptions options = {}) {
    options.public_url = "https://pawl.example.org";
    const auto note = [this](const AccountEvent& event) {
      const std::lock_guard lock(events_mutex_);
      events_.push_back(std::string(event.action) + (event.success ? "" : " failed"));
    };
    Accounts::Dependencies parts{*database_, *authenticator_, hasher_, keys_, seals_, mail_, clock_, random_, {{}, note}};
    accounts_ = std::make_unique<Accounts>(std::move(parts), std::move(options));
    api_keys_ = std::make_unique<ApiKeys>(ApiKeys::Dependencies{*database_, *authenticator_, clock_, random_, {{}, note}});
  }

  SignedIn sign_up(const std::string& email = "ada@example.org") {
    auto made = accounts_->register_account({.email = email, .password = kPassword, .name = "Ada"}, client_);
    EXPECT_TRUE(made.has_value()) << made.error().code;
    return *made;
  }
  Result<SignedIn> login(const std::string& email = "ada@example.org", const std::string& password = kPassword,
                         const std::string& otp = "") {
    return accounts_->login({email, password, otp}, client_);
  }
  Result<Principal> who(std::string_view bearer) { return authenticator_->authenticate({bearer, {}}); }
  /// What the API sees on an io thread, after the cache was filled.
  bool is_accepted(std::string_view bearer) { return who(bearer).has_value(); }
  /// Waits for all writes that were handed over.
  void settle() {
    EXPECT_TRUE(database_->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }).has_value());
  }
  void execute(std::string_view sql) {
    EXPECT_TRUE(database_->write_and_wait([&](storage::Transaction& transaction) { return transaction.execute_script(sql); }).has_value());
  }
  void advance(Millis time) { clock_.time += time; }
  /// Every byte that the database has written.
  std::string dump() {
    std::string bytes;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!file.is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(file.path(), std::ios::binary).rdbuf();
      bytes += text.str();
    }
    return bytes;
  }

  SettableClock clock_;
  SystemRandom random_;
  TokenKeys keys_{"a secret of this installation, long enough"};
  crypto::KeyRing seals_{"a sealing key of this installation, long enough"};
  PasswordHasher hasher_{{{1, 8192}, 2, 8}};
  Mailbox mail_;
  OrganizationId installation_;
  Client client_{"192.0.2.7", "Firefox"};
  std::filesystem::path folder_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<SessionAuthenticator> authenticator_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<ApiKeys> api_keys_;
  std::mutex events_mutex_;
  std::vector<std::string> events_;
};

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
  EXPECT_EQ(code_of(accounts_->register_account(invited, client_)), "auth.email_taken");
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

TEST_F(AccountsTest, TheLongestWaitIsFiveMinutes) {
  sign_up();
  for (int i = 0; i < 14; ++i) {
    EXPECT_EQ(code_of(login("ada@example.org", "wrong")), "auth.invalid_credentials");
    if (i >= 9) advance(std::min<Millis>(std::chrono::seconds(30) * (1 << (i - 9)), std::chrono::minutes(5)));
  }
  EXPECT_TRUE(login().has_value());
}

// ---- staying signed in ------------------------------------------------------------------------------------------------------------

// proves: N-9
TEST_F(AccountsTest, N_9_ARefreshTokenIsGivenAndExchangedForTheNext) {
  const auto first = sign_up();
  advance(std::chrono::minutes(16));
  EXPECT_EQ(code_of(who(first.access_token)), "auth.invalid_token");
  const auto second = accounts_->refresh(first.refresh_token, client_);
  ASSERT_TRUE(second.has_value()) << second.error().code;
  EXPECT_NE(second->refresh_token, first.refresh_token);
  EXPECT_EQ(second->session, first.session);
  EXPECT_TRUE(is_accepted(second->access_token));
  advance(std::chrono::hours(24 * 29));
  const auto third = accounts_->refresh(second->refresh_token, client_);
  ASSERT_TRUE(third.has_value());
  advance(std::chrono::hours(24 * 31));
  EXPECT_EQ(code_of(accounts_->refresh(third->refresh_token, client_)), "auth.invalid_token");
}

// proves: N-7, P1, AI-H8
TEST_F(AccountsTest, N_7_AnOldRefreshTokenRevokesTheWholeFamily) {
  const auto first = sign_up();
  const auto elsewhere = login();
  const auto second = accounts_->refresh(first.refresh_token, client_);
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(is_accepted(second->access_token));
  advance(std::chrono::seconds(11));
  EXPECT_EQ(code_of(accounts_->refresh(first.refresh_token, {"203.0.113.5", "thief"})), "auth.token_reused");
  EXPECT_EQ(code_of(accounts_->refresh(second->refresh_token, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(who(second->access_token)), "auth.invalid_token");
  EXPECT_TRUE(is_accepted(elsewhere->access_token)) << "another sign-in is another family";
  EXPECT_THAT(events_, Contains("account.token_reused failed"));
}

TEST_F(AccountsTest, ATokenTwoGenerationsOldIsReuseEvenAtTheSameMoment) {
  const auto first = sign_up();
  const auto second = accounts_->refresh(first.refresh_token, client_);
  const auto third = accounts_->refresh(second->refresh_token, client_);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(code_of(accounts_->refresh(first.refresh_token, client_)), "auth.token_reused");
}

TEST_F(AccountsTest, TwoRequestsWithOneTokenAtTheSameMomentGetTheSameNextToken) {
  const auto first = sign_up();
  std::vector<std::future<Result<SignedIn>>> tabs;
  for (int i = 0; i < 8; ++i)
    tabs.push_back(std::async(std::launch::async, [&] { return accounts_->refresh(first.refresh_token, client_); }));
  std::string next;
  for (auto& tab : tabs) {
    const auto answer = tab.get();
    ASSERT_TRUE(answer.has_value()) << answer.error().code;
    if (next.empty()) next = answer->refresh_token;
    EXPECT_EQ(answer->refresh_token, next);
  }
  advance(std::chrono::seconds(9));
  EXPECT_TRUE(accounts_->refresh(first.refresh_token, client_).has_value()) << "a lost answer can be asked for again";
  EXPECT_TRUE(accounts_->refresh(next, client_).has_value());
}

// proves: N-8
TEST_F(AccountsTest, N_8_TheKindsOfTokensAreNotInterchangeable) {
  const auto signed_in = sign_up();
  const auto verification = mail_.token();
  EXPECT_EQ(code_of(who(signed_in.refresh_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(who(verification)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(signed_in.access_token, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(verification, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->reset_password(verification, kOtherPassword, client_)), "auth.link_invalid");
  EXPECT_EQ(code_of(accounts_->reset_password(signed_in.refresh_token, kOtherPassword, client_)), "auth.link_invalid");
  EXPECT_EQ(code_of(accounts_->setup(verification, {.email = "eve@example.org", .password = kPassword, .name = "Eve"}, client_)),
            "auth.link_invalid");
}

// proves: N-8
TEST_F(AccountsTest, N_8_ADeactivatedUserLosesAccess) {
  const auto signed_in = sign_up();
  ASSERT_TRUE(is_accepted(signed_in.access_token));
  execute("update users set is_active = 0");
  // Another process did it: within the cache's time to live.
  EXPECT_TRUE(authenticator_->try_authenticate({signed_in.access_token, {}}).has_value());
  advance(std::chrono::seconds(5));
  EXPECT_FALSE(authenticator_->try_authenticate({signed_in.access_token, {}}).has_value()) << "the cache has nothing to say any more";
  EXPECT_EQ(code_of(who(signed_in.access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(signed_in.refresh_token, client_)), "auth.invalid_token");
  execute("update users set is_active = 1");
  ASSERT_TRUE(is_accepted(signed_in.access_token));
  execute("update users set is_active = 0");
  authenticator_->forget(signed_in.user.id);  // this process did it: at once
  EXPECT_EQ(code_of(who(signed_in.access_token)), "auth.invalid_token");
}

// proves: P1
TEST_F(AccountsTest, P1_SessionsAreListedAndRevokedOneByOneOrTogether) {
  const auto first = sign_up();
  const auto second = accounts_->login({"ada@example.org", kPassword, ""}, {"198.51.100.9", "curl\x01\xff"});
  const auto third = login();
  const auto listed = accounts_->sessions(first.user.id);
  ASSERT_TRUE(listed.has_value());
  ASSERT_THAT(*listed, SizeIs(3));
  EXPECT_THAT(*listed, Contains(testing::AllOf(testing::Field(&SessionInfo::address, "198.51.100.9"),
                                               testing::Field(&SessionInfo::user_agent, "curl??"))));
  const auto stranger = sign_up("eve@example.org");
  EXPECT_EQ(code_of(accounts_->revoke_session(stranger.user.id, second->session)), "session.not_found");
  ASSERT_TRUE(is_accepted(second->access_token));
  ASSERT_TRUE(accounts_->revoke_session(first.user.id, second->session).has_value());
  EXPECT_EQ(code_of(who(second->access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(second->refresh_token, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->revoke_session(first.user.id, second->session)), "session.not_found");
  ASSERT_TRUE(accounts_->revoke_sessions(first.user.id, first.session).has_value());
  EXPECT_EQ(code_of(who(third->access_token)), "auth.invalid_token");
  EXPECT_TRUE(is_accepted(first.access_token));
  EXPECT_TRUE(is_accepted(stranger.access_token));
  ASSERT_TRUE(accounts_->logout(first.user.id, first.session).has_value());
  EXPECT_EQ(code_of(who(first.access_token)), "auth.invalid_token");
}

TEST_F(AccountsTest, TheAccessCookieIsTheSameTokenAndSaysThatItWasACookie) {
  const auto signed_in = sign_up();
  const auto principal = authenticator_->authenticate({{}, signed_in.access_token});
  ASSERT_TRUE(principal.has_value());
  EXPECT_TRUE(principal->by_cookie);
  EXPECT_FALSE(who(signed_in.access_token)->by_cookie) << "the cache does not mix the two";
  EXPECT_TRUE((*authenticator_->try_authenticate({{}, signed_in.access_token}))->by_cookie);
}

TEST_F(AccountsTest, WhatTheCacheForgetsWhileItIsReadIsNotRemembered) {
  const auto signed_in = sign_up();
  // Not in the cache yet: nothing without the database.
  EXPECT_FALSE(authenticator_->try_authenticate({signed_in.access_token, {}}).has_value());
  EXPECT_TRUE(is_accepted(signed_in.access_token));
  EXPECT_TRUE(authenticator_->try_authenticate({signed_in.access_token, {}}).has_value());
  authenticator_->forget_all();
  EXPECT_FALSE(authenticator_->try_authenticate({signed_in.access_token, {}}).has_value());
}

// ---- passwords --------------------------------------------------------------------------------------------------------------------

TEST_F(AccountsTest, ChangingThePasswordAsksForTheOldOneAndEndsOtherSessions) {
  const auto here = sign_up();
  const auto elsewhere = login();
  EXPECT_EQ(code_of(accounts_->change_password(here.user.id, here.session, "wrong", kOtherPassword, client_)), "auth.invalid_credentials");
  EXPECT_EQ(code_of(accounts_->change_password(here.user.id, here.session, kPassword, "short", client_)), "auth.weak_password");
  ASSERT_TRUE(is_accepted(elsewhere->access_token));
  ASSERT_TRUE(accounts_->change_password(here.user.id, here.session, kPassword, kOtherPassword, client_).has_value());
  EXPECT_TRUE(is_accepted(here.access_token));
  EXPECT_EQ(code_of(who(elsewhere->access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(login()), "auth.invalid_credentials");
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
}

// proves: N-6
TEST_F(AccountsTest, N_6_AResetLinkWorksOnceAndEndsAllSessions) {
  const auto signed_in = sign_up();
  ASSERT_TRUE(is_accepted(signed_in.access_token));
  accounts_->forgot_password("ADA@example.org");
  settle();
  ASSERT_THAT(mail_.messages, SizeIs(2));
  EXPECT_THAT(mail_.messages.back().text, HasSubstr("https://pawl.example.org/reset-password#"));
  const auto token = mail_.token();
  EXPECT_EQ(code_of(accounts_->reset_password(token, "short", client_)), "auth.weak_password");
  ASSERT_TRUE(accounts_->reset_password(token, kOtherPassword, client_).has_value());
  EXPECT_EQ(code_of(accounts_->reset_password(token, kPassword, client_)), "auth.link_invalid");
  EXPECT_EQ(code_of(who(signed_in.access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(accounts_->refresh(signed_in.refresh_token, client_)), "auth.invalid_token");
  EXPECT_EQ(code_of(login()), "auth.invalid_credentials");
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
  EXPECT_TRUE(accounts_->user(signed_in.user.id)->email_verified_at.has_value());
}

// proves: N-6
TEST_F(AccountsTest, N_6_ResetLinksExpireAndOnlyTheNewestWorks) {
  sign_up();
  accounts_->forgot_password("ada@example.org");
  settle();
  const auto first = mail_.token();
  accounts_->forgot_password("ada@example.org");
  settle();
  const auto second = mail_.token();
  EXPECT_EQ(code_of(accounts_->reset_password(first, kOtherPassword, client_)), "auth.link_invalid");
  advance(std::chrono::hours(1));
  EXPECT_EQ(code_of(accounts_->reset_password(second, kOtherPassword, client_)), "auth.link_invalid");
  for (const char* token : {"", "null", "x"})
    EXPECT_EQ(code_of(accounts_->reset_password(token, kOtherPassword, client_)), "auth.link_invalid");
}

TEST_F(AccountsTest, ForgettingThePasswordOfAnUnknownAddressSendsNothing) {
  sign_up();
  for (const char* email : {"nobody@example.org", "no address", ""}) accounts_->forgot_password(email);
  settle();
  EXPECT_THAT(mail_.messages, SizeIs(1)) << "only the one of the registration";
}

TEST_F(AccountsTest, AResetEndsTheWaitThatOthersCaused) {
  sign_up();
  for (int i = 0; i < 100; ++i) {
    const Client somewhere{"203.0.113." + std::to_string(i), ""};
    EXPECT_EQ(code_of(accounts_->login({"ada@example.org", "wrong", ""}, somewhere)), "auth.invalid_credentials");
  }
  EXPECT_EQ(code_of(login()), "auth.too_many_attempts");
  accounts_->forgot_password("ada@example.org");
  settle();
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_TRUE(login("ada@example.org", kOtherPassword).has_value());
}

TEST_F(AccountsTest, AnAddressIsVerifiedByItsLinkOnce) {
  const auto signed_in = sign_up();
  EXPECT_FALSE(signed_in.user.email_verified_at.has_value());
  const auto first = mail_.token();
  ASSERT_TRUE(accounts_->resend_verification(signed_in.user.id).has_value());
  EXPECT_EQ(code_of(accounts_->verify_email(first)), "auth.link_invalid");
  ASSERT_TRUE(accounts_->verify_email(mail_.token()).has_value());
  EXPECT_EQ(code_of(accounts_->verify_email(mail_.token())), "auth.link_invalid");
  EXPECT_TRUE(accounts_->user(signed_in.user.id)->email_verified_at.has_value());
  EXPECT_EQ(code_of(accounts_->resend_verification(signed_in.user.id)), "auth.already_verified");
}

// ---- second factor ----------------------------------------------------------------------------------------------------------------

// proves: N-14
TEST_F(AccountsTest, N_14_TheSecondFactorIsAskedAtLoginAndOnlyGoesWithProof) {
  const auto signed_in = sign_up();
  const auto user = signed_in.user.id;
  EXPECT_EQ(code_of(accounts_->enable_totp(user, "123456", client_)), "auth.totp_not_set_up");
  EXPECT_EQ(code_of(accounts_->setup_totp(user, "wrong", client_)), "auth.invalid_credentials");
  const auto setup = accounts_->setup_totp(user, kPassword, client_);
  ASSERT_TRUE(setup.has_value());
  const App app(setup->secret);
  EXPECT_TRUE(login().has_value()) << "not in force before a code was shown";
  EXPECT_EQ(code_of(accounts_->enable_totp(user, "000000", client_)), "auth.invalid_code");
  const auto enabling = app.code(clock_.time);
  const auto codes = accounts_->enable_totp(user, enabling, client_);
  ASSERT_TRUE(codes.has_value()) << codes.error().code;
  EXPECT_THAT(*codes, SizeIs(10));

  EXPECT_EQ(code_of(login()), "auth.otp_required");
  EXPECT_EQ(code_of(login("ada@example.org", "wrong", app.code(clock_.time))), "auth.invalid_credentials");
  EXPECT_EQ(code_of(login("ada@example.org", kPassword, enabling)), "auth.invalid_credentials") << "used when it was enabled";
  advance(std::chrono::seconds(30));
  const auto code = app.code(clock_.time);
  EXPECT_TRUE(login("ada@example.org", kPassword, code).has_value());
  EXPECT_EQ(code_of(login("ada@example.org", kPassword, code)), "auth.invalid_credentials") << "replayed";

  EXPECT_TRUE(login("ada@example.org", kPassword, codes->front()).has_value());
  EXPECT_EQ(code_of(login("ada@example.org", kPassword, codes->front())), "auth.invalid_credentials") << "a backup code works once";
  EXPECT_TRUE(accounts_->user(user)->totp_enabled);

  EXPECT_EQ(code_of(accounts_->setup_totp(user, kPassword, client_)), "auth.totp_enabled");
  EXPECT_EQ(code_of(accounts_->disable_totp(user, "wrong", codes->at(1), client_)), "auth.invalid_credentials");
  EXPECT_EQ(code_of(accounts_->disable_totp(user, kPassword, "000000", client_)), "auth.invalid_credentials");
  EXPECT_TRUE(accounts_->user(user)->totp_enabled);
  ASSERT_TRUE(accounts_->disable_totp(user, kPassword, codes->at(1), client_).has_value());
  EXPECT_TRUE(login().has_value());
  EXPECT_EQ(code_of(login("ada@example.org", kPassword + std::string("x"), codes->at(2))), "auth.invalid_credentials");
}

TEST_F(AccountsTest, ACodeIsUsedUpOnceWhenItComesTwiceAtTheSameMoment) {
  const auto signed_in = sign_up();
  const auto setup = accounts_->setup_totp(signed_in.user.id, kPassword, client_);
  const App app(setup->secret);
  const auto codes = accounts_->enable_totp(signed_in.user.id, app.code(clock_.time), client_);
  ASSERT_TRUE(codes.has_value());
  advance(std::chrono::seconds(30));
  for (const auto& code : {app.code(clock_.time), codes->front()}) {
    std::vector<std::future<Result<SignedIn>>> attempts;
    for (int i = 0; i < 4; ++i)
      attempts.push_back(std::async(std::launch::async, [&] { return login("ada@example.org", kPassword, code); }));
    int in = 0;
    for (auto& attempt : attempts) in += attempt.get().has_value() ? 1 : 0;
    EXPECT_EQ(in, 1);
  }
}

// ---- API keys ---------------------------------------------------------------------------------------------------------------------

// proves: P1
TEST_F(AccountsTest, P1_AnApiKeyActsForItsUserWithItsScopesInItsOrganization) {
  const auto signed_in = sign_up();
  const auto principal = *who(signed_in.access_token);
  const auto issued = api_keys_->create(principal, principal.home, {"deploy", {"read", "execute"}, {}});
  ASSERT_TRUE(issued.has_value()) << issued.error().code;
  EXPECT_TRUE(issued->secret.starts_with("pawl_"));
  EXPECT_THAT(issued->secret, SizeIs(48));
  const auto key = who(issued->secret);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->kind, Principal::Kind::api_key);
  EXPECT_EQ(key->user, signed_in.user.id);
  EXPECT_TRUE(key->permits(Permission::execute, key->home));
  EXPECT_FALSE(key->permits(Permission::write, key->home));
  EXPECT_FALSE(key->permits(Permission::account, key->home));
  EXPECT_EQ(code_of(api_keys_->create(*key, key->home, {"more", {"write"}, {}})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, principal.home, {"root", {"administer"}, {}})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, OrganizationId::make(clock_.time, random_), {"foreign", {"read"}, {}})),
            "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(principal, principal.home, {"", {}, clock_.time})), "api_key.invalid");

  const auto stranger = sign_up("eve@example.org");
  EXPECT_EQ(code_of(api_keys_->revoke(stranger.user.id, issued->key.id)), "api_key.not_found");
  EXPECT_EQ(code_of(api_keys_->get(stranger.user.id, issued->key.id)), "api_key.not_found");
  EXPECT_THAT(api_keys_->list(stranger.user.id, 50, {})->keys, IsEmpty());
  EXPECT_THAT(api_keys_->list(signed_in.user.id, 50, {})->keys, SizeIs(1));
  ASSERT_TRUE(authenticator_->try_authenticate({issued->secret, {}}).has_value()) << "in the cache";
  ASSERT_TRUE(api_keys_->revoke(signed_in.user.id, issued->key.id).has_value());
  EXPECT_EQ(code_of(who(issued->secret)), "auth.invalid_token");
}

TEST_F(AccountsTest, AnApiKeyEndsWithItsTimeItsUserAndItsMembership) {
  const auto signed_in = sign_up();
  const auto principal = *who(signed_in.access_token);
  const auto brief = api_keys_->create(principal, principal.home, {"brief", {"read"}, clock_.time + std::chrono::hours(1)});
  const auto lasting = api_keys_->create(principal, principal.home, {"lasting", {"read"}, {}});
  ASSERT_TRUE(brief.has_value() && lasting.has_value());
  EXPECT_TRUE(is_accepted(brief->secret));
  advance(std::chrono::hours(1));
  EXPECT_EQ(code_of(who(brief->secret)), "auth.invalid_token");
  EXPECT_TRUE(is_accepted(lasting->secret));
  execute("update users set is_active = 0");
  authenticator_->forget(signed_in.user.id);
  EXPECT_EQ(code_of(who(lasting->secret)), "auth.invalid_token");
  execute("update users set is_active = 1; delete from organization_members");
  authenticator_->forget(signed_in.user.id);
  EXPECT_EQ(code_of(who(lasting->secret)), "auth.invalid_token");
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
