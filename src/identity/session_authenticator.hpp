/// The authenticator of a server: access tokens, API keys and the installation's keys, over the database and a cache.
///
/// The cache holds what a session or key stood for when it was last read, for `cache_lifetime` at most. Whoever changes what a principal
/// is made of (sessions, keys, users, memberships) calls the `forget_...` that fits, after the commit. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/crypto.hpp"
#include "identity/authenticator.hpp"
#include "identity/token_keys.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::identity {

/// Whose standing has changed: one of them is set; none means anybody's may have.
struct Forgotten {
  std::optional<UserId> user{};
  std::optional<SessionId> session{};
  std::optional<ApiKeyId> api_key{};
};

struct SessionAuthenticatorOptions {
  std::vector<std::string> installation_keys;  ///< administrators' keys (PAWL_API_KEY)
  OrganizationId installation;                 ///< the organization that their holder owns
  Millis cache_lifetime{5000};
  std::size_t cache_entries = 20'000;
  /// Told after each `forget`, on its thread: what was opened with the old standing and still runs (live streams) ends here.
  std::function<void(const Forgotten&)> on_forget{};
};

class SessionAuthenticator final : public Authenticator {
 public:
  /// All of them outlive the authenticator.
  SessionAuthenticator(storage::Database& database, const Clock& clock, const TokenKeys& keys, const SessionAuthenticatorOptions& options);

  [[nodiscard]] std::optional<Result<Principal>> try_authenticate(const Credentials& credentials) override;
  [[nodiscard]] Result<Principal> authenticate(const Credentials& credentials) override;

  void forget(const UserId& user);
  void forget(const SessionId& session);
  void forget(const ApiKeyId& key);
  /// After a change whose users are not known, for example of an organization.
  void forget_all();

 private:
  struct Entry {
    Principal principal;
    TimePoint cached_until{};
  };
  /// What the credentials claim, before anybody looks whether it is true today.
  struct Claim {
    enum class Kind : std::uint8_t { settled, session, api_key };
    Kind kind = Kind::settled;
    Result<Principal> answer{Principal{}};  ///< of `settled`
    std::string cache_key{};
    UserId user{};
    SessionId session{};
    TimePoint expires_at{};  ///< of an access token
    bool by_cookie = false;
  };
  /// What belongs to these credentials and not to what they stand for.
  static void complete(Principal& principal, const Claim& claim);
  [[nodiscard]] Claim examine(const Credentials& credentials) const;
  [[nodiscard]] std::optional<Principal> cached(const Claim& claim) const;
  [[nodiscard]] Result<Principal> load_session(const Claim& claim, TimePoint now) const;
  [[nodiscard]] Result<Principal> load_api_key(const Claim& claim, TimePoint now) const;
  void remember(const Claim& claim, const Principal& principal, TimePoint now, std::uint64_t generation);
  template <class Matches>
  void forget_where(const Forgotten& whose, Matches&& matches);

  storage::Database& database_;
  const Clock& clock_;
  const TokenKeys& keys_;
  SessionAuthenticatorOptions options_;
  std::vector<crypto::Digest> installation_digests_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::uint64_t generation_ = 0;  ///< counts what was forgotten: a read that began before must not be remembered
};

}  // namespace pawl::identity
