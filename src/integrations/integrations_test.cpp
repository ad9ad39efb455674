#include "integrations/integrations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "integrations/testing/stand_in.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::integrations {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kCanary = "canary-secret-4711";
const OrganizationId kOurs = *OrganizationId::parse("01890000-0000-7000-8000-00000000000a");
const OrganizationId kTheirs = *OrganizationId::parse("01890000-0000-7000-8000-00000000000b");
const UserId kUser = *UserId::parse("01890000-0000-7000-8000-00000000000c");

json::Value parse(std::string_view text) { return json::parse(text).value(); }

class IntegrationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-integrations-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    database_ = storage::testing::open(options).value();
    ASSERT_FALSE(storage::migrate_up(*database_, clock_).has_error());
    const auto added = database_->write_and_wait([](storage::Transaction& transaction) -> Result<void> {
      for (const auto& id : {kOurs, kTheirs}) {
        PAWL_TRY_VOID(transaction.execute("insert into organizations (id, name, slug, created_at, updated_at) values ($1, $2, $2, 1, 1)",
                                          {id, id.to_string()}));
      }
      return {};
    });
    ASSERT_FALSE(added.has_error());
    net::CurlOptions curl;
    curl.policy.allow_private = true;
    policy_ = curl.policy;
    outbound_ = std::make_unique<net::CurlOutbound>(curl);
    open(keys_);
  }
  void TearDown() override {
    integrations_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open(const crypto::KeyRing& keys) {
    integrations_ =
        std::make_unique<Integrations>(Integrations::Dependencies{*database_, keys, *outbound_, policy_, clock_, random_,
                                                                  [this](const Error& error) { reported_.push_back(error.code); }},
                                       Options{.max_per_organization = 5, .test_timeout = Millis(400)});
    ASSERT_FALSE(integrations_->start().has_error());
  }
  Integration make(const std::string& name = "our-github", const OrganizationId& organization = kOurs) {
    auto made = integrations_->create(organization, kUser,
                                      {"github", name, parse(R"({"access_token": "canary-secret-4711", "repository": "a/b"})")});
    EXPECT_FALSE(made.has_error()) << made.error().message;
    return std::move(made).value();
  }
  [[nodiscard]] json::Value secrets(const OrganizationId& organization, std::vector<std::string> names) const {
    return integrations_->secrets(organization, names);
  }
  /// Everything that the data folder holds.
  [[nodiscard]] std::string files() const {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::stringstream text;
      text << in.rdbuf();
      all += text.str();
    }
    return all;
  }

  std::filesystem::path folder_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<storage::Database> database_;
  net::AddressPolicy policy_;
  std::unique_ptr<net::CurlOutbound> outbound_;
  const crypto::KeyRing keys_{"the first key"};
  std::vector<std::string> reported_;
  std::unique_ptr<Integrations> integrations_;
};

// proves: S4-D1, S0-R5, S0-14
TEST_F(IntegrationsTest, P2_MakesNothingInAnOrganizationThatIsGone) {
  const auto gone = *OrganizationId::parse("01890000-0000-7000-8000-00000000000c");
  const auto made = integrations_->create(gone, kUser, {"github", "late", parse(R"({"access_token": "x", "repository": "a/b"})")});
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, "organization.not_found");
  EXPECT_TRUE(secrets(gone, {"late"}).members().empty());
}

TEST_F(IntegrationsTest, S4_D1_KeepsSecretsSealedAndShowsMasks) {
  if (storage::testing::on_postgresql()) GTEST_SKIP() << "reads the file of SQLite";
  const auto made = make();
  EXPECT_EQ(made.config, parse(R"({"repository": "a/b", "access_token": "********"})"));
  EXPECT_EQ(integrations_->get(kOurs, made.id)->config.get("access_token"), json::Value(kMask));
  EXPECT_EQ(integrations_->list(kOurs)->at(0).config.get("access_token"), json::Value(kMask));
  ASSERT_FALSE(integrations_->update(kOurs, made.id, {.name = "renamed"}).has_error());
  if (!storage::testing::on_postgresql()) {
    EXPECT_THAT(files(), HasSubstr("renamed")) << "the files were written";
  }
  EXPECT_THAT(files(), Not(HasSubstr(kCanary)));
}

// proves: S0-R5
TEST_F(IntegrationsTest, S0_R5_AnUpdateWithTheMaskKeepsTheStoredSecret) {
  const auto made = make();
  auto config = made.config;
  config.set("repository", "c/d");
  const auto changed = integrations_->update(kOurs, made.id, {.config = config});
  ASSERT_FALSE(changed.has_error());
  EXPECT_EQ(changed->config, parse(R"({"repository": "c/d", "access_token": "********"})"));
  EXPECT_EQ(secrets(kOurs, {"our-github"}).get("our-github").get("access_token"), json::Value(kCanary));
  config.set("access_token", "a new one");
  ASSERT_FALSE(integrations_->update(kOurs, made.id, {.config = config}).has_error());
  EXPECT_EQ(secrets(kOurs, {"our-github"}).get("our-github").get("access_token"), json::Value("a new one"));
  // A whole configuration without the secret is one without it: refused, since the schema requires it.
  EXPECT_EQ(integrations_->update(kOurs, made.id, {.config = parse(R"({"repository": "c/d"})")}).error().code, "integration.invalid");
  EXPECT_THAT(files(), Not(HasSubstr("a new one")));
}

// proves: S0-R5
TEST_F(IntegrationsTest, S0_R5_AMaskKeepsNoSecretWhoseDestinationChanges) {
  struct Case {
    std::string_view connector;
    std::string_view config;
    std::string_view field;
    std::vector<std::pair<std::string_view, json::Value>> changes;  // each alone asks for the secret again
    std::vector<std::pair<std::string_view, json::Value>> choices;  // these do not
  };
  const std::vector<Case> cases = {
      {"http",
       R"({"base_url": "https://a.example", "header_value": "canary-secret-4711"})",
       "header_value",
       {{"base_url", "https://attacker.example"}, {"base_url", "http://a.example"}, {"header_name", "X-Other"}},
       {{"test_path", "/health"}, {"header_name", "Authorization"}}},
      {"openai", R"({"api_key": "canary-secret-4711"})", "api_key", {{"base_url", "https://attacker.example"}}, {{"model", "m"}}},
      {"postgres",
       R"({"host": "a.example", "database": "d", "username": "u", "password": "canary-secret-4711"})",
       "password",
       {{"host", "attacker.example"}, {"port", 5433}, {"sslmode", "disable"}, {"username", "v"}, {"database", "e"}},
       {{"sslmode", "require"}, {"port", 5432}}},
      {"email",
       R"({"smtp_host": "a.example", "username": "u", "password": "canary-secret-4711", "from_email": "a@b.example"})",
       "password",
       {{"smtp_host", "attacker.example"}, {"smtp_port", 2525}, {"security", "none"}},
       {{"from_email", "c@d.example"}}},
      {"s3",
       R"({"access_key_id": "k", "secret_access_key": "canary-secret-4711", "bucket_name": "bucket"})",
       "secret_access_key",
       {{"endpoint", "https://attacker.example"}, {"region", "eu-west-1"}, {"bucket_name", "other"}},
       {}},
  };
  for (const auto& each : cases) {
    const std::string name(each.connector);
    const auto made = integrations_->create(kOurs, kUser, {name, name, parse(each.config)});
    ASSERT_FALSE(made.has_error()) << name;
    for (const auto& [member, value] : each.changes) {
      auto config = made->config;
      config.set(member, value);
      const auto refused = integrations_->update(kOurs, made->id, {.config = config});
      ASSERT_TRUE(refused.has_error()) << name << ' ' << member;
      EXPECT_EQ(refused.error().kind, ErrorClass::unprocessable);
      ASSERT_EQ(refused.error().findings.size(), 1U);
      EXPECT_EQ(refused.error().findings[0].pointer, "/config/" + std::string(each.field));
      EXPECT_THAT(refused.error().findings[0].message, HasSubstr("enter the secret again"));
      config.set(each.field, "another secret");
      EXPECT_FALSE(integrations_->update(kOurs, made->id, {.config = config}).has_error()) << name << ' ' << member;
      ASSERT_FALSE(integrations_->update(kOurs, made->id, {.config = parse(each.config)}).has_error());
    }
    for (const auto& [member, value] : each.choices) {
      auto config = made->config;
      config.set(member, value);
      EXPECT_FALSE(integrations_->update(kOurs, made->id, {.config = config}).has_error()) << name << ' ' << member;
      EXPECT_EQ(secrets(kOurs, {name}).get(name).get(each.field), json::Value(kCanary));
    }
  }
}

// proves: F6
TEST_F(IntegrationsTest, F6_ChecksTheConfigurationWithAllFindingsAndRepeatsNoValue) {
  const auto refused = integrations_->create(
      kOurs, kUser, {"s3", " ", parse(R"({"secret_access_key": 4711, "bucket_name": "Not_A_Bucket_canary", "regionn": "x"})")});
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, "integration.invalid");
  std::vector<std::string> pointers;
  for (const auto& finding : refused.error().findings) {
    pointers.push_back(finding.pointer);
    EXPECT_THAT(finding.message, Not(HasSubstr("canary")));
  }
  EXPECT_THAT(pointers, ::testing::IsSupersetOf({"/name", "/config/secret_access_key", "/config/bucket_name"}));
  EXPECT_GE(pointers.size(), 5U) << "unknown and missing members are found too";
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"github", "x", parse(R"({"access_token": "********"})")}).error().code,
            "integration.invalid");
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"github", "x", parse(R"({"access_token": "a\r\nX: b"})")}).error().code,
            "integration.invalid");
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"fax", "x", parse("{}")}).error().code, "integration.unknown_connector");
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"github", "x", parse("[]")}).error().code, "integration.invalid");
}

TEST_F(IntegrationsTest, F6_NamesAreUniqueWithinAnOrganization) {
  const auto first = make("a");
  make("a", kTheirs);
  const auto second = make("b");
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"github", "a", parse(R"({"access_token": "x"})")}).error().code, "integration.name_taken");
  EXPECT_EQ(integrations_->update(kOurs, second.id, {.name = "a"}).error().code, "integration.name_taken");
  EXPECT_FALSE(integrations_->update(kOurs, first.id, {.name = "a"}).has_error());
  for (const char* name : {"c", "d", "e"}) make(name);
  EXPECT_EQ(integrations_->create(kOurs, kUser, {"github", "f", parse(R"({"access_token": "x"})")}).error().code, "integration.limit");
}

// Point 16 of the security checks.
TEST_F(IntegrationsTest, N_10_AnotherOrganizationSeesNothing) {
  const auto made = make();
  EXPECT_EQ(integrations_->get(kTheirs, made.id).error().code, "integration.not_found");
  EXPECT_EQ(integrations_->update(kTheirs, made.id, {.is_active = false}).error().code, "integration.not_found");
  EXPECT_EQ(integrations_->remove(kTheirs, made.id).error().code, "integration.not_found");
  EXPECT_EQ(integrations_->test(kTheirs, made.id).error().code, "integration.not_found");
  EXPECT_TRUE(integrations_->list(kTheirs)->empty());
  EXPECT_EQ(integrations_->cached_owner(made.id), kOurs);
  EXPECT_EQ(integrations_->owner(made.id).value(), kOurs);
  EXPECT_EQ(integrations_->owner(IntegrationId{}).error().code, "integration.not_found");
  EXPECT_EQ(secrets(kTheirs, {"our-github"}), json::Value::object());
}

// Point 20 of the security checks: no organization, no credentials.
TEST_F(IntegrationsTest, F6_GivesCredentialsToTheOwnOrganizationByNameOnly) {
  const auto made = make();
  const auto given = secrets(kOurs, {"our-github", "unknown"});
  EXPECT_EQ(given, parse(R"({"our-github": {"repository": "a/b", "access_token": "canary-secret-4711", "token": "canary-secret-4711",
                                            "allowed_hosts": ["api.github.com"], "secret_fields": ["access_token", "token"]}})"));
  EXPECT_EQ(secrets(kOurs, {}), json::Value::object());
  EXPECT_EQ(secrets(OrganizationId{}, {"our-github"}), json::Value::object());
  ASSERT_FALSE(integrations_->update(kOurs, made.id, {.name = "other", .is_active = false}).has_error());
  EXPECT_EQ(secrets(kOurs, {"our-github", "other"}), json::Value::object()) << "renamed and switched off";
  ASSERT_FALSE(integrations_->update(kOurs, made.id, {.is_active = true}).has_error());
  EXPECT_EQ(secrets(kOurs, {"other"}).size(), 1U);
  ASSERT_FALSE(integrations_->remove(kOurs, made.id).has_error());
  EXPECT_EQ(secrets(kOurs, {"other"}), json::Value::object());
}

TEST_F(IntegrationsTest, F6_AnswersTheSameAfterARestart) {
  make();
  open(keys_);
  EXPECT_EQ(secrets(kOurs, {"our-github"}).get("our-github").get("access_token"), json::Value(kCanary));
}

// proves: FA-10, S4-O2
TEST_F(IntegrationsTest, FA_10_RotationKeepsCredentialsReadableAndAWrongKeyFailsLoudly) {
  const auto made = make();
  const std::vector<std::string> previous = {"the first key"};
  const crypto::KeyRing both("the second key", previous);
  const storage::SealedColumn columns[] = {kSealedConfig};
  ASSERT_FALSE(storage::reseal(*database_, columns, both).has_error());
  const crypto::KeyRing second("the second key");
  open(second);
  EXPECT_EQ(secrets(kOurs, {"our-github"}).get("our-github").get("access_token"), json::Value(kCanary));
  open(keys_);
  EXPECT_EQ(secrets(kOurs, {"our-github"}), json::Value::object());
  EXPECT_THAT(reported_, ::testing::ElementsAre("crypto.unknown_key"));
  EXPECT_EQ(integrations_->get(kOurs, made.id).error().code, "crypto.unknown_key");
}

TEST_F(IntegrationsTest, S4_D1_ASecretCopiedToAnotherRowDoesNotOpen) {
  const auto ours = make();
  const auto theirs = make("x", kTheirs);
  const auto copied = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(
        transaction.execute("update integrations set sealed_config = (select sealed_config from integrations where id = $1) where id = $2",
                            {ours.id, theirs.id}));
    return {};
  });
  ASSERT_FALSE(copied.has_error());
  EXPECT_EQ(integrations_->get(kTheirs, theirs.id).error().code, "crypto.damaged");
}

// proves: S0-14
TEST_F(IntegrationsTest, S0_14_TestsForRealAndKeepsTheOutcome) {
  int status = 200;
  const testing::HttpStandIn server(
      [&](const std::string&) { return status == 0 ? "" : testing::HttpStandIn::reply(status, R"({"login": "x"})"); });
  const auto made = integrations_->create(
      kOurs, kUser, {"github", "local", json::Value::object({{"access_token", kCanary}, {"base_url", server.origin()}})});
  ASSERT_FALSE(made.has_error());
  const auto good = integrations_->test(kOurs, made->id);
  ASSERT_FALSE(good.has_error());
  EXPECT_TRUE(good->ok) << good->detail;
  EXPECT_TRUE(integrations_->get(kOurs, made->id)->last_tested_at.has_value());
  EXPECT_EQ(integrations_->get(kOurs, made->id)->last_error, "");
  status = 401;
  EXPECT_FALSE(integrations_->test(kOurs, made->id)->ok);
  EXPECT_THAT(integrations_->get(kOurs, made->id)->last_error, HasSubstr("refused the credentials"));
  status = 0;
  EXPECT_THAT(integrations_->test(kOurs, made->id)->detail, HasSubstr("in time"));
}

// ---- several processes ------------------------------------------------------------------------------------------------------------

/// Another process of the same database.
class TwoProcesses : public IntegrationsTest {
 protected:
  void SetUp() override {
    IntegrationsTest::SetUp();
    other_ = std::make_unique<Integrations>(Integrations::Dependencies{*database_, keys_, *outbound_, policy_, clock_, random_, {}},
                                            Options{.check_after = Millis(0)});
    ASSERT_FALSE(other_->start().has_error());
  }
  void TearDown() override {
    other_.reset();
    IntegrationsTest::TearDown();
  }
  [[nodiscard]] json::Value seen_there() const {
    const std::vector<std::string> names{"our-github"};
    return other_->secrets(kOurs, names).get("our-github").get("access_token");
  }
  template <class Condition>
  static bool soon(const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<Integrations> other_;
};

TEST_F(TwoProcesses, WhoIsToldOfAChangeReadsItAgain) {
  std::vector<std::string> told;
  integrations_->on_change([&](const std::string& version) { told.push_back(version); });
  const auto made = make();
  ASSERT_EQ(told.size(), 1U);
  other_->changed_elsewhere(told.back());
  EXPECT_TRUE(soon([&] { return seen_there() == json::Value(kCanary); }));
  ASSERT_FALSE(integrations_->update(kOurs, made.id, {.config = parse(R"({"access_token": "another-token-0815", "repository": "a/b"})")})
                   .has_error());
  ASSERT_EQ(told.size(), 2U);
  other_->changed_elsewhere(told.back());
  EXPECT_TRUE(soon([&] { return seen_there() == json::Value("another-token-0815"); }));
  ASSERT_FALSE(integrations_->remove(kOurs, made.id).has_error());
  other_->changed_elsewhere(told.back());
  EXPECT_TRUE(soon([&] { return seen_there() == json::Value(); }));
}

TEST_F(TwoProcesses, WhereNobodyTellsAUseFindsOut) {
  if (database_->dialect() != storage::Dialect::postgresql) GTEST_SKIP() << "one process has the folder";
  const auto made = make();
  EXPECT_TRUE(soon([&] { return seen_there() == json::Value(kCanary); }));
  ASSERT_FALSE(integrations_->remove(kOurs, made.id).has_error());
  EXPECT_TRUE(soon([&] { return seen_there() == json::Value(); }));
}

TEST_F(TwoProcesses, AChangeOfOnesOwnMissesNobodyElses) {
  make();  // unheard of there
  ASSERT_FALSE(other_->create(kOurs, kUser, {"github", "second", parse(R"({"access_token": "second-token"})")}).has_error());
  EXPECT_EQ(seen_there(), json::Value(kCanary));
}

}  // namespace
}  // namespace pawl::integrations
