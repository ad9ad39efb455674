// pawl serve and pawl worker.
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/core_dumps.hpp"
#include "app/exit_codes.hpp"
#include "app/interrupts.hpp"
#include "app/key_files.hpp"
#include "app/log.hpp"
#include "app/part_options.hpp"
#include "app/standby.hpp"
#include "identity/accounts.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

Level level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug: return Level::debug;
    case config::LogLevel::info: return Level::info;
    case config::LogLevel::warning: return Level::warning;
    case config::LogLevel::error: return Level::error;
  }
  return Level::info;
}

/// A person reads a terminal and a development server; everything else is read by programs.
observe::LogOptions log_options(const config::Config& config) {
  observe::LogOptions options;
  options.level = level_of(config.log_level);
  options.file = config.log_file;
  const bool for_a_person =
      config.environment == config::Environment::development || (config.log_file.empty() && ::isatty(STDERR_FILENO) != 0);
  options.format = config.log_format.value_or(for_a_person ? config::LogFormat::text : config::LogFormat::json) == config::LogFormat::json
                       ? observe::Format::json
                       : observe::Format::text;
  return options;
}

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  return kFailed;
}

/// The folders of the configuration, or `files` in the data folder, made when missing.
Result<std::vector<std::string>> file_roots(const config::Config& config) {
  if (!config.file_roots.empty()) return config.file_roots;
  const fs::path data(data_folder(config));
  const auto folder = data / "files";
  std::error_code error;
  // The data folder holds keys: nobody but its owner looks into it.
  if (fs::create_directories(data, error)) fs::permissions(data, fs::perms::owner_all, error);
  if (!error) fs::create_directories(folder, error);
  if (error)
    return Error(ErrorClass::internal, "file.folder", fmt::format("cannot make the folder {}: {}", folder.string(), error.message()));
  return std::vector<std::string>{folder.string()};
}

struct ApiKey {
  std::string key;
  bool show = false;
};

/// Config demands PAWL_API_KEY outside of development.
Result<ApiKey> api_key(const config::Config& config) {
  if (!config.api_key.empty()) return ApiKey{config.api_key, false};
  PAWL_TRY(file, ensure_key_file(data_folder(config), "api.key"));
  return ApiKey{file.key, file.is_new};
}

std::string url_of(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("http://{}:{}", host, port) : fmt::format("http://[{}]:{}", host, port);
}

void greet(const config::Config& config, const ServeOptions& options, std::uint16_t port, const ApiKey& key) {
  if (key.show) {
    fmt::print("A key for the API was made and is kept in {}/api.key; it is shown only now:\n\n  {}\n\n", data_folder(config), key.key);
  }
  fmt::print("Pawl {} ({}) listens on {}{}\n", PAWL_VERSION, config::to_text(config.environment), url_of(config.host, port),
             options.worker ? " (health only)" : "");
  std::fflush(stdout);
}

void say_that_it_waits(const config::Config& config, std::uint16_t port) {
  fmt::print("Pawl {} ({}) stands by on {}: another process works on this database, and this one takes over when that one ends\n",
             PAWL_VERSION, config::to_text(config.environment), url_of(config.host, port));
  std::fflush(stdout);
}

/// While there are no users: a link, on the console only, that makes the first administrator.
Result<void> offer_setup(const config::Config& config, std::uint16_t port, Application& app) {
  PAWL_TRY(token, app.accounts().make_setup_token());
  if (!token) return {};
  const auto start = config.public_url.empty() ? url_of(config.host, port) : config.public_url;
  fmt::print("There are no users yet. Make the first administrator here; the link works once, for 24 hours:\n\n  {}/setup#{}\n\n", start,
             *token);
  std::fflush(stdout);
  return {};
}

}  // namespace

int run_serve(const CommonOptions& common, const ServeOptions& options) {
  const auto config = load_config(common, config::Purpose::server);
  if (!config) return kUsage;
  if (!config->core_dumps) {
    if (const auto kept = keep_memory_private(); kept.has_error()) return fail(kept.error());
  }
  if (const auto opened = open_log(log_options(*config)); opened.has_error()) return fail(opened.error());
  Interrupts interrupts;
  std::atomic<bool> broken = false;
  ApplicationOptions application;
  application.housekeeping = true;
  application.audit_file = audit_file(*config);
  application.on_fatal = [&](const Error& error) {
    const bool superseded = error.code == "storage.superseded";
    log(Level::error, superseded ? "app.superseded" : "app.fatal",
        (superseded ? "the process ends; started again, it stands by: "
                    : "the database has failed; the process ends, and the next start recovers: ") +
            error.message,
        {});
    broken = true;
    interrupts.wake();
  };
  auto roots = file_roots(*config);
  if (roots.has_error()) return fail(roots.error());
  application.file_roots = std::move(*roots);
  Standby standby(*config, interrupts, [&](std::uint16_t port) { say_that_it_waits(*config, port); });
  auto app = standby.create([&](const config::Config& now) { return Application::create(now, application); });
  if (app.has_error()) return fail(app.error());
  if (*app == nullptr) return kOk;
  const auto key = api_key(*config);
  if (key.has_error()) return fail(key.error());
  if (const auto started = (*app)->start(); started.has_error()) return fail(started.error());
  standby.leave();
  const auto port = (*app)->listen({key->key}, options.worker);
  if (port.has_error()) return fail(port.error());
  greet(*config, options, *port, *key);
  if (!options.worker) {
    if (const auto offered = offer_setup(*config, *port, **app); offered.has_error()) return fail(offered.error());
  }
  while (interrupts.signal() == 0 && !broken) interrupts.wait();
  if (!broken) log(Level::info, "stopping: requests and steps in flight may finish; a second signal ends the process at once");
  (*app)->stop(broken ? Millis(0) : std::chrono::seconds(config->stop_seconds));
  return broken ? kFailed : kOk;
}

}  // namespace pawl::app
