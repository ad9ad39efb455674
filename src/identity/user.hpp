/// Users, their sessions and their API keys, as plain data.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "identity/principal.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::identity {

/// What may leave by the API.
struct User {
  UserId id;
  std::string email;
  std::string name;
  bool active = true;
  bool superuser = false;
  std::optional<TimePoint> email_verified_at;
  bool totp_enabled = false;
  TimePoint created_at{};
  TimePoint updated_at{};
  std::optional<TimePoint> last_login_at;
};

/// Where a request comes from, for the list of sessions and for throttling.
struct Client {
  std::string address;     ///< of the person behind trusted proxies, without port
  std::string user_agent;  ///< cut to 256 bytes where it is kept
};

/// A sign-in that lasts, on one device.
struct SessionInfo {
  SessionId id;
  std::string user_agent;
  std::string address;
  TimePoint created_at{};
  TimePoint last_used_at{};
  TimePoint expires_at{};
};

struct ApiKey {
  ApiKeyId id;
  UserId user;
  OrganizationId organization;
  std::string name;
  std::string prefix;  ///< its first characters, to recognise it by
  Scopes scopes;
  TimePoint created_at{};
  std::optional<TimePoint> expires_at;
  std::optional<TimePoint> last_used_at;
};

/// Without blanks at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// What makes two addresses the same: without surrounding blanks, in lower case. Nothing unless it looks like an address: one `@`, a dotted
/// domain or `localhost`, no blanks, control characters or brackets, at most 254 bytes.
[[nodiscard]] std::optional<std::string> email_key(std::string_view email);

/// Something security-relevant that happened to an account, for the audit trail. Never holds a secret or an address of e-mail.
struct AccountEvent {
  /// Who did it: the user, somebody who did not prove to be that user, or an administrator at the console.
  enum class By : std::uint8_t { user, unproven, administrator };
  std::string_view action;  ///< `account.login`; outlives the call
  By by = By::user;
  bool success = true;
  std::optional<UserId> user{};  ///< whose account; none: nobody known
  std::optional<OrganizationId> organization{};
  std::optional<SessionId> session{};
  std::optional<ApiKeyId> api_key{};
  std::string address{};
  std::string_view reason{};  ///< why it failed, or what else is to be said; outlives the call
};
/// Who is told of them.
struct AccountWitness {
  /// Within the transaction that changes what the event tells of, so that both are kept or none; on the writer thread. May be empty.
  std::function<Result<void>(storage::Transaction&, const AccountEvent&)> record{};
  /// Afterwards, for the operator's log; on any thread, must not block. May be empty.
  std::function<void(const AccountEvent&)> report{};
};

}  // namespace pawl::identity
