#include "catalog/webhook.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

constexpr std::size_t kMaxSignatures = 8;  ///< in one header: while a secret is being exchanged there are two

Error refused(std::string message) {
  Finding finding;
  finding.pointer = "/document/metadata/webhook";
  finding.message = message;
  finding.rule = "webhook";
  return {ErrorClass::unprocessable, "workflow.webhook", std::move(message), {std::move(finding)}};
}

std::optional<SignatureScheme> parse_scheme(std::string_view text) {
  if (text == "github") return SignatureScheme::github;
  if (text == "stripe") return SignatureScheme::stripe;
  if (text == "pawl") return SignatureScheme::pawl;
  return std::nullopt;
}

Result<WebhookRule> read_rule(const json::Value& wish, const std::vector<std::string>& secrets) {
  static constexpr std::array<std::string_view, 4> kMembers{"wait", "secret", "scheme", "tolerance"};
  for (const auto& member : wish.members()) {
    if (std::find(kMembers.begin(), kMembers.end(), member.name()) == kMembers.end()) {
      return refused(fmt::format("`metadata.webhook` has no member `{}`.", member.name()));
    }
  }
  WebhookRule rule;
  rule.wait = wish.get("wait").truthy();
  if (const auto& secret = wish.get("secret"); !secret.is_null()) {
    if (!secret.is_string() || secret.empty()) return refused("`metadata.webhook.secret` must be the name of a secret.");
    rule.secret = std::string(secret.as_string());
    if (std::find(secrets.begin(), secrets.end(), rule.secret) == secrets.end()) {
      return refused(fmt::format("`metadata.webhook.secret` names `{}`, which `use.secrets` does not list.", rule.secret));
    }
  }
  if (const auto& scheme = wish.get("scheme"); !scheme.is_null()) {
    rule.scheme = scheme.is_string() ? parse_scheme(scheme.as_string()) : std::nullopt;
    if (!rule.scheme) return refused("`metadata.webhook.scheme` must be `github`, `stripe` or `pawl`.");
    if (rule.secret.empty()) return refused("`metadata.webhook.scheme` needs a `secret`: a sender that can sign is not taken unsigned.");
  }
  if (const auto& tolerance = wish.get("tolerance"); !tolerance.is_null()) {
    const auto seconds = tolerance.is_integer() ? tolerance.as_integer() : 0;
    if (seconds < 1 || seconds > kMaxSignatureTolerance.count() / 1000) {
      return refused("`metadata.webhook.tolerance` must be seconds from 1 to 3600.");
    }
    rule.tolerance = Millis(seconds * 1000);
  }
  return rule;
}

struct TimedSignature {
  std::string_view time;  ///< as sent: it is part of what is signed
  std::int64_t seconds = 0;
  std::vector<std::string_view> signatures;
};

std::optional<TimedSignature> parse_timed(std::string_view header) {
  TimedSignature parsed;
  while (!header.empty()) {
    const auto comma = header.find(',');
    auto part = header.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    if (part.starts_with("t=") && parsed.time.empty()) parsed.time = part.substr(2);
    if (part.starts_with("v1=") && parsed.signatures.size() < kMaxSignatures) parsed.signatures.push_back(part.substr(3));
    header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
  }
  const auto* end = parsed.time.data() + parsed.time.size();
  const auto [read, failed] = std::from_chars(parsed.time.data(), end, parsed.seconds);
  if (parsed.time.empty() || failed != std::errc{} || read != end || parsed.seconds < 0 || parsed.seconds > 253'402'300'799)
    return std::nullopt;
  return parsed;
}

/// Which signature, so that the same one is known again whatever else the request carries.
crypto::Digest digest_of(const WorkflowId& workflow, std::string_view signature) {
  return crypto::hash(workflow.to_string() + "\n" + std::string(signature));
}

std::optional<SignedDelivery> verify_timed(const WebhookRule& rule, std::string_view secret, const WorkflowId& workflow,
                                           std::string_view header, std::string_view body, TimePoint now) {
  const auto sent = parse_timed(header);
  if (!sent) return std::nullopt;
  const TimePoint at{Millis(sent->seconds * 1000)};
  const auto expected = crypto::hmac_sha256_hex(secret, fmt::format("{}.{}", sent->time, body));
  bool fits = false;
  for (const auto signature : sent->signatures) fits = crypto::equal(signature, expected) || fits;
  if (!fits || at < now - rule.tolerance || at > now + rule.tolerance) return std::nullopt;
  return SignedDelivery{digest_of(workflow, expected), at + rule.tolerance + Millis(1000)};
}

std::optional<SignedDelivery> verify_github(std::string_view secret, const WorkflowId& workflow, std::string_view header,
                                            std::string_view body, TimePoint now) {
  const auto expected = "sha256=" + crypto::hmac_sha256_hex(secret, body);
  if (!crypto::equal(header, expected)) return std::nullopt;
  return SignedDelivery{digest_of(workflow, expected), now + kUntimedMemory};
}

std::string_view bytes_of(const SignedDelivery& delivery) {
  return {reinterpret_cast<const char*>(delivery.digest.data()), delivery.digest.size()};
}

/// The run of a delivery is kept beside those of `execute`'s idempotency keys.
std::string key_of(const SignedDelivery& delivery) { return fmt::format("delivery {:02x}", fmt::join(delivery.digest, "")); }

}  // namespace

Result<std::optional<WebhookRule>> webhook_of(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("webhook");
  if (wish.is_bool()) return wish.as_bool() ? std::optional(WebhookRule{}) : std::optional<WebhookRule>{};
  if (wish.is_null()) return std::optional<WebhookRule>{};
  if (!wish.is_object()) return refused("`metadata.webhook` must be true, false or an object.");
  PAWL_TRY(rule, read_rule(wish, plan.secrets));
  return std::optional(std::move(rule));
}

std::optional<SignedDelivery> verify_signature(const WebhookRule& rule, std::string_view secret, const WorkflowId& workflow,
                                               const SignatureHeaders& headers, std::string_view body, TimePoint now) {
  if (secret.empty()) return std::nullopt;
  const auto wanted = [&](SignatureScheme scheme, std::string_view header) {
    return !header.empty() && (!rule.scheme || *rule.scheme == scheme);
  };
  if (wanted(SignatureScheme::pawl, headers.pawl)) return verify_timed(rule, secret, workflow, headers.pawl, body, now);
  if (wanted(SignatureScheme::stripe, headers.stripe)) return verify_timed(rule, secret, workflow, headers.stripe, body, now);
  if (wanted(SignatureScheme::github, headers.github)) return verify_github(secret, workflow, headers.github, body, now);
  return std::nullopt;
}

std::string sign_delivery(std::string_view secret, std::string_view body, TimePoint now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return fmt::format("t={},v1={}", seconds, crypto::hmac_sha256_hex(secret, fmt::format("{}.{}", seconds, body)));
}

void claim_delivery(storage::Database& database, const OrganizationId& organization, const SignedDelivery& delivery, RunId fresh,
                    TimePoint now, std::function<void(Result<DeliveryClaim>)> done) {
  const auto claim = std::make_shared<DeliveryClaim>();
  database.write(
      [organization, delivery, fresh, now, claim](storage::Transaction& transaction) -> Result<void> {
        *claim = {};
        const auto digest = bytes_of(delivery);
        const auto key = key_of(delivery);
        PAWL_TRY_VOID(transaction.execute("delete from webhook_deliveries where expires_at < $1", {now}));
        PAWL_TRY(inserted, transaction.execute("insert into webhook_deliveries (digest, expires_at) values ($1, $2) on conflict do nothing",
                                               {storage::Parameter::blob(digest), delivery.expires_at}));
        if (inserted == 0) {
          return transaction.query("select run_id from idempotency_keys where organization_id = $1 and key = $2", {organization, key},
                                   [&](const storage::Row& row) { claim->run = row.id<RunId>(0); });
        }
        *claim = {fresh, true};
        PAWL_TRY_VOID(
            transaction.execute("insert into idempotency_keys (organization_id, key, run_id, created_at, request_digest) "
                                "values ($1, $2, $3, $4, $5) on conflict (organization_id, key) do update set "
                                "run_id = excluded.run_id, created_at = excluded.created_at, request_digest = excluded.request_digest",
                                {organization, key, fresh, now, storage::Parameter::blob(digest)}));
        return {};
      },
      [claim, done = std::move(done)](const Result<void>& stored) {
        if (stored.has_error()) return done(stored.error());
        done(*claim);
      });
}

void release_delivery(storage::Database& database, const OrganizationId& organization, const SignedDelivery& delivery) {
  database.write(
      [organization, delivery](storage::Transaction& transaction) -> Result<void> {
        const auto digest = bytes_of(delivery);
        const auto key = key_of(delivery);
        PAWL_TRY_VOID(transaction.execute("delete from webhook_deliveries where digest = $1", {storage::Parameter::blob(digest)}));
        PAWL_TRY_VOID(transaction.execute("delete from idempotency_keys where organization_id = $1 and key = $2", {organization, key}));
        return {};
      },
      {});
}

}  // namespace pawl::catalog
