// The second factor: set up, asked for, used up, taken away.
#include <gmock/gmock.h>

#include <future>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

using testing::SizeIs;

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

}  // namespace
}  // namespace pawl::identity
