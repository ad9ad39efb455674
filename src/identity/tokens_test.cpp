#include <gmock/gmock.h>

#include <array>

#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"
#include "identity/access_token.hpp"
#include "identity/refresh_token.hpp"
#include "identity/totp.hpp"

namespace pawl::identity {
namespace {

const TimePoint kNow{Millis(1'700'000'000'000)};

class TokensTest : public testing::Test {
 protected:
  SystemRandom random_;
  TokenKeys keys_{"a secret of this installation, long enough"};
  AccessClaims claims_{UserId::make(kNow, random_), SessionId::make(kNow, random_), kNow, kNow + std::chrono::minutes(15)};

  /// A JWT with this header and payload under our own key: what somebody could make who found a way to have us sign.
  [[nodiscard]] std::string forged(std::string_view header, std::string_view payload) const {
    const auto& key = keys_.current().access;
    auto token = crypto::to_base64url(header) + "." + crypto::to_base64url(payload);
    const auto mac = crypto::hmac_sha256({reinterpret_cast<const char*>(key.data()), key.size()}, token);
    return token + "." + crypto::to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
  }
};

// proves: AI-H8
TEST_F(TokensTest, AnAccessTokenSaysWhoAndUntilWhen) {
  const auto token = issue_access_token(keys_, claims_);
  const auto read = read_access_token(keys_, token, kNow);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->user, claims_.user);
  EXPECT_EQ(read->session, claims_.session);
  EXPECT_TRUE(read_access_token(keys_, token, kNow + std::chrono::minutes(15) - Millis(1)).has_value());
  EXPECT_FALSE(read_access_token(keys_, token, kNow + std::chrono::minutes(15)).has_value());
}

// proves: N-4
TEST_F(TokensTest, N_4_AnythingElseIsJustNotAToken) {
  const auto token = issue_access_token(keys_, claims_);
  for (std::string text :
       {std::string(), std::string("."), std::string(".."), std::string("a.b.c"), std::string(3000, 'a'), std::string("\0\xff", 2),
        token + "x", token.substr(1), token.substr(0, token.rfind('.')), token.substr(0, token.rfind('.') + 1)}) {
    EXPECT_FALSE(read_access_token(keys_, text, kNow).has_value()) << text;
  }
  for (std::size_t i = 0; i < token.size(); ++i) {
    auto changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read_access_token(keys_, changed, kNow).has_value()) << i;
  }
  EXPECT_FALSE(read_access_token(TokenKeys("another secret of another installation"), token, kNow).has_value());
}

TEST_F(TokensTest, N_8_NothingInTheTokenChoosesTheAlgorithmOrThePurpose) {
  const auto payload = *crypto::from_base64url([&] {
    const auto token = issue_access_token(keys_, claims_);
    const auto first = token.find('.');
    return token.substr(first + 1, token.rfind('.') - first - 1);
  }());
  const auto kid = keys_.current().kid;
  const auto good = R"({"alg":"HS256","kid":")" + kid + R"(","typ":"at+jwt"})";
  ASSERT_TRUE(read_access_token(keys_, forged(good, payload), kNow).has_value());
  for (const auto& header :
       {R"({"alg":"none","kid":")" + kid + R"(","typ":"at+jwt"})", R"({"alg":"HS512","kid":")" + kid + R"(","typ":"at+jwt"})",
        R"({"alg":"HS256","kid":")" + kid + R"(","typ":"JWT"})", R"({"alg":"HS256","kid":")" + kid + R"(","typ":"rt+jwt"})",
        std::string(R"({"alg":"HS256","kid":"","typ":"at+jwt"})"), std::string("{}"), std::string("")}) {
    EXPECT_FALSE(read_access_token(keys_, forged(header, payload), kNow).has_value()) << header;
  }
  const auto with = [&](std::string_view from, std::string_view to) {
    auto changed = payload;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return changed.replace(at, from.size(), to);
  };
  for (const auto& changed : {with(R"("iss":"pawl")", R"("iss":"other")"), with("pawl:api", "pawl:reset"), with(R"("exp":)", R"("xxx":)"),
                              with(R"("sub":")", R"("sub":"x)"), std::string("[]"), std::string("null"), std::string("{")}) {
    EXPECT_FALSE(read_access_token(keys_, forged(good, changed), kNow).has_value()) << changed;
  }
}

// proves: N-8
TEST_F(TokensTest, N_8_ATokenOfOneKindIsNeverOneOfAnother) {
  const auto refresh = to_text(keys_, first_refresh_token(claims_.session));
  const auto csrf = csrf_token(keys_, claims_.session);
  const auto access = issue_access_token(keys_, claims_);
  EXPECT_FALSE(read_access_token(keys_, refresh, kNow).has_value());
  EXPECT_FALSE(read_access_token(keys_, csrf, kNow).has_value());
  EXPECT_FALSE(read_refresh_token(keys_, access, kNow).has_value());
  EXPECT_FALSE(read_refresh_token(keys_, csrf, kNow).has_value());
  EXPECT_FALSE(is_csrf_token(keys_, claims_.session, access, kNow));
  EXPECT_FALSE(is_csrf_token(keys_, claims_.session, refresh, kNow));
}

// proves: FA-10
TEST_F(TokensTest, FA_10_TokensOfThePreviousSecretAreAcceptedUntilItsGraceEnds) {
  const std::vector<std::string> previous{"a secret of this installation, long enough"};
  const auto end = kNow + std::chrono::minutes(5);
  const TokenKeys rotated("a new secret for this installation, long enough", previous, end);
  const auto old_access = issue_access_token(keys_, claims_);
  const auto old_refresh = to_text(keys_, first_refresh_token(claims_.session));
  const auto old_csrf = csrf_token(keys_, claims_.session);
  EXPECT_TRUE(read_access_token(rotated, old_access, kNow).has_value());
  EXPECT_TRUE(read_refresh_token(rotated, old_refresh, kNow).has_value());
  EXPECT_TRUE(is_csrf_token(rotated, claims_.session, old_csrf, kNow));
  EXPECT_FALSE(read_access_token(rotated, old_access, end).has_value());
  EXPECT_FALSE(read_refresh_token(rotated, old_refresh, end).has_value());
  EXPECT_FALSE(is_csrf_token(rotated, claims_.session, old_csrf, end));
  const auto fresh = issue_access_token(rotated, claims_);
  EXPECT_TRUE(read_access_token(rotated, fresh, end).has_value());
  EXPECT_FALSE(read_access_token(keys_, fresh, kNow).has_value()) << "signed by the new one";
  EXPECT_NE(rotated.current().kid, keys_.current().kid);
}

TEST_F(TokensTest, ACsrfTokenBelongsToOneSession) {
  const auto token = csrf_token(keys_, claims_.session);
  EXPECT_TRUE(is_csrf_token(keys_, claims_.session, token, kNow));
  EXPECT_FALSE(is_csrf_token(keys_, SessionId::make(kNow, random_), token, kNow));
  EXPECT_FALSE(is_csrf_token(keys_, claims_.session, "", kNow));
}

// proves: N-7
TEST_F(TokensTest, N_7_EveryRefreshTokenHasAHashOfItsOwn) {
  const auto first = first_refresh_token(claims_.session);
  const auto second = next_refresh_token(keys_, first, "salt");
  EXPECT_EQ(second.generation, 1U);
  EXPECT_NE(token_hash(to_text(keys_, first)), token_hash(to_text(keys_, second)));
  EXPECT_EQ(to_text(keys_, next_refresh_token(keys_, first, "salt")), to_text(keys_, second));
  EXPECT_NE(to_text(keys_, next_refresh_token(keys_, first, "other")), to_text(keys_, second));
  const auto read = read_refresh_token(keys_, to_text(keys_, second), kNow);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->session, claims_.session);
  EXPECT_EQ(read->secret, second.secret);
  // Nobody can make one for a session that he knows by name.
  auto text = to_text(keys_, second);
  text[text.size() / 2] = text[text.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(read_refresh_token(keys_, text, kNow).has_value());
}

TEST(Totp, AgreesWithTheVectorsOfRfc6238) {
  // Appendix B, SHA-1, the last six of eight digits.
  const std::string seed = "12345678901234567890";
  const std::array<std::pair<std::int64_t, const char*>, 6> vectors{{{59, "287082"},
                                                                     {1111111109, "081804"},
                                                                     {1111111111, "050471"},
                                                                     {1234567890, "005924"},
                                                                     {2000000000, "279037"},
                                                                     {20000000000, "353130"}}};
  for (const auto& [seconds, code] : vectors) {
    EXPECT_EQ(totp_code(seed, totp_step(TimePoint(std::chrono::seconds(seconds)))), code) << seconds;
  }
}

// proves: N-14
TEST(Totp, N_14_ACodeWorksOnceAndAStepAwayButNotTwo) {
  const auto seed = make_totp_seed();
  const auto step = totp_step(kNow);
  EXPECT_EQ(match_totp(seed, totp_code(seed, step), kNow, 0), step);
  EXPECT_EQ(match_totp(seed, totp_code(seed, step - 1), kNow, 0), step - 1);
  EXPECT_EQ(match_totp(seed, totp_code(seed, step + 1), kNow, 0), step + 1);
  EXPECT_EQ(match_totp(seed, totp_code(seed, step + 5), kNow, 0), std::nullopt);
  EXPECT_EQ(match_totp(seed, totp_code(seed, step), kNow, step), std::nullopt) << "used";
  EXPECT_EQ(match_totp(seed, totp_code(seed, step - 1), kNow, step), std::nullopt) << "older than one that was used";
  for (const char* text : {"", "12345", "1234567", "abcdef", "\0\0\0\0\0\0"}) EXPECT_EQ(match_totp(seed, text, kNow, 0), std::nullopt);
  const auto code = totp_code(seed, step);
  EXPECT_EQ(match_totp(seed, code.substr(0, 3) + " " + code.substr(3), kNow, 0), step);
}

TEST(Totp, TheUriCarriesTheSecretAndNothingUnescaped) {
  EXPECT_EQ(
      totp_uri("12345678901234567890", "Pawl", "ada&x=1@example.org"),
      "otpauth://totp/Pawl:ada%26x%3D1@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Pawl&algorithm=SHA1&digits=6&period=30");
}

}  // namespace
}  // namespace pawl::identity
