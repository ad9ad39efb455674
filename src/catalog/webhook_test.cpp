#include "catalog/webhook.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <future>

#include "dsl/compile.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::catalog {
namespace {

constexpr TimePoint kNow{Millis(1'700'000'000'000)};
const WorkflowId kWorkflow = *WorkflowId::parse("0190a000-0000-7000-8000-000000000001");

class NoFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view) const override { return nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
};

Result<std::optional<WebhookRule>> rule_of(std::string_view webhook) {
  const NoFunctions none;
  const auto checked =
      dsl::compile("document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0', metadata: {webhook: " + std::string(webhook) +
                       "}}\nuse: {secrets: [SIGNING]}\ndo: [{a: {set: {x: 1}}}]",
                   none);
  return webhook_of(**checked.value);
}

TEST(WebhookRule, W6_IsReadCompletelyOrRefused) {
  EXPECT_FALSE(rule_of("false").value().has_value());
  EXPECT_TRUE(rule_of("true").value().has_value());
  const auto rule = *rule_of("{wait: true, secret: SIGNING, scheme: stripe, tolerance: 60}").value();
  EXPECT_TRUE(rule.wait);
  EXPECT_EQ(rule.secret, "SIGNING");
  EXPECT_EQ(rule.scheme, SignatureScheme::stripe);
  EXPECT_EQ(rule.tolerance, Millis(60'000));
  for (const auto* wrong : {"3", "{secret: OTHER}", "{secret: 1}", "{scheme: github}", "{secret: SIGNING, scheme: md5}",
                            "{secret: SIGNING, tolerance: 0}", "{secret: SIGNING, tolerance: 99999}", "{secrets: SIGNING}"}) {
    EXPECT_EQ(rule_of(wrong).error().code, "workflow.webhook") << wrong;
  }
}

TEST(WebhookSignature, S4_O8_TakesTheThreeSchemesWithinTheirWindow) {
  WebhookRule rule;
  rule.secret = "SIGNING";
  const std::string body = R"({"a": 1})";
  const auto github = "sha256=" + crypto::hmac_sha256_hex("s3cret", body);
  const auto timed = sign_delivery("s3cret", body, kNow);
  const auto verify = [&](const SignatureHeaders& headers, std::string_view a_body, TimePoint now = kNow) {
    return verify_signature(rule, "s3cret", kWorkflow, headers, a_body, now).has_value();
  };
  EXPECT_TRUE(verify({.github = github, .stripe = {}, .pawl = {}}, body));
  EXPECT_TRUE(verify({.github = {}, .stripe = timed, .pawl = {}}, body));
  EXPECT_TRUE(verify({.github = {}, .stripe = {}, .pawl = timed}, body));
  EXPECT_TRUE(verify({.github = {}, .stripe = {}, .pawl = timed + ",v1=0000"}, body)) << "two secrets while one is exchanged";
  EXPECT_TRUE(verify({.github = {}, .stripe = {}, .pawl = timed}, body, kNow + Millis(299'000)));
  EXPECT_FALSE(verify({.github = {}, .stripe = {}, .pawl = timed}, body, kNow + Millis(302'000)));
  EXPECT_FALSE(verify({.github = {}, .stripe = {}, .pawl = timed}, body, kNow - Millis(302'000)));
  EXPECT_FALSE(verify({.github = github, .stripe = {}, .pawl = {}}, body + " ")) << "the raw body counts";
  EXPECT_FALSE(verify({.github = {}, .stripe = {}, .pawl = {}}, body));
  EXPECT_FALSE(verify({.github = timed, .stripe = {}, .pawl = {}}, body));
  for (const auto* wrong : {"", "t=", "v1=", "t=1", "t=x,v1=y", "t=-1,v1=00", "t=99999999999999999999,v1=00", ",,,", "t=1700000000,v1="}) {
    EXPECT_FALSE(verify({.github = {}, .stripe = {}, .pawl = wrong}, body)) << wrong;
  }
  EXPECT_FALSE(
      verify_signature(rule, "", kWorkflow, {.github = {}, .stripe = {}, .pawl = sign_delivery("", body, kNow)}, body, kNow).has_value())
      << "a missing secret fits nothing";
  rule.scheme = SignatureScheme::pawl;
  EXPECT_FALSE(verify({.github = github, .stripe = timed, .pawl = {}}, body)) << "the document asks for another scheme";
}

TEST(WebhookSignature, S4_O8_TheSameSignatureHasTheSameDigestWhateverElseIsSent) {
  WebhookRule rule;
  const auto timed = sign_delivery("s3cret", "x", kNow);
  const auto first = verify_signature(rule, "s3cret", kWorkflow, {.github = {}, .stripe = {}, .pawl = timed}, "x", kNow);
  const auto again = verify_signature(rule, "s3cret", kWorkflow, {.github = {}, .stripe = {}, .pawl = "v1=00," + timed}, "x", kNow);
  const auto later = verify_signature(rule, "s3cret", kWorkflow,
                                      {.github = {}, .stripe = {}, .pawl = sign_delivery("s3cret", "x", kNow + Millis(1000))}, "x", kNow);
  EXPECT_EQ(first->digest, again->digest);
  EXPECT_NE(first->digest, later->digest);
  EXPECT_GT(first->expires_at, kNow + rule.tolerance) << "it is remembered as long as it is good";
  const auto untimed = verify_signature(
      rule, "s3cret", kWorkflow, {.github = "sha256=" + crypto::hmac_sha256_hex("s3cret", "x"), .stripe = {}, .pawl = {}}, "x", kNow);
  EXPECT_GE(untimed->expires_at, kNow + std::chrono::hours(24 * 7)) << "good for ever, so remembered for long";
}

// proves: S4-O8
TEST(WebhookDelivery, S4_O8_IsTakenOnceAndNamesItsRun) {
  std::string folder = (std::filesystem::temp_directory_path() / "pawl-webhook-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  storage::DatabaseOptions options;
  options.folder = folder;
  options.synchronous = false;
  auto database = storage::testing::open(options).value();
  const SystemClock clock;
  SystemRandom random;
  ASSERT_FALSE(storage::migrate_up(*database, clock).has_error());
  const auto organization = OrganizationId::make(kNow, random);
  const SignedDelivery delivery{crypto::hash("a signature"), kNow + Millis(1000)};
  const auto claim = [&](TimePoint now, RunId fresh) {
    std::promise<DeliveryClaim> told;
    claim_delivery(*database, organization, delivery, fresh, now, [&](const Result<DeliveryClaim>& claimed) { told.set_value(*claimed); });
    return told.get_future().get();
  };
  const auto first = RunId::make(kNow, random);
  const auto second = RunId::make(kNow, random);
  EXPECT_TRUE(claim(kNow, first).is_new);
  const auto again = claim(kNow + Millis(500), second);
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.run, first) << "the run that it was taken for, started or not";
  release_delivery(*database, organization, delivery);
  const auto released = claim(kNow + Millis(600), second);
  EXPECT_TRUE(released.is_new);
  EXPECT_EQ(released.run, second);
  database.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pawl::catalog
