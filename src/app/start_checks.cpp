#include "app/start_checks.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/files.hpp"
#include "app/model_parts.hpp"
#include "app/part_options.hpp"
#include "models/scripted.hpp"
#include "net/address_policy.hpp"
#include "net/redis.hpp"
#include "net/trusted_proxies.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

class Report {
 public:
  explicit Report(Findings& findings) : findings_(findings) {}

  void operator()(std::string_view setting, std::string message) const {
    Finding finding;
    finding.pointer = setting;
    finding.message = std::move(message);
    findings_.push_back(std::move(finding));
  }
  template <class T>
  void operator()(std::string_view setting, const Result<T>& result) const {
    if (result.has_error()) (*this)(setting, result.error().message);
  }

 private:
  Findings& findings_;
};

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), bytes.data()) == 1;
}

/// As those who write to it open it.
void check_appendable(const Report& report, std::string_view setting, const std::string& path) {
  if (path.empty()) return;
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) {
    report(setting, fmt::format("the file {} cannot be written: {}", path, std::strerror(errno)));
  } else {
    ::close(file);
  }
}

void check_files(const config::Config& config, const Report& report) {
  check_appendable(report, "LOG_FILE", config.log_file);
  check_appendable(report, "AUDIT_LOG_PATH", config.audit_log_path);
  if (!config.ca_file.empty()) report("PAWL_CA_FILE", read_file(config.ca_file));
  for (const auto& root : config.file_roots) {
    std::error_code failed;
    if (!fs::is_directory(root, failed)) report("PAWL_FILE_ROOTS", fmt::format("{} is not a folder that is there", root));
  }
  report("LLM_PRICES", prices_of(config.models));
  if (!config.models.scripts.empty()) report("LLM_SCRIPTS", models::Scripts::load(config.models.scripts));
}

/// Never makes a database: who starts with other settings in mind finds none where they looked.
void check_database(const config::Config& config, const Report& report) {
  constexpr std::string_view kWhatToDo = " (run `pawl migrate up`, or set PAWL_AUTO_MIGRATE=true)";
  const auto options = database_options(config);
  std::error_code failed;
  if (options.url.empty() && !fs::exists(options.folder / "pawl.db", failed)) {
    report("PAWL_AUTO_MIGRATE", fmt::format("is off, and there is no database in {} yet{}", options.folder.string(), kWhatToDo));
    return;
  }
  const auto database = storage::Database::open(options);
  if (database.has_error()) return report("DATABASE_URL", database.error().message);
  if (const auto verified = storage::verify_migrations(**database); verified.has_error()) {
    report("PAWL_AUTO_MIGRATE", fmt::format("is off: {}{}", verified.error().message, kWhatToDo));
  }
}

}  // namespace

void check_parts(const config::Config& config, Findings& findings) {
  const Report report(findings);
  if (!config.host.empty() && !is_address(config.host)) {
    report("API_HOST", fmt::format("`{}` is not an IP address to listen on", config.host));
  }
  report("PAWL_TRUSTED_PROXIES", net::TrustedProxies::parse(config.trusted_proxies));
  net::AddressPolicy policy;
  for (const auto& entry : config.allowed_addresses) report("PAWL_ALLOWED_ADDRESSES", policy.allow(entry));
  if (config.redis_url.starts_with("redis://") || config.redis_url.starts_with("rediss://")) {
    report("REDIS_URL", net::RedisAddress::parse(config.redis_url));
  }
  check_files(config, report);
  if (!findings.empty() && !config.auto_migrate) check_database(config, report);
}

}  // namespace pawl::app
