/// Integrations: credentials that an organization keeps for an outside service, used from its workflows by name.
///
///     PAWL_TRY(made, integrations.create(organization, user, {"github", "our-github", config}));
///     made.config                                   // secret fields show as "********"
///     integrations.test(organization, made.id)      // really talks to the service
///     integrations.secrets(organization, {"our-github"})
///     // {"our-github": {"access_token": ..., "token": ..., "allowed_hosts": [...], "secret_fields": ["access_token", "token"]}}
///
/// A configuration is checked against the connector's JSON Schema (connector.hpp) with all findings at once. Its secret fields are sealed
/// before they reach the database and leave this module through `secrets` and the tests only. A change that gives the mask for a secret
/// field keeps what is stored, as long as everything that says where it is sent stays as it was; else the secret must be given again.
///
/// The organization is a parameter of everything: another one's id is `integration.not_found`.
///
/// Error codes: `integration.not_found`, `integration.unknown_connector`, `integration.invalid` (findings), `integration.name_taken`,
/// `integration.limit`, `crypto.*` where a stored secret does not open.
///
/// Threads: thread-safe. Everything but `secrets` blocks (database, network): call it on worker threads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/key_ring.hpp"
#include "integrations/connector.hpp"
#include "json/value.hpp"
#include "net/address_policy.hpp"
#include "net/outbound.hpp"
#include "storage/database.hpp"
#include "storage/sealed_columns.hpp"

namespace pawl::integrations {

/// What stands for a stored secret, in both directions.
inline constexpr std::string_view kMask = "********";
inline constexpr std::size_t kMaxNameLength = 100;
/// Members that `secrets` adds to a configuration; no connector has a field of these names. Functions that make HTTP requests hold to
/// the first two (`functions/detail/secret_hosts.hpp`); `token` is what the `bearer` policy of a task looks for.
inline constexpr std::string_view kAllowedHosts = "allowed_hosts";
inline constexpr std::string_view kSecretFields = "secret_fields";
inline constexpr std::string_view kToken = "token";

inline constexpr storage::SealedColumn kSealedConfig{
    .name = "integrations.sealed_config",
    .key = storage::SealedColumn::Key::blob,
    .select = "select id, organization_id, sealed_config from integrations where id > $1 order by id limit $2",
    .update = "update integrations set sealed_config = $1 where id = $2 and sealed_config = $3"};

struct Integration {
  IntegrationId id;
  std::string connector;
  std::string name;
  json::Value config;  ///< secret fields masked
  bool is_active = true;
  UserId created_by;  ///< nil: nobody (the installation's own key)
  std::optional<TimePoint> last_tested_at;
  std::string last_error;  ///< of the last test; empty: it succeeded, or there was none
  TimePoint created_at;
  TimePoint updated_at;
};

struct NewIntegration {
  std::string connector;
  std::string name;
  json::Value config;
};
struct Changes {
  std::optional<std::string> name{};
  std::optional<json::Value> config{};  ///< the whole configuration
  std::optional<bool> is_active{};
  std::optional<TimePoint> expected_updated_at{};  ///< `integration.changed` where it was changed since
};

struct TestResult {
  bool ok = false;
  std::string detail;
  Millis latency{};
};

struct Options {
  std::size_t max_per_organization = 200;
  Millis test_timeout{10'000};
  Millis check_after{1'000};  ///< see `secrets`
};

class Integrations {
 public:
  struct Dependencies {
    storage::Database& database;
    const crypto::KeyRing& keys;
    net::Outbound& outbound;
    const net::AddressPolicy& policy;
    Clock& clock;
    Random& random;
    std::function<void(const Error&)> report;  ///< stored secrets that do not open while a workflow asks for them; may be empty
  };
  explicit Integrations(Dependencies dependencies, Options options = Options());
  ~Integrations();
  Integrations(const Integrations&) = delete;
  Integrations& operator=(const Integrations&) = delete;

  /// Reads what `secrets` answers from. Once, before the first call of `secrets`.
  [[nodiscard]] Result<void> start();
  /// No more tests by `test_later`: those under way end, those that wait are forgotten. Idempotent; before what their `done` uses goes.
  void stop();

  /// By name.
  [[nodiscard]] Result<std::vector<Integration>> list(const OrganizationId& organization);
  [[nodiscard]] Result<Integration> get(const OrganizationId& organization, const IntegrationId& id);
  [[nodiscard]] Result<Integration> create(const OrganizationId& organization, const UserId& creator, const NewIntegration& wish);
  [[nodiscard]] Result<Integration> update(const OrganizationId& organization, const IntegrationId& id, const Changes& changes);
  [[nodiscard]] Result<void> remove(const OrganizationId& organization, const IntegrationId& id);
  /// Talks to the service and keeps the outcome in the row.
  [[nodiscard]] Result<TestResult> test(const OrganizationId& organization, const IntegrationId& id);
  /// The same on a thread of this object, since a service may let it wait for ten seconds; a few run at once, some wait. `done` comes
  /// there. False: too many wait already, and `done` does not come.
  [[nodiscard]] bool test_later(const OrganizationId& organization, const IntegrationId& id, std::function<void(Result<TestResult>)> done);

  /// Whose integration this is, as far as memory knows; never blocks.
  [[nodiscard]] std::optional<OrganizationId> cached_owner(const IntegrationId& id) const;
  /// Error `integration.not_found`.
  [[nodiscard]] Result<OrganizationId> owner(const IntegrationId& id);

  /// The whole configurations of the organization's active integrations among `names`, each with the members above. Names that it does
  /// not have are left out. From memory; any thread. Where other processes share the database, a use also has its version looked at, on a
  /// thread of this object and at most once in `check_after`: what they changed shows in the uses after that, if nobody has told of it.
  [[nodiscard]] json::Value secrets(const OrganizationId& organization, std::span<const std::string> names) const;
  /// The first, by name, of the organization's active integrations of the connector: what `secrets` says of it. Likewise from memory.
  struct Named {
    std::string name;
    json::Value secret;
  };
  [[nodiscard]] std::optional<Named> first_of(const OrganizationId& organization, std::string_view connector) const;
  /// Reads again what other processes may have changed.
  [[nodiscard]] Result<void> refresh();
  /// `told` is called after every change that is made here, on its thread: what others are to hear, so that they call `changed_elsewhere`
  /// with it. Before `start`.
  void on_change(std::function<void(const std::string& version)> told);
  /// Reads again, soon and on a thread of this object, unless this version is known.
  void changed_elsewhere(std::string_view version);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::integrations
