#include "integrations/integrations.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <shared_mutex>

#include "async/blocking_pool.hpp"
#include "integrations/detail/rows.hpp"
#include "integrations/detail/settings.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::integrations {
namespace {

using detail::Parts;
constexpr std::size_t kProbeThreads = 4;
constexpr std::size_t kProbesWaiting = 32;
using detail::StoredIntegration;

Error not_found() { return {ErrorClass::not_found, "integration.not_found", "There is no such integration."}; }

Error changed_since(const Integration& integration, TimePoint expected) {
  return {ErrorClass::conflict, "integration.changed",
          "The integration was changed " + to_rfc3339(integration.updated_at) + "; the request is about its state of " +
              to_rfc3339(expected) + "."};
}

Error invalid(Findings findings) {
  return {ErrorClass::unprocessable, "integration.invalid", "The integration's settings are not valid.", std::move(findings)};
}

Error name_taken(std::string_view name) {
  return {ErrorClass::conflict, "integration.name_taken", "There is an integration \"" + std::string(name) + "\" already."};
}

Result<const Connector*> connector_named(std::string_view name) {
  const auto* connector = find_connector(name);
  if (connector == nullptr) {
    Finding finding;
    finding.pointer = "/connector";
    finding.message = "There is no such connector.";
    finding.rule = "unknown-connector";
    return Error(ErrorClass::unprocessable, "integration.unknown_connector", "There is no such connector.", {finding});
  }
  return connector;
}

/// Nothing is made where the organization has gone since the caller was let in; and it stays until the transaction ends.
Result<void> hold_organization(storage::Transaction& transaction, const OrganizationId& organization) {
  PAWL_TRY(living,
           transaction.execute("update organizations set updated_at = updated_at where id = $1 and deleted_at is null", {organization}));
  if (living == 1) return {};
  return Error(ErrorClass::not_found, "organization.not_found", "There is no organization of this id.");
}

crypto::SealedPlace place_of(const StoredIntegration& row) { return {kSealedConfig.name, row.shown.id, row.organization}; }

Result<Parts> open_row(const StoredIntegration& row, const crypto::KeyRing& keys) {
  PAWL_TRY(text, keys.open(row.sealed, place_of(row)));
  auto secret = json::parse(text);
  if (secret.has_error()) return Error(ErrorClass::internal, "crypto.damaged", "A sealed configuration is not JSON.");
  return Parts{row.shown.config, std::move(*secret)};
}

/// What a workflow gets: the configuration, and what it may be used for.
json::Value secret_of(const Connector& connector, const Parts& parts) {
  auto out = detail::joined(parts);
  auto hosts = json::Value::array();
  for (const auto& host : connector.hosts(out)) hosts.push_back(host);
  auto fields = json::Value::array();
  for (const auto& member : parts.secret.members()) fields.push_back(member.key);
  if (const auto* token = parts.secret.find(connector.bearer_field); token != nullptr) {
    out.set(kToken, *token);
    fields.push_back(kToken);
  }
  out.set(kAllowedHosts, std::move(hosts));
  out.set(kSecretFields, std::move(fields));
  return out;
}

}  // namespace

struct Integrations::Impl {
  Impl(Dependencies dependencies, Options an_options) : d(std::move(dependencies)), options(an_options) {}

  using Key = std::pair<OrganizationId, std::string>;

  Dependencies d;
  Options options;
  std::function<void(const std::string&)> told;
  mutable std::shared_mutex mutex;
  std::map<Key, StoredIntegration> held;  ///< what `secrets` answers from; its secrets are sealed here too
  std::string version;                    ///< that `held` is of: changes with every change, whoever makes it
  std::atomic<bool> looking{false};       ///< a look at the version is on its way
  std::atomic<std::int64_t> looked{0};    ///< when the last one was, in milliseconds
  async::BlockingPool probes{"pawl-probe", kProbeThreads, kProbesWaiting};  // last: its jobs use the rest

  void hold(const StoredIntegration& row) {
    const std::unique_lock lock(mutex);
    drop_locked(row.organization, row.shown.id);
    held[Key(row.organization, row.shown.name)] = row;
  }
  void drop(const OrganizationId& organization, const IntegrationId& id) {
    const std::unique_lock lock(mutex);
    drop_locked(organization, id);
  }
  void drop_locked(const OrganizationId& organization, const IntegrationId& id) {
    for (auto it = held.lower_bound(Key(organization, "")); it != held.end() && it->first.first == organization; ++it) {
      if (it->second.shown.id != id) continue;
      held.erase(it);
      return;
    }
  }
  Result<void> read_all() {
    std::string found;
    std::map<Key, StoredIntegration> fresh;
    const auto work = [&](storage::Session& session) -> Result<void> {
      PAWL_TRY(present, detail::version_of(session));  // first: what comes after it is another version
      found = std::move(present);
      PAWL_TRY(rows, detail::load_all(session));
      fresh.clear();
      for (auto& row : rows) {
        Key key(row.organization, row.shown.name);
        fresh.emplace(std::move(key), std::move(row));
      }
      return {};
    };
    PAWL_TRY_VOID(d.database.read(work));
    const std::unique_lock lock(mutex);
    held.swap(fresh);
    version = std::move(found);
    return {};
  }
  void report(const Error& error) const {
    if (d.report) d.report(error);
  }
  /// Within the transaction of a change; `before` is what stood there.
  Result<std::string> next_version(storage::Transaction& transaction, std::string& before) const {
    PAWL_TRY(present, detail::version_of(transaction));
    before = std::move(present);
    auto next = IntegrationId::make(d.clock.now(), d.random).to_string();
    PAWL_TRY_VOID(detail::set_version(transaction, next));
    return next;
  }
  /// After its commit, when `held` has the change.
  void changed(const std::string& before, const std::string& next) {
    bool missed = false;
    {
      const std::unique_lock lock(mutex);
      missed = version != before;
      if (!missed) version = next;
    }
    if (missed) {
      if (const auto read = read_all(); read.has_error()) report(read.error());
    }
    if (told) told(next);
  }
  /// Reads again where `known` is not what `held` is of.
  void look(const std::function<Result<std::string>()>& known) {
    if (looking.exchange(true)) return;
    const bool taken = probes.try_post([this, known] {
      const auto present = known();
      std::string mine;
      {
        const std::shared_lock lock(mutex);
        mine = version;
      }
      if (present.has_error()) {
        report(present.error());
      } else if (*present != mine) {
        if (const auto read = read_all(); read.has_error()) report(read.error());
      }
      looking = false;
    });
    if (!taken) looking = false;
  }
  /// Nobody tells of a change that is lost on its way, so every use has a look, which nobody waits for.
  void used() {
    if (d.database.dialect() != storage::Dialect::postgresql) return;  // one process has the folder
    const auto now = static_cast<std::int64_t>(d.clock.now().time_since_epoch().count());
    auto last = looked.load();
    if (now - last < options.check_after.count() || !looked.compare_exchange_strong(last, now)) return;
    look([this] { return d.database.read([](storage::Session& session) { return detail::version_of(session); }); });
  }
  Result<StoredIntegration> load(const OrganizationId& organization, const IntegrationId& id) const {
    PAWL_TRY(row, d.database.read([&](storage::Session& session) { return detail::load_one(session, organization, id); }));
    if (!row) return not_found();
    return std::move(*row);
  }
  /// As people see it: what is sealed shows as mask. Needs the key only to know which secrets there are.
  Result<Integration> show(const StoredIntegration& row) const {
    PAWL_TRY(parts, open_row(row, d.keys));
    auto shown = row.shown;
    shown.config = detail::masked(parts);
    return shown;
  }
  void seal(StoredIntegration& row, const Connector& connector, const json::Value& config) const {
    auto parts = detail::split(connector, config);
    row.shown.config = std::move(parts.shown);
    row.sealed = d.keys.seal(json::to_text(parts.secret), place_of(row));
  }
};

Integrations::Integrations(Dependencies dependencies, Options options) : impl_(std::make_unique<Impl>(std::move(dependencies), options)) {}
Integrations::~Integrations() = default;

Result<void> Integrations::start() { return refresh(); }

void Integrations::stop() { impl_->probes.stop(); }

Result<void> Integrations::refresh() { return impl_->read_all(); }

void Integrations::on_change(std::function<void(const std::string&)> told) { impl_->told = std::move(told); }

void Integrations::changed_elsewhere(std::string_view version) {
  impl_->look([version = std::string(version)]() -> Result<std::string> { return version; });
}

Result<std::vector<Integration>> Integrations::list(const OrganizationId& organization) {
  PAWL_TRY(rows, impl_->d.database.read([&](storage::Session& session) { return detail::load_of(session, organization); }));
  std::vector<Integration> out;
  for (const auto& row : rows) {
    PAWL_TRY(shown, impl_->show(row));
    out.push_back(std::move(shown));
  }
  return out;
}

Result<Integration> Integrations::get(const OrganizationId& organization, const IntegrationId& id) {
  PAWL_TRY(row, impl_->load(organization, id));
  return impl_->show(row);
}

Result<Integration> Integrations::create(const OrganizationId& organization, const UserId& creator, const NewIntegration& wish) {
  auto& impl = *impl_;
  PAWL_TRY(connector, connector_named(wish.connector));
  if (auto findings = detail::check(*connector, wish.name, wish.config); !findings.empty()) return invalid(std::move(findings));
  StoredIntegration row;
  row.organization = organization;
  row.shown.created_at = row.shown.updated_at = impl.d.clock.now();
  row.shown.id = IntegrationId::make(row.shown.created_at, impl.d.random);
  row.shown.connector = wish.connector;
  row.shown.name = wish.name;
  row.shown.created_by = creator;
  impl.seal(row, *connector, wish.config);
  std::string before;
  std::string version;
  PAWL_TRY_VOID(impl.d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    if (const auto held = hold_organization(transaction, organization); held.has_error()) return held.error();
    PAWL_TRY(count, detail::count_of(transaction, organization));
    if (static_cast<std::size_t>(count) >= impl.options.max_per_organization) {
      return Error(ErrorClass::conflict, "integration.limit", "The organization has as many integrations as it may have.");
    }
    PAWL_TRY(taken, detail::name_is_taken(transaction, organization, row.shown.name, row.shown.id));
    if (taken) return name_taken(row.shown.name);
    PAWL_TRY(next, impl.next_version(transaction, before));
    version = std::move(next);
    return detail::insert_row(transaction, row);
  }));
  impl.hold(row);
  impl.changed(before, version);
  return impl.show(row);
}

Result<Integration> Integrations::update(const OrganizationId& organization, const IntegrationId& id, const Changes& changes) {
  auto& impl = *impl_;
  StoredIntegration row;
  std::string before;
  std::string version;
  PAWL_TRY_VOID(impl.d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(stored, detail::load_one(transaction, organization, id));
    if (!stored) return not_found();
    row = std::move(*stored);
    if (changes.expected_updated_at && *changes.expected_updated_at != row.shown.updated_at)
      return changed_since(row.shown, *changes.expected_updated_at);
    PAWL_TRY(connector, connector_named(row.shown.connector));
    PAWL_TRY(parts, open_row(row, impl.d.keys));
    const auto kept = detail::joined(parts);
    const auto config = changes.config ? detail::without_masks(*connector, *changes.config, kept) : kept;
    if (changes.name) row.shown.name = *changes.name;
    if (changes.is_active) row.shown.is_active = *changes.is_active;
    auto findings = detail::check(*connector, row.shown.name, config);
    if (changes.config) std::ranges::move(detail::moved_secrets(*connector, *changes.config, kept), std::back_inserter(findings));
    if (!findings.empty()) return invalid(std::move(findings));
    PAWL_TRY(taken, detail::name_is_taken(transaction, organization, row.shown.name, id));
    if (taken) return name_taken(row.shown.name);
    if (changes.config) impl.seal(row, *connector, config);
    row.shown.updated_at = std::max(impl.d.clock.now(), row.shown.updated_at + Millis(1));  // no two states have the same time
    PAWL_TRY(next, impl.next_version(transaction, before));
    version = std::move(next);
    return detail::update_row(transaction, row);
  }));
  impl.hold(row);
  impl.changed(before, version);
  return impl.show(row);
}

Result<void> Integrations::remove(const OrganizationId& organization, const IntegrationId& id) {
  std::string before;
  std::string version;
  PAWL_TRY_VOID(impl_->d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(deleted, detail::delete_row(transaction, organization, id));
    if (!deleted) return not_found();
    PAWL_TRY(next, impl_->next_version(transaction, before));
    version = std::move(next);
    return {};
  }));
  impl_->drop(organization, id);
  impl_->changed(before, version);
  return {};
}

Result<TestResult> Integrations::test(const OrganizationId& organization, const IntegrationId& id) {
  auto& impl = *impl_;
  PAWL_TRY(row, impl.load(organization, id));
  PAWL_TRY(connector, connector_named(row.shown.connector));
  PAWL_TRY(parts, open_row(row, impl.d.keys));
  const auto began = std::chrono::steady_clock::now();
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(impl.d.clock.now().time_since_epoch());
  const ProbeTools tools{impl.d.outbound, impl.d.policy, now, began + impl.options.test_timeout};
  const auto verdict = connector->test(detail::joined(parts), tools);
  TestResult result{verdict.ok, verdict.detail, std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began)};
  PAWL_TRY_VOID(impl.d.database.write_and_wait([&](storage::Transaction& transaction) {
    return detail::keep_test(transaction, organization, id, impl.d.clock.now(), result.ok ? std::string() : result.detail);
  }));
  return result;
}

bool Integrations::test_later(const OrganizationId& organization, const IntegrationId& id, std::function<void(Result<TestResult>)> done) {
  return impl_->probes.try_post([this, organization, id, done = std::move(done)] { done(test(organization, id)); });
}

std::optional<OrganizationId> Integrations::cached_owner(const IntegrationId& id) const {
  const std::shared_lock lock(impl_->mutex);
  for (const auto& [key, row] : impl_->held) {
    if (row.shown.id == id) return key.first;
  }
  return std::nullopt;
}

Result<OrganizationId> Integrations::owner(const IntegrationId& id) {
  PAWL_TRY(found, impl_->d.database.read([&](storage::Session& session) { return detail::owner_of(session, id); }));
  if (!found) return not_found();
  return *found;
}

json::Value Integrations::secrets(const OrganizationId& organization, std::span<const std::string> names) const {
  auto out = json::Value::object();
  if (organization.is_nil()) return out;
  impl_->used();
  const std::shared_lock lock(impl_->mutex);
  for (const auto& name : names) {
    const auto found = impl_->held.find(Impl::Key(organization, name));
    if (found == impl_->held.end() || !found->second.shown.is_active) continue;
    const auto* connector = find_connector(found->second.shown.connector);
    if (connector == nullptr) continue;
    auto parts = open_row(found->second, impl_->d.keys);
    if (parts.has_error()) {
      if (impl_->d.report) impl_->d.report(parts.error());
      continue;
    }
    out.set(name, secret_of(*connector, *parts));
  }
  return out;
}

std::optional<Integrations::Named> Integrations::first_of(const OrganizationId& organization, std::string_view connector) const {
  if (organization.is_nil()) return std::nullopt;
  std::string name;
  {
    const std::shared_lock lock(impl_->mutex);
    auto it = impl_->held.lower_bound(Impl::Key(organization, ""));
    for (; it != impl_->held.end() && it->first.first == organization; ++it) {
      if (!it->second.shown.is_active || it->second.shown.connector != connector) continue;
      name = it->second.shown.name;
      break;
    }
  }
  if (name.empty()) return std::nullopt;
  const auto found = secrets(organization, std::span(&name, 1));
  if (found.find(name) == nullptr) return std::nullopt;
  return Named{name, found.get(name)};
}

}  // namespace pawl::integrations
