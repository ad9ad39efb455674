// What somebody who once had a foot in an account loses when its owner takes it back.
#include <gmock/gmock.h>

#include <functional>

#include "identity/detail/test_support.hpp"
#include "identity/oauth.hpp"

namespace pawl::identity {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

/// Does something at the second look at the time: a login looks before and after it checks the password.
class InterruptingClock final : public Clock {
 public:
  explicit InterruptingClock(TimePoint now) : now_(now) {}
  [[nodiscard]] TimePoint now() const override {
    if (++looks_ == 2) between();
    return now_;
  }
  std::function<void()> between;

 private:
  TimePoint now_;
  mutable int looks_ = 0;
};

class Takeover : public AccountsTest {
 protected:
  Result<SignedIn> login_while(const std::function<void()>& happens) {
    InterruptingClock clock(clock_.time);
    clock.between = happens;
    Accounts accounts({*database_, *authenticator_, hasher_, keys_, seals_, mail_, clock, random_, {}}, {});
    return accounts.login(LoginRequest{"ada@example.org", kPassword, ""}, client_);
  }
  std::string password_hash() {
    std::string hash;
    const auto read = database_->read([&](storage::Session& session) {
      return session.query("select password_hash from users", {}, [&](const storage::Row& row) { hash = row.text(0); });
    });
    EXPECT_TRUE(read.has_value());
    return hash;
  }
  void restore(const std::string& hash) {
    const auto written = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute("update users set is_active = 1, totp_enabled_at = null, password_hash = $1", {hash}));
      return {};
    });
    EXPECT_TRUE(written.has_value());
  }
  std::string key_of(const SignedIn& signed_in) {
    const auto principal = *who(signed_in.access_token);
    return api_keys_->create(principal, principal.home, {"deploy", {"read"}, {}})->secret;
  }
};

TEST_F(Takeover, N_7_ASignInUnderWayDoesNotSurviveAChangeOfTheAccount) {
  const auto before = sign_up();
  const auto hash = password_hash();
  for (const std::string_view change : {"update users set password_hash = 'another'", "update users set is_active = 0",
                                        "update users set totp_enabled_at = 1", "update users set password_hash = null"}) {
    EXPECT_EQ(code_of(login_while([&] { execute(change); })), "auth.invalid_credentials") << change;
    restore(hash);
  }
  EXPECT_THAT(*accounts_->sessions(before.user.id), SizeIs(1)) << "the one of the registration";
  EXPECT_EQ(code_of(login_while([] {})), "no error");
}

TEST_F(Takeover, P1_ResettingThePasswordRevokesApiKeysAndSaysSo) {
  const auto key = key_of(sign_up());
  ASSERT_TRUE(is_accepted(key));
  accounts_->forgot_password("ada@example.org");
  settle();
  ASSERT_TRUE(accounts_->reset_password(mail_.token(), kOtherPassword, client_).has_value());
  EXPECT_EQ(code_of(who(key)), "auth.invalid_token");
  EXPECT_THAT(mail_.messages.back().text, HasSubstr("API keys were revoked"));
}

// An account that somebody else made for one's address, and whose confirmation one clicked without a thought.
TEST_F(Takeover, P1_TheFirstSignInWithAProviderEndsEverythingThatOpenedTheAccountBefore) {
  const auto made = sign_up();
  ASSERT_TRUE(accounts_->verify_email(mail_.token()).has_value());
  const auto key = key_of(made);
  const ExternalIdentity ada{"oidc", "42", "ada@example.org", true, "Ada"};
  const auto entered = accounts_->login(ada, client_);
  ASSERT_TRUE(entered.has_value()) << entered.error().code;
  EXPECT_EQ(entered->user.id, made.user.id);
  EXPECT_TRUE(is_accepted(entered->access_token));
  EXPECT_EQ(code_of(who(made.access_token)), "auth.invalid_token");
  EXPECT_EQ(code_of(who(key)), "auth.invalid_token");
  EXPECT_EQ(code_of(login()), "auth.invalid_credentials");
  EXPECT_EQ(code_of(accounts_->refresh(made.refresh_token, client_)), "auth.invalid_token");
  EXPECT_EQ(mail_.messages.back().kind, "account-linked");
  EXPECT_EQ(mail_.messages.back().to, "ada@example.org");
  const auto mails = mail_.messages.size();
  EXPECT_EQ(code_of(accounts_->login(ada, client_)), "no error");
  EXPECT_TRUE(is_accepted(entered->access_token)) << "only the first time";
  EXPECT_THAT(mail_.messages, SizeIs(mails));
}

TEST_F(Takeover, P1_AKeyThatIsMadeWithAKeyEndsNoLaterThanThatOne) {
  const auto signed_in = sign_up();
  const auto principal = *who(signed_in.access_token);
  const auto end = clock_.time + std::chrono::hours(1);
  const auto parent = api_keys_->create(principal, principal.home, {"brief", {"read", "account"}, end});
  const auto by_key = *who(parent->secret);
  EXPECT_EQ(code_of(api_keys_->create(by_key, by_key.home, {"for ever", {"read"}, {}})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(by_key, by_key.home, {"longer", {"read"}, end + Millis(1)})), "api_key.invalid");
  EXPECT_EQ(code_of(api_keys_->create(by_key, by_key.home, {"as long", {"read"}, end})), "no error");
}

TEST_F(Takeover, N_8_ProvingThePasswordCountsFailuresAsALoginDoes) {
  const auto signed_in = sign_up();
  EXPECT_EQ(code_of(accounts_->prove_password("data.erased", signed_in.user.id, kPassword, client_)), "no error");
  std::string last;
  for (int i = 0; i < 50 && last != "auth.too_many_attempts"; ++i) {
    last = code_of(accounts_->prove_password("data.erased", signed_in.user.id, "wrong", client_));
  }
  EXPECT_EQ(last, "auth.too_many_attempts");
  execute("update users set password_hash = null");
  EXPECT_EQ(code_of(accounts_->prove_password("data.erased", signed_in.user.id, "", client_)), "auth.no_password");
}

TEST_F(Takeover, N_14_ANameMakesNoLinkInAMailToSomebodyElse) {
  const auto made = accounts_->register_account(
      {.email = "victim@example.org", .password = kPassword, .name = "you won https://evil.example/prize"}, client_);
  ASSERT_TRUE(made.has_value()) << made.error().code;
  accounts_->forgot_password("victim@example.org");
  settle();
  ASSERT_THAT(mail_.messages, SizeIs(2));
  for (const auto& message : mail_.messages) {
    EXPECT_THAT(message.text, AllOf(Not(HasSubstr("https://evil")), HasSubstr("https://pawl.example.org/"))) << message.kind;
  }
}

}  // namespace
}  // namespace pawl::identity
