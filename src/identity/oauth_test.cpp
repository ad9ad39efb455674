#include "identity/oauth.hpp"

#include <gmock/gmock.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <map>

#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"
#include "identity/detail/jws.hpp"
#include "identity/detail/test_support.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/mailer.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::identity {
namespace {

using testing::HasSubstr;
using testing::Not;

class CountedMails final : public Mailer {
 public:
  [[nodiscard]] Result<void> send(storage::Transaction&, const Message&) override {
    ++count;
    return {};
  }
  int count = 0;
};

/// An RSA key pair of a provider: signs tokens, and publishes its public half.
class SigningKey {
 public:
  SigningKey() : key_(EVP_RSA_gen(2048), EVP_PKEY_free) {}

  [[nodiscard]] json::Value jwk() const {
    return json::Value::object({{"kty", "RSA"},
                                {"use", "sig"},
                                {"alg", "RS256"},
                                {"kid", "k1"},
                                {"n", part(OSSL_PKEY_PARAM_RSA_N)},
                                {"e", part(OSSL_PKEY_PARAM_RSA_E)}});
  }
  [[nodiscard]] json::Value key_set() const { return json::Value::object({{"keys", json::Value::array({jwk()})}}); }
  [[nodiscard]] std::string modulus() const { return part(OSSL_PKEY_PARAM_RSA_N); }
  [[nodiscard]] std::string sign(const json::Value& claims) const {
    const auto data = encode(json::Value::object({{"alg", "RS256"}, {"kid", "k1"}})) + "." + encode(claims);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::size_t size = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    EVP_DigestSign(context.get(), nullptr, &size, bytes, data.size());
    std::string signature(size, '\0');
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, data.size());
    return data + "." + crypto::to_base64url(signature.substr(0, size));
  }
  static std::string encode(const json::Value& value) { return crypto::to_base64url(json::to_text(value)); }

 private:
  [[nodiscard]] std::string part(const char* name) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return crypto::to_base64url(bytes);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

const SigningKey& provider_key() {
  static const SigningKey key;
  return key;
}

// ---- signatures -------------------------------------------------------------------------------------------------------------------

TEST(Jws, N_5_OnlyTheProvidersKeyWithItsOwnAlgorithmVouches) {
  const auto claims = json::Value::object({{"sub", "1"}});
  const auto token = provider_key().sign(claims);
  const auto key_set = provider_key().key_set();
  ASSERT_TRUE(detail::verify_jws(token, key_set).has_value());
  EXPECT_EQ(*detail::verify_jws(token, key_set), claims);

  const auto body = SigningKey::encode(claims);
  const auto none = SigningKey::encode(json::Value::object({{"alg", "none"}})) + "." + body + ".";
  const auto symmetric_data = SigningKey::encode(json::Value::object({{"alg", "HS256"}, {"kid", "k1"}})) + "." + body;
  const auto mac = crypto::hmac_sha256(provider_key().modulus(), symmetric_data);
  const auto symmetric = symmetric_data + "." + crypto::to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
  const auto tampered =
      token.substr(0, token.find('.') + 1) + SigningKey::encode(json::Value::object({{"sub", "2"}})) + token.substr(token.rfind('.'));
  const SigningKey other;
  const std::map<std::string, std::string> bad{{"none", none},
                                               {"HS256 with the public key", symmetric},
                                               {"other claims", tampered},
                                               {"another key", other.sign(claims)},
                                               {"two parts", "a.b"},
                                               {"four parts", token + ".x"},
                                               {"no JSON", "x." + body + ".x"},
                                               {"nothing", ""}};
  for (const auto& [what, text] : bad) {
    const auto verified = detail::verify_jws(text, key_set);
    ASSERT_TRUE(verified.has_error()) << what;
    EXPECT_EQ(verified.error().code, "oauth.invalid_token") << what;
  }
}

// ---- the flow ---------------------------------------------------------------------------------------------------------------------

constexpr std::string_view kIssuer = "https://id.example.com";

class OAuthTest : public StoredTest {
 protected:
  OAuthTest() {
    OAuthProvider oidc{"oidc", OAuthProvider::Kind::oidc, "client", "secret", "https://pawl.example.com/callback", std::string(kIssuer)};
    OAuthProvider github{"github", OAuthProvider::Kind::github, "gh", "gh-secret", "https://pawl.example.com/gh", {}};
    oauth_ =
        std::make_unique<OAuth>(OAuth::Dependencies{outbound_, *database_, clock_, crypto::derive_key("test", "oauth"), {oidc, github}});
    answer("GET", "https://id.example.com/.well-known/openid-configuration",
           json::Value::object({{"issuer", kIssuer},
                                {"authorization_endpoint", "https://id.example.com/auth"},
                                {"token_endpoint", "https://id.example.com/token"},
                                {"jwks_uri", "https://id.example.com/keys"}}));
    answer("GET", "https://id.example.com/keys", provider_key().key_set());
  }
  ~OAuthTest() override { oauth_.reset(); }

  void answer(const std::string& method, const std::string& url, const json::Value& body) {
    outbound_.on(method, url, [text = json::to_text(body)](const net::OutboundRequest&) -> Result<net::OutboundResponse> {
      net::OutboundResponse response;
      response.status = 200;
      response.body = text;
      return response;
    });
  }
  void settle() {
    while (outbound_.deliver() > 0) {
    }
  }
  OAuth::Start begin(std::string_view provider = "oidc", const std::optional<Asker>& asked_by = std::nullopt) {
    OAuth::Start start;
    oauth_->begin(provider, asked_by, [&](Result<OAuth::Start> begun) {
      ASSERT_TRUE(begun.has_value()) << begun.error().message;
      start = *begun;
    });
    settle();
    return start;
  }
  static std::string parameter(const std::string& url, const std::string& name) {
    const auto begin = url.find(name + "=") + name.size() + 1;
    return url.substr(begin, url.find('&', begin) - begin);
  }
  json::Value claims(const OAuth::Start& start) const {
    const auto now = clock_.time.time_since_epoch().count() / 1000;
    return json::Value::object({{"iss", kIssuer},
                                {"aud", "client"},
                                {"sub", "42"},
                                {"exp", now + 300},
                                {"iat", now},
                                {"nonce", parameter(start.location, "nonce")},
                                {"email", "Ada@Example.org"},
                                {"email_verified", true},
                                {"name", "Ada"}});
  }
  Result<ExternalIdentity> finish(const OAuth::Start& start, const std::string& state, std::string_view provider = "oidc") {
    Result<ExternalIdentity> outcome = Error(ErrorClass::internal, "test.unanswered", "");
    oauth_->finish(provider, {"the-code", state, {}, {}}, start.cookie, [&](Result<ExternalIdentity> came) { outcome = std::move(came); });
    settle();
    return outcome;
  }
  Result<ExternalIdentity> finish_with(const OAuth::Start& start, const json::Value& token_claims) {
    answer("POST", "https://id.example.com/token",
           json::Value::object({{"access_token", "canary"}, {"id_token", provider_key().sign(token_claims)}}));
    return finish(start, parameter(start.location, "state"));
  }
  UserId add_user(const std::string& email, bool verified) {
    detail::UserRow row;
    row.user.id = UserId::make(clock_.now(), random_);
    row.user.email = row.email_key = email;
    row.user.name = "Ada";
    if (verified) row.user.email_verified_at = clock_.now();
    EXPECT_TRUE(database_->write_and_wait([&](storage::Transaction& t) { return detail::insert_user(t, row); }).has_value());
    return row.user.id;
  }
  Result<UserId> user_for(const ExternalIdentity& identity, bool may_register = true) {
    PAWL_TRY(entry, user_of(*database_, mailer_, identity, may_register, clock_.now(), random_));
    return entry.user;
  }
  template <class T>
  static std::string code(const Result<T>& result) {
    return result.has_error() ? result.error().code : "ok";
  }

  CountedMails mailer_;
  net::ScriptedOutbound outbound_;
  std::unique_ptr<OAuth> oauth_;
};

TEST_F(OAuthTest, N_5_AskingNamesStateNonceChallengeAndTheConfiguredAddress) {
  const auto start = begin();
  EXPECT_THAT(start.location, testing::StartsWith("https://id.example.com/auth?"));
  EXPECT_THAT(start.location, HasSubstr("code_challenge_method=S256"));
  EXPECT_THAT(start.location, HasSubstr("redirect_uri=https%3A%2F%2Fpawl.example.com%2Fcallback"));
  EXPECT_THAT(start.location, Not(HasSubstr("secret")));
  EXPECT_NE(parameter(start.location, "state"), parameter(begin().location, "state"));
}

TEST_F(OAuthTest, P1_AGoodAnswerSaysWhoItIs) {
  const auto start = begin();
  const auto identity = finish_with(start, claims(start));
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->subject, "42");
  EXPECT_EQ(identity->email, "ada@example.org");
  EXPECT_TRUE(identity->email_verified);
  // The verifier that was sent is the one whose digest was announced.
  const auto& body = outbound_.requests()[1].body;
  EXPECT_EQ(crypto::to_base64url(detail::sha256(parameter(body, "code_verifier"))), parameter(start.location, "code_challenge"));
}

TEST_F(OAuthTest, P1_WhoAskedForALinkStandsInTheAnswerAndNowhereInTheAddress) {
  const auto user = add_user("ada@example.org", true);
  const Asker asker{user, SessionId::make(clock_.now(), random_)};
  const auto start = begin("oidc", asker);
  EXPECT_TRUE(oauth_->is_link(start.cookie));
  EXPECT_THAT(start.location, Not(HasSubstr(user.to_string())));
  EXPECT_EQ(finish_with(start, claims(start))->asked_by, asker);
  const auto plain = begin();
  EXPECT_FALSE(oauth_->is_link(plain.cookie));
  EXPECT_EQ(finish_with(plain, claims(plain))->asked_by, std::nullopt);
}

TEST_F(OAuthTest, N_5_AnAnswerCountsOnceAndOnlyForTheBrowserThatAsked) {
  const auto start = begin();
  EXPECT_EQ(code(finish(start, "forged")), "oauth.invalid_state");
  EXPECT_EQ(code(finish({start.location, ""}, parameter(start.location, "state"))), "oauth.invalid_state") << "no cookie";
  EXPECT_EQ(code(finish(begin(), parameter(start.location, "state"))), "oauth.invalid_state") << "another browser's cookie";
  EXPECT_EQ(code(finish(start, parameter(start.location, "state"), "github")), "oauth.invalid_state") << "another provider";
  EXPECT_EQ(code(finish_with(start, claims(start))), "ok");
  EXPECT_EQ(code(finish_with(start, claims(start))), "oauth.invalid_state") << "replayed";
  const auto late = begin();
  clock_.time += kOAuthPatience;
  EXPECT_EQ(code(finish_with(late, claims(late))), "oauth.invalid_state");
}

TEST_F(OAuthTest, N_5_TokensForOthersOfOthersOrOfOtherTimesAreRefused) {
  const auto now = clock_.time.time_since_epoch().count() / 1000;
  const std::vector<std::pair<std::string, json::Value>> bad{{"nonce", "another"},
                                                             {"iss", "https://evil.example"},
                                                             {"aud", "somebody-else"},
                                                             {"aud", json::Value::array({"client", "other"})},
                                                             {"azp", "other"},
                                                             {"exp", now - 61},
                                                             {"exp", nullptr},
                                                             {"iat", now + 61},
                                                             {"sub", ""}};
  for (const auto& [name, value] : bad) {
    const auto start = begin();
    auto wrong = claims(start);
    wrong.set(name, value);
    EXPECT_EQ(code(finish_with(start, wrong)), "oauth.invalid_token") << name << " " << json::to_text(value);
  }
}

TEST_F(OAuthTest, P1_GitHubIsAskedForItsVerifiedPrimaryAddress) {
  answer("POST", "https://github.com/login/oauth/access_token", json::Value::object({{"access_token", "canary"}}));
  answer("GET", "https://api.github.com/user", json::Value::object({{"id", 7}, {"login", "ada"}, {"name", nullptr}}));
  answer("GET", "https://api.github.com/user/emails",
         json::Value::array({json::Value::object({{"email", "old@example.org"}, {"verified", true}, {"primary", false}}),
                             json::Value::object({{"email", "ada@example.org"}, {"verified", true}, {"primary", true}})}));
  const auto start = begin("github");
  const auto identity = finish(start, parameter(start.location, "state"), "github");
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->subject, "7");
  EXPECT_EQ(identity->name, "ada");
  EXPECT_EQ(identity->email, "ada@example.org");
}

TEST_F(OAuthTest, P1_AProviderThatLiesInItsDiscoveryIsNotFollowed) {
  answer("GET", "https://id.example.com/.well-known/openid-configuration", json::Value::object({{"issuer", "https://evil.example"}}));
  std::string outcome;
  oauth_->begin("oidc", std::nullopt, [&](Result<OAuth::Start> begun) { outcome = code(begun); });
  settle();
  EXPECT_EQ(outcome, "oauth.unavailable");
}

// ---- who that is here -------------------------------------------------------------------------------------------------------------

TEST_F(OAuthTest, N_5_AccountsAreJoinedByAddressesThatBothSidesHaveVerified) {
  const ExternalIdentity ada{"oidc", "42", "ada@example.org", true, "Ada"};
  const auto user = add_user("ada@example.org", true);
  ASSERT_EQ(code(user_for(ada)), "ok");
  EXPECT_EQ(*user_for(ada), user);
  ExternalIdentity moved = ada;
  moved.email = "new@example.org";
  moved.email_verified = false;
  EXPECT_EQ(*user_for(moved), user) << "once linked, the subject decides";
  EXPECT_EQ(mailer_.count, 0) << "there was no password to take away";
}

TEST_F(OAuthTest, N_5_AnUnverifiedAddressJoinsNothing) {
  add_user("ada@example.org", true);
  EXPECT_EQ(code(user_for({"oidc", "42", "ada@example.org", false, "Ada"})), "oauth.unverified_email");
  add_user("bob@example.org", false);
  EXPECT_EQ(code(user_for({"oidc", "43", "bob@example.org", true, "Bob"})), "oauth.sign_in_required");
}

TEST_F(OAuthTest, P1_ANewcomerGetsAnAccountWhereRegistrationIsOpen) {
  EXPECT_EQ(code(user_for({"oidc", "44", "new@example.org", true, "New"}, false)), "auth.registration_closed");
  const auto made = user_for({"oidc", "44", "new@example.org", true, "New"});
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(*user_for({"oidc", "44", "new@example.org", true, "New"}), *made);
}

}  // namespace
}  // namespace pawl::identity
