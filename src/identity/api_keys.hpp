/// API keys: what programs sign in with. `pawl_` and 43 characters, shown once, kept as a hash.
///
/// A key acts for the user who made it, in one organization, with the scopes it was given and never with more than that user may do there
/// today. It ends with the user's account, membership, its own expiry, or when it is revoked.
///
/// Blocks: on a worker thread. Thread-safe. Errors: `api_key.invalid` (422, with findings), `api_key.limit` (409), `api_key.not_found`,
/// those of storage.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/session_authenticator.hpp"
#include "identity/user.hpp"

namespace pawl::identity {

inline constexpr std::uint32_t kMaxApiKeysPerUser = 100;

struct NewApiKey {
  std::string name;
  std::vector<std::string> scopes;  ///< names of permissions: `read`, `execute`, `write`, `manage`, `own`, `account`, `administer`
  std::optional<TimePoint> expires_at;
};
struct IssuedApiKey {
  ApiKey key;
  std::string secret;  ///< the key itself; nobody can be shown it again
};
struct ApiKeyPage {
  std::vector<ApiKey> keys;
  std::optional<ApiKeyId> next;
};

class ApiKeys {
 public:
  struct Dependencies {
    storage::Database& database;
    SessionAuthenticator& authenticator;
    const Clock& clock;
    Random& random;
    AccountWitness witness{};
  };
  explicit ApiKeys(Dependencies dependencies) : d_(std::move(dependencies)) {}

  /// For `organization`, which the principal belongs to. A scope that the principal does not have is refused: a key never opens more than
  /// the one it was made with, nor for longer.
  [[nodiscard]] Result<IssuedApiKey> create(const Principal& principal, const OrganizationId& organization, const NewApiKey& request);
  [[nodiscard]] Result<ApiKeyPage> list(const UserId& user, std::uint32_t limit, const std::optional<ApiKeyId>& before);
  [[nodiscard]] Result<ApiKey> get(const UserId& user, const ApiKeyId& id);
  /// From now on.
  [[nodiscard]] Result<void> revoke(const UserId& user, const ApiKeyId& id);

 private:
  [[nodiscard]] Result<void> record(storage::Transaction& transaction, const AccountEvent& event) const;
  Dependencies d_;
};

/// Does it look like one of ours?
[[nodiscard]] bool is_api_key(std::string_view text);

}  // namespace pawl::identity
