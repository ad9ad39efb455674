// Every connector's test against a stand-in that answers, refuses, stalls and lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sodium.h>

#include <cstdlib>
#include <map>

#include "dsl/schema.hpp"
#include "integrations/connector.hpp"
#include "integrations/testing/stand_in.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::integrations {
namespace {

using ::testing::HasSubstr;
using testing::HttpStandIn;
using ::testing::Not;
using testing::StandIn;

constexpr std::string_view kCanary = "xoxb-canary-secret-4711";
constexpr std::chrono::milliseconds kPatience{300};

json::Value parse(std::string_view text) { return json::parse(text).value(); }

/// Runs a connector's test; `mapped` are origins that lead to the stand-in.
Verdict probe(std::string_view name, const json::Value& config, const std::vector<std::string>& mapped = {}, bool allow_private = true,
              std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  net::CurlOptions options;
  options.policy.allow_private = allow_private;
  for (const auto& entry : mapped) EXPECT_FALSE(options.policy.map_host(entry).has_error()) << entry;
  net::CurlOutbound outbound(options);
  const ProbeTools tools{outbound, options.policy, std::chrono::seconds(1'700'000'000), std::chrono::steady_clock::now() + patience};
  return find_connector(name)->test(config, tools);
}

struct HttpCase {
  std::string connector;
  json::Value config;                ///< `$ORIGIN` stands for the stand-in
  std::vector<std::string> origins;  ///< mapped to the stand-in
  std::string good;                  ///< body of a good answer
  std::string sent;                  ///< what the first request must hold
};

std::vector<HttpCase> http_cases() {
  const std::string canary(kCanary);
  return {
      {"github",
       parse(R"({"access_token": "xoxb-canary-secret-4711"})"),
       {"api.github.com:443"},
       R"({"login": "octocat"})",
       "GET /user HTTP/1.1\r\n"},
      {"slack",
       parse(R"({"bot_token": "xoxb-canary-secret-4711"})"),
       {"slack.com:443"},
       R"({"ok": true})",
       "POST /api/auth.test HTTP/1.1\r\n"},
      {"dropbox",
       parse(R"({"access_token": "xoxb-canary-secret-4711"})"),
       {"api.dropboxapi.com:443"},
       R"({"account_id": "dbid:1"})",
       "POST /2/users/get_current_account HTTP/1.1\r\n"},
      {"openai",
       parse(R"({"api_key": "xoxb-canary-secret-4711"})"),
       {"api.openai.com:443"},
       R"({"data": []})",
       "GET /v1/models HTTP/1.1\r\n"},
      {"anthropic",
       parse(R"({"api_key": "xoxb-canary-secret-4711"})"),
       {"api.anthropic.com:443"},
       R"({"data": []})",
       "GET /v1/models?limit=1 HTTP/1.1\r\n"},
      {"http",
       parse(R"({"base_url": "https://api.example.org", "header_name": "X-Key", "header_value": "xoxb-canary-secret-4711"})"),
       {"api.example.org:443"},
       "{}",
       "GET / HTTP/1.1\r\n"},
      {"s3",
       parse(R"({"access_key_id": "AKIA", "secret_access_key": "xoxb-canary-secret-4711", "bucket_name": "my-bucket"})"),
       {"my-bucket.s3.us-east-1.amazonaws.com:443"},
       "<?xml version=\"1.0\"?><ListBucketResult></ListBucketResult>",
       "GET /?list-type=2&max-keys=1 HTTP/1.1\r\n"},
  };
}

class HttpConnectors : public ::testing::TestWithParam<HttpCase> {
 protected:
  static Verdict ask(const HttpStandIn& server, bool allow_private = true, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::vector<std::string> mapped;
    for (const auto& origin : GetParam().origins) mapped.push_back(origin + " -> " + server.origin());
    return probe(GetParam().connector, GetParam().config, mapped, allow_private, patience);
  }
};

INSTANTIATE_TEST_SUITE_P(All, HttpConnectors, ::testing::ValuesIn(http_cases()), [](const auto& chosen) { return chosen.param.connector; });

// proves: F6, S0-14
TEST_P(HttpConnectors, S0_14_SaysOkWhereTheServiceAcceptsTheCredentials) {
  const HttpStandIn server([](const std::string&) { return HttpStandIn::reply(200, GetParam().good); });
  const auto verdict = ask(server);
  EXPECT_TRUE(verdict.ok) << verdict.detail;
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_THAT(server.requests()[0], ::testing::StartsWith(GetParam().sent));
  const bool sends_it = GetParam().connector != "s3";  // that one only signs with it
  EXPECT_EQ(server.requests()[0].find(kCanary) != std::string::npos, sends_it);
}

// proves: F6, S0-14
TEST_P(HttpConnectors, S0_14_SaysFailedWhereTheServiceRefuses) {
  for (const int status : {401, 403, 500, 404, 301}) {
    const HttpStandIn server([&](const std::string&) { return HttpStandIn::reply(status, R"({"login": "x", "leak": "INTERNAL"})"); });
    const auto verdict = ask(server);
    EXPECT_FALSE(verdict.ok) << status;
    EXPECT_THAT(verdict.detail, Not(HasSubstr("INTERNAL"))) << "what the other side sends is not told";
    EXPECT_THAT(verdict.detail, Not(HasSubstr("canary")));
    EXPECT_EQ(server.requests().size(), 1U) << "redirects are not followed";
  }
}

// proves: F6, S0-14, S4-M2
TEST_P(HttpConnectors, S0_14_SaysFailedInTimeWhereTheServiceStalls) {
  const HttpStandIn server([](const std::string&) { return std::string(); });
  const auto began = std::chrono::steady_clock::now();
  const auto verdict = ask(server, true, kPatience);
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.detail, HasSubstr("did not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(8));
}

// proves: F6, S0-14
TEST_P(HttpConnectors, S0_14_SaysFailedWhereTheServiceLies) {
  if (GetParam().connector == "http") return;  // there, any 2xx is what was asked for
  for (const char* body : {"", "<html>INTERNAL</html>", "[]", "{}", "{\"login\": ", "null", R"({"ok": "yes", "login": null})"}) {
    const HttpStandIn server([&](const std::string&) { return HttpStandIn::reply(200, body); });
    const auto verdict = ask(server);
    EXPECT_FALSE(verdict.ok) << body;
    EXPECT_THAT(verdict.detail, Not(HasSubstr("INTERNAL")));
  }
  const HttpStandIn garbage([](const std::string&) { return std::string("SSH-2.0-OpenSSH_9.2\r\n"); });
  EXPECT_FALSE(ask(garbage).ok);
}

// Point 22 of the security checks.
TEST(Connectors, F6_TestsReachNoAddressThatTheGuardForbids) {
  const HttpStandIn server([](const std::string&) { return HttpStandIn::reply(200, R"({"login": "x", "data": []})"); });
  for (const char* name : {"github", "openai", "anthropic", "http"}) {
    auto config = json::Value::object({{"base_url", server.origin()}, {"access_token", "x"}, {"api_key", "x"}});
    const auto verdict = probe(name, config, {}, false);
    EXPECT_FALSE(verdict.ok) << name;
    EXPECT_THAT(verdict.detail, HasSubstr("may not be called")) << name;
  }
  const StandIn raw([](int connection) { StandIn::send(connection, "220 hello\r\n"); });
  const auto port = static_cast<std::int64_t>(raw.port());
  const auto smtp = json::Value::object({{"smtp_host", "127.0.0.1"}, {"smtp_port", port}, {"username", "u"}, {"password", "p"}});
  EXPECT_THAT(probe("email", smtp, {}, false).detail, HasSubstr("may not be called"));
  const auto database =
      json::Value::object({{"host", "localhost"}, {"port", port}, {"database", "d"}, {"username", "u"}, {"password", "p"}});
  EXPECT_THAT(probe("postgres", database, {}, false).detail, HasSubstr("may not be called"));
  EXPECT_TRUE(server.requests().empty());
}

// ---- single services ------------------------------------------------------------------------------------------------------

TEST(Slack, F6_AWebhookIsTestedWithoutPosting) {
  const auto config = parse(R"({"webhook_url": "https://hooks.slack.com/services/T/B/xoxb-canary-secret-4711"})");
  const auto ask = [&](int status, const char* body) {
    const HttpStandIn server([&](const std::string&) { return HttpStandIn::reply(status, body); });
    const auto verdict = probe("slack", config, {"hooks.slack.com:443 -> " + server.origin()});
    EXPECT_THAT(server.requests().at(0), ::testing::EndsWith("\r\n\r\n{}")) << "no text: nothing appears in the channel";
    return verdict;
  };
  EXPECT_TRUE(ask(400, "no_text").ok);
  EXPECT_FALSE(ask(404, "no_service").ok);
  EXPECT_FALSE(ask(403, "invalid_token").ok);
  EXPECT_FALSE(ask(200, "ok").ok);
  EXPECT_FALSE(ask(400, "<html>").ok);
}

TEST(Slack, F6_ATokenThatSlackRefusesWith200IsRefused) {
  const HttpStandIn server([](const std::string&) { return HttpStandIn::reply(200, R"({"ok": false, "error": "invalid_auth"})"); });
  EXPECT_FALSE(probe("slack", parse(R"({"bot_token": "xoxb-1"})"), {"slack.com:443 -> " + server.origin()}).ok);
}

TEST(GitHub, F6_LooksForTheRepositoryToo) {
  const HttpStandIn server([](const std::string& request) {
    return request.starts_with("GET /user ") ? HttpStandIn::reply(200, R"({"login": "x"})") : HttpStandIn::reply(404, "{}");
  });
  const auto config = json::Value::object({{"access_token", "t"}, {"repository", "a/b"}, {"base_url", server.origin()}});
  EXPECT_FALSE(probe("github", config).ok);
  EXPECT_THAT(server.requests().at(1), ::testing::StartsWith("GET /repos/a/b "));
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(byte) >> 4U];
    text += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
  return text;
}
std::string hmac(std::string_view key, std::string_view data) {
  unsigned char out[32];
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()), data.size(), out,
       nullptr);
  return {reinterpret_cast<const char*>(out), sizeof out};
}
std::string sha256(std::string_view data) {
  unsigned char out[32];
  EVP_Digest(data.data(), data.size(), out, nullptr, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(out), sizeof out};
}
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const auto begin = text.find(from);
  if (begin == std::string::npos) return {};
  const auto start = begin + from.size();
  return text.substr(start, text.find(to, start) - start);
}

/// The signature as AWS describes it (Signature Version 4), computed from what arrived.
bool signature_is_right(const std::string& request, const std::string& secret) {
  std::map<std::string, std::string> fields;
  const auto head = request.substr(0, request.find("\r\n\r\n") + 2);
  for (auto at = head.find("\r\n") + 2; at < head.size(); at = head.find("\r\n", at) + 2) {
    const auto line = head.substr(at, head.find("\r\n", at) - at);
    auto name = line.substr(0, line.find(':'));
    for (auto& letter : name) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    fields[name] = line.substr(std::min(line.size(), line.find(':') + 2));
  }
  const auto target = between(request, " ", " ");
  const auto query = target.substr(target.find('?') + 1);
  const auto signed_names = between(fields["authorization"], "SignedHeaders=", ",");
  const auto scope = between(fields["authorization"], "Credential=AKIA/", ",");
  std::string canonical = "GET\n" + target.substr(0, target.find('?')) + "\n" + query + "\n";
  for (std::size_t at = 0; at <= signed_names.size();
       at = signed_names.find(';', at) == std::string::npos ? signed_names.size() + 1 : signed_names.find(';', at) + 1) {
    const auto name = signed_names.substr(at, signed_names.find(';', at) - at);
    canonical += name + ":" + fields[name] + "\n";
  }
  canonical += "\n" + signed_names + "\n" + hex(sha256(""));
  const auto text = "AWS4-HMAC-SHA256\n" + fields["x-amz-date"] + "\n" + scope + "\n" + hex(sha256(canonical));
  const auto date = scope.substr(0, 8);
  const auto key = hmac(hmac(hmac(hmac("AWS4" + secret, date), "eu-north-1"), "s3"), "aws4_request");
  return !signed_names.empty() && between(request, "Signature=", "\r\n") == hex(hmac(key, text));
}

TEST(S3, F6_SignsWithVersion4ForAnotherEndpoint) {
  const HttpStandIn server([](const std::string& request) {
    return signature_is_right(request, "the-secret") ? HttpStandIn::reply(200, "<ListBucketResult/>") : HttpStandIn::reply(403, "<Error/>");
  });
  auto config = json::Value::object({{"access_key_id", "AKIA"},
                                     {"secret_access_key", "the-secret"},
                                     {"bucket_name", "photos"},
                                     {"region", "eu-north-1"},
                                     {"endpoint", server.origin()}});
  const auto verdict = probe("s3", config);
  EXPECT_TRUE(verdict.ok) << verdict.detail << server.requests().at(0);
  EXPECT_THAT(server.requests().at(0), ::testing::StartsWith("GET /photos/?list-type=2&max-keys=1 "));
  EXPECT_THAT(server.requests().at(0), Not(HasSubstr("the-secret")));
  config.set("secret_access_key", "another");
  EXPECT_FALSE(probe("s3", config).ok);
}

// A service account that the test makes, and a Google that checks its signature.
class GoogleDrive : public ::testing::Test {
 protected:
  GoogleDrive() : key_(EVP_RSA_gen(2048)) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key_, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    pem_.assign(data, static_cast<std::size_t>(size));
    BIO_free(bio);
  }
  ~GoogleDrive() override { EVP_PKEY_free(key_); }

  static std::string decode(std::string_view text) {
    std::string out(text.size(), '\0');
    std::size_t size = 0;
    sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(), text.size(), nullptr, &size, nullptr,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out.resize(size);
    return out;
  }
  bool claim_is_right(const std::string& request) {
    const auto token = request.substr(request.find("assertion=") + 10);
    const auto dot = token.rfind('.');
    const auto signature = decode(std::string_view(token).substr(dot + 1));
    const auto text = token.substr(0, dot);
    const auto claim = parse(decode(std::string_view(text).substr(text.find('.') + 1)));
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key_);
    const bool valid = EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                                        reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
    EVP_MD_CTX_free(context);
    return valid && claim.get("iss") == json::Value("robot@p.iam.gserviceaccount.com") && claim.get("iat") == json::Value(1'700'000'000) &&
           claim.get("aud") == json::Value("https://oauth2.googleapis.com/token");
  }
  [[nodiscard]] json::Value config(const std::string& key) const {
    const auto file = json::Value::object(
        {{"client_email", "robot@p.iam.gserviceaccount.com"}, {"private_key", key}, {"token_uri", "http://evil.example/token"}});
    return json::Value::object({{"credentials_json", json::to_text(file)}});
  }
  static std::vector<std::string> mapped(const HttpStandIn& server) {
    return {"oauth2.googleapis.com:443 -> " + server.origin(), "www.googleapis.com:443 -> " + server.origin()};
  }

  EVP_PKEY* key_;
  std::string pem_;
};

TEST_F(GoogleDrive, F6_ASignedClaimBecomesATokenThatIsTried) {
  const HttpStandIn server([this](const std::string& request) {
    if (request.starts_with("POST /token ")) {
      return claim_is_right(request) ? HttpStandIn::reply(200, R"({"access_token": "ya29.x"})") : HttpStandIn::reply(400, "{}");
    }
    return request.find("Bearer ya29.x") != std::string::npos ? HttpStandIn::reply(200, R"({"user": {}})") : HttpStandIn::reply(401, "{}");
  });
  const auto verdict = probe("googledrive", config(pem_), mapped(server));
  EXPECT_TRUE(verdict.ok) << verdict.detail;
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(GoogleDrive, F6_FailsWhereGoogleRefusesStallsOrLies) {
  for (const int status : {400, 401, 500}) {
    const HttpStandIn server([&](const std::string&) { return HttpStandIn::reply(status, "{}"); });
    EXPECT_FALSE(probe("googledrive", config(pem_), mapped(server)).ok) << status;
  }
  const HttpStandIn liar([](const std::string&) { return HttpStandIn::reply(200, "<html>"); });
  EXPECT_FALSE(probe("googledrive", config(pem_), mapped(liar)).ok);
  const HttpStandIn half([](const std::string& request) {
    return request.starts_with("POST") ? HttpStandIn::reply(200, R"({"access_token": "t"})") : HttpStandIn::reply(200, "{}");
  });
  EXPECT_FALSE(probe("googledrive", config(pem_), mapped(half)).ok);
  const HttpStandIn silent([](const std::string&) { return std::string(); });
  EXPECT_THAT(probe("googledrive", config(pem_), mapped(silent), true, kPatience).detail, HasSubstr("in time"));
}

TEST_F(GoogleDrive, F6_WhatIsNoServiceAccountIsNotSent) {
  const HttpStandIn server([](const std::string&) { return HttpStandIn::reply(200, "{}"); });
  for (const auto& wrong :
       {config("no key"), config(""), parse(R"({"credentials_json": "{}"})"), parse(R"({"credentials_json": "nonsense"})")}) {
    EXPECT_FALSE(probe("googledrive", wrong, mapped(server)).ok);
  }
  EXPECT_TRUE(server.requests().empty());
}

// A mail server with one account.
void serve_mail(int connection, std::string_view features, bool accept) {
  const auto line = [&] {
    return StandIn::receive(connection, [](const std::string& text) { return text.find('\n') != std::string::npos; });
  };
  StandIn::send(connection, "220 mail.example ESMTP\r\n");
  for (auto said = line(); !said.empty(); said = line()) {
    if (said.starts_with("EHLO")) {
      StandIn::send(connection, features);
    } else if (said.starts_with("AUTH PLAIN\r") || said.starts_with("AUTH PLAIN\n")) {
      StandIn::send(connection, "334 \r\n");
    } else if (said.starts_with("QUIT")) {
      StandIn::send(connection, "221 bye\r\n");
      return;
    } else if (said.starts_with("NOOP")) {
      StandIn::send(connection, "250 ok\r\n");
    } else if (said.starts_with("MAIL") || said.starts_with("DATA")) {
      ADD_FAILURE() << "a test sends no mail";
    } else {
      StandIn::send(connection, accept ? "235 welcome\r\n" : "535 who are you\r\n");
    }
  }
}

json::Value mail_config(std::uint16_t port, const char* security) {
  return json::Value::object({{"smtp_host", "127.0.0.1"},
                              {"smtp_port", static_cast<std::int64_t>(port)},
                              {"security", security},
                              {"username", "u"},
                              {"password", kCanary},
                              {"from_email", "a@b.example"}});
}

TEST(Email, F6_LogsInAndSendsNothing) {
  const StandIn server([](int connection) { serve_mail(connection, "250-mail.example\r\n250 AUTH PLAIN\r\n", true); });
  const auto verdict = probe("email", mail_config(server.port(), "none"));
  EXPECT_TRUE(verdict.ok) << verdict.detail;
}

TEST(Email, F6_FailsWhereTheServerRefusesStallsLiesOrHasNoTls) {
  const StandIn refusing([](int connection) { serve_mail(connection, "250-mail.example\r\n250 AUTH PLAIN\r\n", false); });
  EXPECT_THAT(probe("email", mail_config(refusing.port(), "none")).detail, HasSubstr("refused the log-in"));
  EXPECT_THAT(probe("email", mail_config(refusing.port(), "starttls")).detail, HasSubstr("no TLS"));
  const StandIn silent([](int connection) { StandIn::stall(connection); });
  EXPECT_THAT(probe("email", mail_config(silent.port(), "none"), {}, true, kPatience).detail, HasSubstr("in time"));
  const StandIn liar([](int connection) { StandIn::send(connection, "HTTP/1.1 200 OK\r\n\r\nINTERNAL"); });
  const auto verdict = probe("email", mail_config(liar.port(), "none"));
  EXPECT_FALSE(verdict.ok);
  EXPECT_THAT(verdict.detail, Not(HasSubstr("INTERNAL")));
}

std::string pg_message(char kind, const std::string& body) {
  const auto size = static_cast<std::uint32_t>(body.size() + 4);
  std::string out(1, kind);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((size >> static_cast<unsigned>(shift)) & 0xFFU);
  return out + body;
}

// Speaks as much of PostgreSQL's protocol as a connection and one query need.
void serve_postgres(int connection, const std::string& value) {
  StandIn::receive(connection, [](const std::string& text) { return text.size() > 8; });
  StandIn::send(connection, pg_message('R', std::string(4, '\0')) + pg_message('Z', "I"));
  StandIn::receive(connection, [](const std::string& text) { return text.find("select 1") != std::string::npos; });
  const std::string field("c\0\0\0\0\0\0\0\0\0\0\x17\0\x04\0\0\0\0\0\0", 20);
  const std::string length{0, 0, 0, static_cast<char>(value.size())};
  StandIn::send(connection, pg_message('T', std::string("\0\1", 2) + field) + pg_message('D', std::string("\0\1", 2) + length + value) +
                                pg_message('C', std::string("SELECT 1\0", 9)) + pg_message('Z', "I"));
  StandIn::stall(connection);
}

json::Value database_config(std::uint16_t port, const char* mode = "disable") {
  return json::Value::object({{"host", "127.0.0.1"},
                              {"port", static_cast<std::int64_t>(port)},
                              {"database", "d"},
                              {"username", "u"},
                              {"password", kCanary},
                              {"sslmode", mode}});
}

TEST(Postgres, F6_ConnectsAndAsks) {
  const StandIn server([](int connection) { serve_postgres(connection, "1"); });
  const auto verdict = probe("postgres", database_config(server.port()));
  EXPECT_TRUE(verdict.ok) << verdict.detail;
  const StandIn liar([](int connection) { serve_postgres(connection, "2"); });
  EXPECT_FALSE(probe("postgres", database_config(liar.port())).ok);
}

TEST(Postgres, F6_TakesNothingFromTheEnvironmentAndPrintsNothingOfTheServer) {
  std::string startup;
  const StandIn server([&](int connection) {
    startup = StandIn::receive(connection, [](const std::string& text) { return text.size() > 8; });
    StandIn::send(connection, pg_message('R', std::string(4, '\0')));
    StandIn::send(connection, pg_message('N', std::string("SWARNING\0C01000\0MINTERNAL\0\0", 27)));
    StandIn::send(connection, pg_message('E', std::string("SFATAL\0C28P01\0Mpassword authentication failed\0\0", 47)));
  });
  ::setenv("PGOPTIONS", "-c search_path=planted", 1);
  ::setenv("PGAPPNAME", "planted", 1);
  ::setenv("PGCLIENTENCODING", "planted", 1);
  ::testing::internal::CaptureStderr();
  auto config = database_config(server.port());
  config.set("password", "it's a \\ password' host='other.example");
  const auto refused = probe("postgres", config);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("INTERNAL")));
  for (const auto* name : {"PGOPTIONS", "PGAPPNAME", "PGCLIENTENCODING"}) ::unsetenv(name);
  EXPECT_THAT(refused.detail, HasSubstr("refused the user or the password"));
  EXPECT_THAT(startup, HasSubstr("pawl"));
  EXPECT_THAT(startup, Not(HasSubstr("planted")));
}

TEST(Postgres, F6_FailsWhereTheServerRefusesStallsLiesOrHasNoTls) {
  const StandIn refusing([](int connection) {
    StandIn::receive(connection, [](const std::string& text) { return text.size() > 8; });
    StandIn::send(connection, pg_message('E', std::string("SFATAL\0C28P01\0Mpassword authentication failed for user INTERNAL\0\0", 66)));
  });
  const auto refused = probe("postgres", database_config(refusing.port()));
  EXPECT_THAT(refused.detail, HasSubstr("refused the user or the password"));
  EXPECT_THAT(refused.detail, Not(HasSubstr("INTERNAL")));
  const StandIn silent([](int connection) { StandIn::stall(connection); });
  EXPECT_THAT(probe("postgres", database_config(silent.port()), {}, true, kPatience).detail, HasSubstr("in time"));
  const StandIn liar([](int connection) { StandIn::send(connection, "HTTP/1.1 200 OK\r\n\r\nINTERNAL"); });
  const auto lied = probe("postgres", database_config(liar.port()));
  EXPECT_FALSE(lied.ok);
  EXPECT_THAT(lied.detail, Not(HasSubstr("INTERNAL")));
  const StandIn plain([](int connection) {
    StandIn::receive(connection, [](const std::string& text) { return text.size() >= 8; });
    StandIn::send(connection, "N");
  });
  EXPECT_FALSE(probe("postgres", database_config(plain.port(), "require")).ok);
}

TEST(Postgres, F6_TalksToARealServer) {
  const char* url = std::getenv("PAWL_TEST_DATABASE_URL");
  if (url == nullptr) GTEST_SKIP() << "scripts/test starts a server";
  const std::string text(url);
  const auto user = between(text, "://", ":");
  const auto password = between(text, user + ":", "@");
  auto config = json::Value::object({{"host", "127.0.0.1"},
                                     {"port", static_cast<std::int64_t>(std::stol(between(text, "@127.0.0.1:", "/")))},
                                     {"database", "postgres"},
                                     {"username", user},
                                     {"password", password},
                                     {"sslmode", "prefer"}});
  const auto verdict = probe("postgres", config);
  EXPECT_TRUE(verdict.ok) << verdict.detail;
  config.set("password", "wrong");
  EXPECT_THAT(probe("postgres", config).detail, HasSubstr("refused the user or the password"));
  config.set("password", password);
  config.set("sslmode", "require");
  EXPECT_THAT(probe("postgres", config).detail, HasSubstr("TLS"));
}

// ---- declarations -----------------------------------------------------------------------------------------------------------

TEST(Connectors, F6_AreTheTenAndTheirSchemasCompile) {
  std::vector<std::string> names;
  for (const auto& connector : connectors()) {
    names.push_back(connector.name);
    EXPECT_FALSE(dsl::Schema::compile(connector.schema).has_error()) << connector.name;
    EXPECT_FALSE(connector.secret_fields.empty()) << connector.name;
    EXPECT_FALSE(connector.schema.get("additionalProperties").truthy()) << connector.name;
    EXPECT_EQ(connector.schema.get("properties").find("allowed_hosts"), nullptr) << connector.name;
  }
  EXPECT_THAT(
      names, ::testing::ElementsAre("anthropic", "dropbox", "email", "github", "googledrive", "http", "openai", "postgres", "s3", "slack"));
}

}  // namespace
}  // namespace pawl::integrations
