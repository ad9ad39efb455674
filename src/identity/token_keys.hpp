/// The keys that tokens are signed with, one per kind of token, all derived from the installation's secret.
///
/// A secret is exchanged without signing anybody out: the new one becomes current (SECRET_KEY) and signs; the old one
/// (SECRET_KEY_PREVIOUS) is accepted beside it until its grace time ends or it leaves the configuration. `kid` says which one a token is
/// of. Immutable, so thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"

namespace pawl::identity {

/// Different keys, so that a token of one kind is never one of another.
struct TokenKey {
  std::string kid;            ///< names the secret without telling anything about it
  std::string access_header;  ///< first part of every access token under this key
  crypto::Key access{};
  crypto::Key refresh{};
  crypto::Key csrf{};
};

class TokenKeys {
 public:
  /// `previous_until`: when the previous secrets stop being accepted; none: while they are configured.
  explicit TokenKeys(std::string_view current, std::span<const std::string> previous = {}, std::optional<TimePoint> previous_until = {});

  [[nodiscard]] const TokenKey& current() const { return keys_.front(); }
  /// The current one first.
  [[nodiscard]] std::span<const TokenKey> accepted(TimePoint now) const;

 private:
  std::vector<TokenKey> keys_;
  std::optional<TimePoint> previous_until_;
};

/// What a browser session sends back in `X-CSRF-Token`: bound to the session, so that one of another session does not pass.
[[nodiscard]] std::string csrf_token(const TokenKeys& keys, const SessionId& session);
[[nodiscard]] bool is_csrf_token(const TokenKeys& keys, const SessionId& session, std::string_view token, TimePoint now);

}  // namespace pawl::identity
