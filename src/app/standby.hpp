/// A server that waits until it is the one that works on its PostgreSQL database.
///
///     Standby standby(config, interrupts, [&](std::uint16_t port) { ... say so ... });
///     auto app = standby.create([&](const config::Config& now) { return Application::create(now, options); });
///     ... (*app)->start(); standby.leave(); (*app)->listen(...);
///
/// While another process works on the database this one listens on its port: it is alive, not ready (`standby`, and `starting` once its
/// turn has come), and answers everything else with 503 `node.standby` and `Retry-After`. It looks a few times a second whether the
/// database is free (`storage/vacancy.hpp`), also through outages of the database. With SQLite nobody waits: a second process is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/application.hpp"
#include "app/interrupts.hpp"
#include "config/config.hpp"
#include "storage/vacancy.hpp"

namespace pawl::app {

class Standby {
 public:
  /// `announce`: called with the bound port when the waiting begins. The arguments outlive this.
  Standby(const config::Config& config, Interrupts& interrupts, std::function<void(std::uint16_t)> announce);
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  using Create = std::function<Result<std::unique_ptr<Application>>(const config::Config&)>;
  /// Waits for the turn, then calls `create` with the configuration, whose port is a fixed one by then; again where another process was
  /// quicker. Null: a signal came first.
  [[nodiscard]] Result<std::unique_ptr<Application>> create(const Create& create);
  /// The waiting is over: gives the port up, for the application to listen on.
  void leave();

 private:
  class Listener;
  [[nodiscard]] Result<bool> wait_for_turn();
  [[nodiscard]] Result<bool> goes_on_after(const Error& error);
  [[nodiscard]] Result<void> begin();

  config::Config config_;
  Interrupts& interrupts_;
  const std::function<void(std::uint16_t)> announce_;
  std::optional<storage::Vacancy> vacancy_;  ///< none with SQLite
  std::unique_ptr<Listener> listener_;       ///< null: nobody has been waited for
  bool reachable_ = true;
  std::string told_;  ///< why the latest turn came to nothing
};

}  // namespace pawl::app
