#include "config/config.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace pawl::config {
namespace {

constexpr const char* kStrongKey = "Zx8vQ2mN7kL4tR9wB1yC6hJ3fD5gS0aE";
constexpr const char* kSealingKey = "p9Lk3Jh6Gf2Ds8Aq5Wt1Er7Ty4Ui0OxZ";
constexpr const char* kOtherKey = "u7Yt4Re2Wq9Az6Sx3Dc8Vf5Bg1Nh0Mj2";

Checked<Config> load_server(Values environment, Values flags = {}, std::string file = "") {
  Sources sources;
  sources.environment = std::move(environment);
  sources.flags = std::move(flags);
  sources.file_name = "my.env";
  sources.file_text = std::move(file);
  return load(sources, Purpose::server);
}

Values production() {
  return {{"ENVIRONMENT", "production"},
          {"SECRET_KEY", kStrongKey},
          {"ENCRYPTION_KEY", kSealingKey},
          {"PAWL_API_KEY", kOtherKey},
          {"CORS_ORIGINS", "https://app.acme.org"}};
}

std::vector<std::string> names_of(const Findings& findings) {
  std::vector<std::string> names;
  for (const auto& finding : findings) names.push_back(finding.pointer);
  return names;
}

std::string read_source(const std::string& name) {
  const char* root = std::getenv("PAWL_SOURCE_DIR");
  std::ifstream in(std::string(root == nullptr ? "." : root) + "/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Config, StartsWithNothingSet) {
  const auto loaded = load_server({});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.value->host, "127.0.0.1");
  EXPECT_EQ(loaded.value->port, 8000);
  EXPECT_EQ(loaded.value->data_dir, "./pawl-data");
  EXPECT_FALSE(loaded.value->allow_private_addresses);
  EXPECT_TRUE(loaded.value->auto_migrate);
}

// proves: S0-4, P4
TEST(Config, FlagsWinOverEnvironmentOverFileOverDefault) {
  const std::string file = "API_PORT=1111\nAPI_HOST=10.0.0.1\nPAWL_DATA_DIR='a b'\n";
  const auto loaded = load_server({{"API_PORT", "2222"}}, {{"API_HOST", "::1"}}, file);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.value->port, 2222);
  EXPECT_EQ(loaded.value->host, "::1");
  EXPECT_EQ(loaded.value->data_dir, "a b");
}

TEST(Config, SaysWhereEachValueCameFromAndKeepsSecretsToItself) {
  const auto loaded = load_server(
      {{"API_PORT", "2222"}, {"SECRET_KEY", kStrongKey}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:hush@collector.example/v1?key=hush"}},
      {{"API_HOST", "::1"}}, "PAWL_DATA_DIR=there\nSMTP_PASSWORD=hush\n");
  ASSERT_TRUE(loaded.value);
  const auto& rows = loaded.value->effective;
  ASSERT_EQ(rows.size(), settings().size());
  const auto row = [&](std::string_view name) {
    return *std::find_if(rows.begin(), rows.end(), [&](const Effective& one) { return one.setting->name == name; });
  };
  EXPECT_EQ(row("API_PORT").source, Source::environment);
  EXPECT_EQ(row("API_PORT").value, "2222");
  EXPECT_EQ(row("API_HOST").source, Source::flag);
  EXPECT_EQ(row("PAWL_DATA_DIR").source, Source::file);
  EXPECT_EQ(row("ACCESS_TOKEN_EXPIRE_MINUTES").source, Source::standard);
  EXPECT_EQ(row("ACCESS_TOKEN_EXPIRE_MINUTES").value, "15");
  EXPECT_TRUE(row("SMTP_PASSWORD").is_set);
  EXPECT_FALSE(row("GITHUB_CLIENT_SECRET").is_set);
  for (const auto& one : rows) {
    EXPECT_EQ(one.value.find("hush"), std::string::npos) << one.setting->name;
    EXPECT_EQ(one.value.find(kStrongKey), std::string::npos) << one.setting->name;
  }
  EXPECT_EQ(row("OTEL_EXPORTER_OTLP_ENDPOINT").value, "https://********@collector.example/v1?********");
}

TEST(Config, A2_ContentsAreInNoSpanUnlessSomebodySaysSo) {
  EXPECT_FALSE(load_server({}).value->trace_content);
  EXPECT_TRUE(load_server({{"PAWL_TRACE_CONTENT", "true"}}).value->trace_content);
  EXPECT_FALSE(load_server({{"PAWL_TRACE_CONTENT", "perhaps"}}).ok());
}

TEST(Config, PortOfTheHostingPlatformWinsButNotOverTheFlag) {
  EXPECT_EQ(load_server({{"API_PORT", "1"}, {"PORT", "2"}}).value->port, 2);
  EXPECT_EQ(load_server({{"PORT", "2"}}, {{"API_PORT", "3"}}).value->port, 3);
}

// proves: S0-4, AI-M15
TEST(Config, S0_4_ReportsAllProblemsAtOnce) {
  const auto loaded = load_server({{"ENVIRONMENT", "prod"},
                                   {"API_PORT", "99999"},
                                   {"PAWL_SANDBOX", "maybe"},
                                   {"PAWL_API_KEY", "short"},
                                   {"PAWL_ALLOW_PRIVATE_ADDRESSES", "perhaps"},
                                   {"DATABASE_URL", "mysql://x"}});
  EXPECT_FALSE(loaded.ok());
  EXPECT_THAT(names_of(loaded.findings), testing::UnorderedElementsAre("ENVIRONMENT", "API_PORT", "PAWL_SANDBOX", "PAWL_API_KEY",
                                                                       "PAWL_ALLOW_PRIVATE_ADDRESSES", "DATABASE_URL"));
}

TEST(Config, AcceptsAGoodProductionSetting) {
  const auto loaded = load_server(production());
  EXPECT_TRUE(loaded.ok());
  EXPECT_FALSE(loaded.value->auto_migrate);
}

// proves: S0-1, S0-T1, S4-C3, S4-A-P0c, AI-C1
TEST(Config, S0_1_ProductionRefusesMissingShortAndWeakKeys) {
  for (const char* key : {"", "short", "change-me-in-production", "change-me-in-production-change-me-in-production",
                          "your-secret-key-of-at-least-32-characters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    auto values = production();
    values["SECRET_KEY"] = key;
    const auto loaded = load_server(values);
    EXPECT_FALSE(loaded.ok()) << key;
    EXPECT_THAT(names_of(loaded.findings), testing::ElementsAre("SECRET_KEY")) << key;
    if (std::string_view(key).size() > 5) {
      EXPECT_EQ(loaded.findings[0].message.find(key), std::string::npos) << "a secret must not be shown";
    }
  }
}

// A key that clients send is known to more than the server.
// proves: S0-1, S4-C3
TEST(Config, S0_1_ProductionRefusesOneKeyForTwoPurposes) {
  for (const char* key : {kStrongKey, kSealingKey}) {
    auto values = production();
    values["PAWL_API_KEY"] = key;
    EXPECT_THAT(names_of(load_server(values).findings), testing::ElementsAre("PAWL_API_KEY"));
  }
  EXPECT_TRUE(load_server({{"SECRET_KEY", kStrongKey}, {"PAWL_API_KEY", kStrongKey}}).ok()) << "development";
}

// proves: S4-C3, AI-C1
TEST(Config, S4_C3_NeedsKeysEverywhereButInDevelopment) {
  EXPECT_THAT(names_of(load_server({{"ENVIRONMENT", "staging"}}).findings),
              testing::ElementsAre("SECRET_KEY", "ENCRYPTION_KEY", "PAWL_API_KEY"));
  EXPECT_TRUE(load_server({{"ENVIRONMENT", "development"}}).ok());
}

// proves: S4-D1
TEST(Config, S4_D1_ProductionRefusesMissingShortAndWeakEncryptionKeys) {
  for (const char* key :
       {"", "short", "change-me-in-production-change-me-in-production", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", kStrongKey}) {
    auto values = production();
    values["ENCRYPTION_KEY"] = key;
    const auto loaded = load_server(values);
    EXPECT_THAT(names_of(loaded.findings), testing::ElementsAre("ENCRYPTION_KEY")) << key;
  }
  auto values = production();
  values["ENCRYPTION_KEY_PREVIOUS"] = std::string("older, ") + kSealingKey;
  EXPECT_THAT(names_of(load_server(values).findings), testing::ElementsAre("ENCRYPTION_KEY_PREVIOUS"));
  values["ENCRYPTION_KEY_PREVIOUS"] = "older, oldest";
  EXPECT_THAT(load_server(values).value->previous_encryption_keys, testing::ElementsAre("older", "oldest"));
}

// proves: FA-10
TEST(Config, FA_10_EarlierSecretKeysAreOtherOnesWithAReadableEnd) {
  auto values = production();
  values["SECRET_KEY_PREVIOUS"] = std::string("older, ") + kStrongKey;
  EXPECT_THAT(names_of(load_server(values).findings), testing::ElementsAre("SECRET_KEY_PREVIOUS"));
  values["SECRET_KEY_PREVIOUS"] = "older";
  values["SECRET_KEY_PREVIOUS_UNTIL"] = "tomorrow";
  EXPECT_THAT(names_of(load_server(values).findings), testing::ElementsAre("SECRET_KEY_PREVIOUS_UNTIL"));
  values["SECRET_KEY_PREVIOUS_UNTIL"] = "2026-12-31T00:00:00Z";
  EXPECT_THAT(load_server(values).findings, testing::IsEmpty());
}

// proves: FA-15
TEST(Config, FA_15_RegistrationIsOpenInvitedOrClosed) {
  EXPECT_EQ(load_server({}).value->registration, std::nullopt);
  EXPECT_EQ(load_server({{"PAWL_REGISTRATION", "closed"}}).value->registration, Registration::closed);
  EXPECT_THAT(names_of(load_server({{"PAWL_REGISTRATION", "yes"}}).findings), testing::ElementsAre("PAWL_REGISTRATION"));
}

TEST(Config, P1_ConfirmingAddressesNeedsAMailServerAndCoreDumpsAreForDevelopment) {
  EXPECT_FALSE(load_server({}).value->confirm_address);
  EXPECT_FALSE(load_server({}).value->core_dumps);
  EXPECT_TRUE(load_server({{"PAWL_CONFIRM_ADDRESS", "true"}}).value->confirm_address) << "development writes mails as files";
  EXPECT_TRUE(load_server({{"PAWL_CORE_DUMPS", "true"}}).value->core_dumps);
  auto values = production();
  values["PAWL_CONFIRM_ADDRESS"] = values["PAWL_CORE_DUMPS"] = "true";
  EXPECT_THAT(names_of(load_server(values).findings), testing::UnorderedElementsAre("PAWL_CONFIRM_ADDRESS", "PAWL_CORE_DUMPS"));
}

TEST(Config, P1_WhereAnybodyMayRegisterOverTheNetworkAddressesAreConfirmedUnlessSaidOtherwise) {
  auto values = production();
  values["SMTP_HOST"] = "mail.acme.org";
  values["SMTP_FROM_EMAIL"] = "pawl@acme.org";
  EXPECT_FALSE(load_server(values).value->confirm_address) << "without an invitation nobody registers";
  values["PAWL_REGISTRATION"] = "open";
  EXPECT_TRUE(load_server(values).value->confirm_address);
  values["PAWL_CONFIRM_ADDRESS"] = "false";
  EXPECT_FALSE(load_server(values).value->confirm_address);
  values.erase("PAWL_CONFIRM_ADDRESS");
  values.erase("SMTP_HOST");
  EXPECT_FALSE(load_server(values).value->confirm_address) << "nobody could confirm an address";
}

// proves: S0-2, S0-T2
TEST(Config, S0_2_ProductionRefusesWildcardAndPlainOrigins) {
  for (const char* origins :
       {"*", "https://ok.org, *", "http://app.acme.org", "https://*.acme.org", "app.acme.org", "https://acme.org/path"}) {
    auto values = production();
    values["CORS_ORIGINS"] = origins;
    EXPECT_THAT(names_of(load_server(values).findings), testing::ElementsAre("CORS_ORIGINS")) << origins;
  }
  const auto loaded = load_server({{"CORS_ORIGINS", "http://localhost:3000 , https://b.org"}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(loaded.value->cors_origins, testing::ElementsAre("http://localhost:3000", "https://b.org"));
}

TEST(Config, AddressesOfModelsAreUrlsOfTheWeb) {
  for (const char* setting : {"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GEMINI_BASE_URL", "OLLAMA_BASE_URL"}) {
    EXPECT_THAT(names_of(load_server({{setting, "ftp://models.example.com"}}).findings), testing::ElementsAre(setting));
    EXPECT_TRUE(load_server({{setting, "https://models.example.com/v1"}}).ok()) << setting;
  }
}

TEST(Config, FileNamesTheLineOfAnUnknownSetting) {
  const auto loaded = load_server({}, {}, "# comment\n\nAPI_PROT=80\nnonsense\nexport API_PORT=\"81\"\n");
  ASSERT_EQ(loaded.findings.size(), 2U);
  EXPECT_EQ(loaded.findings[0].message, "my.env:3: there is no setting `API_PROT`");
  EXPECT_EQ(loaded.findings[1].message, "my.env:4: expected NAME=value");
  EXPECT_EQ(loaded.value->port, 81);
}

TEST(Config, TakesSecretsByPrefix) {
  const auto loaded = load_server({{"PAWL_SECRET_TOKEN", "abc"}}, {}, "PAWL_SECRET_FROM_FILE=x\n");
  EXPECT_THAT(loaded.value->secrets, testing::UnorderedElementsAre(testing::Pair("TOKEN", "abc"), testing::Pair("FROM_FILE", "x")));
}

TEST(Config, AToolIsHeldToTypesOnly) {
  Sources sources;
  sources.environment = {{"ENVIRONMENT", "production"}};
  EXPECT_TRUE(load(sources, Purpose::tool).ok());
}

// proves: S0-6, S4-C3, P4
TEST(Config, S0_6_ExampleFileAndReferenceMatchTheTableBothWays) {
  EXPECT_EQ(read_source(".env.example"), example_file()) << "run `pawl config --example > .env.example`";
  EXPECT_EQ(read_source("docs/configuration.md"), reference_page()) << "run `pawl config --docs > docs/configuration.md`";
  // The example is itself a valid file once its lines are active.
  std::string active;
  std::istringstream lines(example_file());
  for (std::string line; std::getline(lines, line);) {
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') active += line.substr(1) + "\n";
  }
  EXPECT_TRUE(load_server({}, {}, active).ok());
}

// proves: FA-18
TEST(Config, APasswordForMailIsNeverSentInClear) {
  const auto loaded = load_server({{"SMTP_HOST", "mail.example.org"}, {"SMTP_PASSWORD", "x"}, {"SMTP_USE_TLS", "false"}});
  EXPECT_THAT(names_of(loaded.findings), testing::ElementsAre("SMTP_USE_TLS"));
}

// proves: N-5
TEST(Config, ASignInProviderIsSetUpCompletelyOrNotAtAll) {
  EXPECT_THAT(names_of(load_server({{"OIDC_CLIENT_ID", "x"}}).findings), testing::ElementsAre("OIDC_CLIENT_SECRET", "OIDC_ISSUER"));
  EXPECT_THAT(names_of(load_server({{"GITHUB_CLIENT_ID", "x"}}).findings), testing::ElementsAre("GITHUB_CLIENT_SECRET"));
}

}  // namespace
}  // namespace pawl::config
