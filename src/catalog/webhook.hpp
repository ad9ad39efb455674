/// Webhooks: what a document asks of deliveries, whether a delivery is signed as asked, and that none is taken twice.
///
///     document:
///       metadata:
///         webhook: {wait: true, secret: SIGNING, scheme: pawl, tolerance: 300}
///
/// | scheme   | header                | signed                | time        |
/// | ---      | ---                   | ---                   | ---         |
/// | `github` | `X-Hub-Signature-256` | the body              | none        |
/// | `stripe` | `Stripe-Signature`    | `t`, a point, the body | `t=`, `v1=` |
/// | `pawl`   | `X-Pawl-Signature`    | `t`, a point, the body | `t=`, `v1=` |
///
/// Without `scheme` any of the three will do. HMAC-SHA256 over the raw body, compared in constant time. A time must lie within
/// `tolerance` seconds of now, in either direction. Within that window a signature is good once (`claim_delivery`); of GitHub's form, which
/// has no time, within `kUntimedMemory` after its first use.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"
#include "dsl/plan.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

enum class SignatureScheme : std::uint8_t { github, stripe, pawl };

inline constexpr Millis kSignatureTolerance{300'000};
inline constexpr Millis kMaxSignatureTolerance{3'600'000};
/// How long a signature without a time is remembered.
inline constexpr std::chrono::hours kUntimedMemory{7 * 24};

/// `metadata.webhook` of a document.
struct WebhookRule {
  bool wait = false;
  std::string secret;                     ///< name of the secret; empty: deliveries need no signature
  std::optional<SignatureScheme> scheme;  ///< none: any
  Millis tolerance = kSignatureTolerance;
};
/// Nothing where the document declares no webhook. Error `workflow.webhook` (422): an unknown member or scheme, a scheme without a secret
/// (a provider that can sign is never taken unsigned), a secret that `use.secrets` does not name, a tolerance out of range.
[[nodiscard]] Result<std::optional<WebhookRule>> webhook_of(const dsl::Plan& plan);

/// The headers of a delivery that carry signatures; empty where it has none.
struct SignatureHeaders {
  std::string_view github;
  std::string_view stripe;
  std::string_view pawl;
};

/// A delivery that was signed as asked: under this digest it is taken once, until then.
struct SignedDelivery {
  crypto::Digest digest{};
  TimePoint expires_at{};
};
/// Nothing where the signature is missing, wrong, too old or from the future. `secret` is the value; an empty one fits nothing.
[[nodiscard]] std::optional<SignedDelivery> verify_signature(const WebhookRule& rule, std::string_view secret, const WorkflowId& workflow,
                                                             const SignatureHeaders& headers, std::string_view body, TimePoint now);

/// `t=...,v1=...` as the schemes `stripe` and `pawl` send it; for tests and for clients written against this library.
[[nodiscard]] std::string sign_delivery(std::string_view secret, std::string_view body, TimePoint now);

struct DeliveryClaim {
  std::optional<RunId> run;  ///< that the delivery starts; nothing where it was taken longer than a day ago
  bool is_new = false;
};
/// Takes a signed delivery for the run `fresh`, or finds the run that it was taken for. That one need not have started: the process may
/// have died in between. `done` comes on the writer's thread, when the claim is durable. What has expired goes.
void claim_delivery(storage::Database& database, const OrganizationId& organization, const SignedDelivery& delivery, RunId fresh,
                    TimePoint now, std::function<void(Result<DeliveryClaim>)> done);
/// The delivery came to nothing: its sender may repeat it.
void release_delivery(storage::Database& database, const OrganizationId& organization, const SignedDelivery& delivery);

}  // namespace pawl::catalog
