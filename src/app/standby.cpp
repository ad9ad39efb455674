#include "app/standby.hpp"

#include <array>
#include <atomic>
#include <string>

#include "api/json_writer.hpp"
#include "app/log.hpp"
#include "app/part_options.hpp"
#include "async/io_threads.hpp"
#include "base/time.hpp"
#include "http/problem.hpp"
#include "http/server.hpp"
#include "storage/database.hpp"

namespace pawl::app {
namespace {

/// Between two looks, each of which costs the database a fraction of a millisecond.
constexpr Millis kPause{400};

Error not_this_node() {
  return {ErrorClass::unavailable, "node.standby", "this node stands by: another one does the work; ask that one, or try again"};
}

}  // namespace

/// What is said on the port while the node waits.
class Standby::Listener {
 public:
  explicit Listener(const config::Config& config) : server_(threads_, routes(), options_of(config)) { threads_.start(); }
  ~Listener() {
    server_.stop();
    threads_.stop();
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] Result<std::uint16_t> start() {
    PAWL_TRY_VOID(server_.start());
    return server_.port();
  }
  void says_starting(bool on) { starting_ = on; }

 private:
  static http::ServerOptions options_of(const config::Config& config) {
    http::ServerOptions options;
    options.host = config.host;
    options.port = config.port;
    options.max_connections = config.max_connections;
    options.always_https = config.environment == config::Environment::production;
    return options;
  }

  http::Router routes() {
    using http::Method;
    http::Router router;
    for (const auto* path : {"/health/liveness", "/api/live"}) {
      router.add(Method::get, path, [this](http::Request&&, http::Responder responder) { responder.send(state(200, "alive")); });
    }
    for (const auto* path : {"/health/readiness", "/api/ready"}) {
      router.add(Method::get, path, [this](http::Request&&, http::Responder responder) {
        responder.send(state(503, starting_ ? "starting" : "standby").with("Retry-After", "1"));
      });
    }
    for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::delete_}) {
      for (const auto* path : {"/", "/{path...}"}) {
        router.add(method, path, [](http::Request&& request, http::Responder responder) {
          responder.send(http::problem(not_this_node(), request).with("Retry-After", "1"));
        });
      }
    }
    return router;
  }

  [[nodiscard]] http::Response state(int status, std::string_view what) const {
    std::string out;
    {
      api::ObjectWriter object(out);
      object.text("status", what);
      object.time("timestamp", clock_.now());
      if (status != 200) object.value("checks", json::Value::object());
    }
    return http::Response::json(status, std::move(out));
  }

  SystemClock clock_;
  std::atomic<bool> starting_ = false;
  async::IoThreads threads_{1};
  http::Server server_;
};

Standby::Standby(const config::Config& config, Interrupts& interrupts, std::function<void(std::uint16_t)> announce)
    : config_(config), interrupts_(interrupts), announce_(std::move(announce)) {
  auto options = database_options(config);
  if (!options.url.empty()) vacancy_.emplace(std::move(options));
}

Standby::~Standby() = default;

void Standby::leave() {
  listener_.reset();
  vacancy_.reset();  // with its connection
}

Result<std::unique_ptr<Application>> Standby::create(const Create& create) {
  for (;;) {
    PAWL_TRY(has_turn, wait_for_turn());
    if (!has_turn) return std::unique_ptr<Application>();
    auto created = create(config_);
    if (created.has_value()) return created;
    PAWL_TRY(goes_on, goes_on_after(created.error()));
    if (!goes_on) return created;
  }
}

/// False: a signal came first.
Result<bool> Standby::wait_for_turn() {
  if (!vacancy_) return true;
  while (interrupts_.signal() == 0) {
    const auto free = vacancy_->look();
    // Who has not waited yet says at once what is wrong, as ever.
    if (free.has_error() && listener_ == nullptr) return free.error();
    if (free.has_error() == reachable_) {
      reachable_ = free.has_value();
      log(reachable_ ? Level::info : Level::warning,
          reachable_ ? "the database answers again" : "the database cannot be reached: this node cannot see whether it is needed");
    }
    if (free.has_value() && *free) {
      if (listener_ == nullptr) return true;
      if (told_.empty()) log(Level::info, "nobody works on the database any more: this node takes over");
      listener_->says_starting(true);
      return true;
    }
    if (free.has_value()) told_.clear();
    PAWL_TRY_VOID(begin());
    interrupts_.wait(kPause);
  }
  return false;
}

/// Whether to wait on after a turn that came to nothing.
Result<bool> Standby::goes_on_after(const Error& error) {
  if (!vacancy_) return false;
  const bool taken = error.code == "storage.locked";
  const bool away = error.code == "storage.unavailable" && listener_ != nullptr;
  if (!taken && !away) return false;
  PAWL_TRY_VOID(begin());
  if (error.message != told_) log(Level::warning, "this node stands by: " + error.message);
  told_ = error.message;
  listener_->says_starting(false);
  interrupts_.wait(kPause);
  return true;
}

Result<void> Standby::begin() {
  if (listener_ != nullptr) return {};
  auto listener = std::make_unique<Listener>(config_);
  PAWL_TRY(port, listener->start());
  listener_ = std::move(listener);
  config_.port = port;
  announce_(port);
  return {};
}

}  // namespace pawl::app
