/// All parts of a running Pawl, put together in one place, with their order of start and stop.
///
///     auto app = Application::create(config, options);     // opens the data folder, applies or checks migrations
///     (*app)->start();                                     // engine (recovery) and scheduler
///     (*app)->listen();                                    // HTTP
///     ...
///     (*app)->stop(patience);                              // in reverse: no new requests, no new firings, runs come to rest, data is
///     flushed
///
/// `create`, `start`, `listen` and `stop` are called on the main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/approvals.hpp"
#include "catalog/catalog.hpp"
#include "config/config.hpp"
#include "engine/engine.hpp"

namespace pawl::identity {
class Accounts;
}

namespace pawl::app {

/// What differs between the commands.
struct ApplicationOptions {
  std::vector<std::string> file_roots;  ///< folders of file functions
  bool allow_private_addresses = false;
  bool durable = true;    ///< false: no fsync; for a temporary folder
  bool schedules = true;  ///< fire schedules and event triggers
  bool always_migrate = false;
  bool housekeeping = false;                   ///< remove what is older than the retention settings say, every hour
  std::string audit_file;                      ///< empty: `audit.jsonl` in the data folder
  std::function<void(const Error&)> on_fatal;  ///< the database has failed: the process is to end; called once, on another thread
};

class Application {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Application>> create(const config::Config& config, ApplicationOptions options);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  [[nodiscard]] Result<void> start();
  /// Serves the API (or health alone) and returns the bound port. `api_keys` are the accepted bearer keys.
  [[nodiscard]] Result<std::uint16_t> listen(std::vector<std::string> api_keys, bool health_only);
  void stop(Millis patience);

  [[nodiscard]] engine::Engine& engine();
  [[nodiscard]] catalog::Catalog& catalog();
  [[nodiscard]] catalog::Approvals approvals();
  [[nodiscard]] identity::Accounts& accounts();
  [[nodiscard]] const engine::FunctionRegistry& functions() const;
  [[nodiscard]] const OrganizationId& organization() const;
  [[nodiscard]] Clock& clock();
  /// `$secrets` that a plan may see.
  [[nodiscard]] json::Value secrets_of(const dsl::Plan& plan) const;

 private:
  struct Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::app
