// Staying signed in, and the list of sessions.
#include <gmock/gmock.h>

#include <future>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

using testing::Contains;
using testing::SizeIs;

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
  advance(std::chrono::milliseconds(1));
  const auto second = accounts_->login({"ada@example.org", kPassword, ""}, {"198.51.100.9", "curl\x01\xff"});
  advance(std::chrono::milliseconds(1));
  const auto third = login();
  const auto listed = accounts_->sessions(first.user.id);
  ASSERT_TRUE(listed.has_value());
  ASSERT_THAT(*listed, SizeIs(3));
  EXPECT_THAT(*listed, Contains(testing::AllOf(testing::Field(&SessionInfo::address, "198.51.100.9"),
                                               testing::Field(&SessionInfo::user_agent, "curl??"))));
  // In the order in which they were begun, whichever was used last: the pages of a list are read one after the other.
  const auto order = [&] {
    std::vector<SessionId> ids;
    for (const auto& session : *accounts_->sessions(first.user.id)) ids.push_back(session.id);
    return ids;
  };
  const auto before = order();
  EXPECT_THAT(before, testing::ElementsAre(third->session, second->session, first.session));
  advance(std::chrono::minutes(10));
  ASSERT_TRUE(accounts_->refresh(first.refresh_token, client_).has_value());
  EXPECT_EQ(order(), before);
  const auto used = accounts_->sessions(first.user.id);
  EXPECT_GT(used->back().last_used_at, used->front().last_used_at);
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

}  // namespace
}  // namespace pawl::identity
