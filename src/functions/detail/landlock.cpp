#include "functions/detail/landlock.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

namespace pawl::functions {
namespace {

// The kernel's interface (Documentation/userspace-api/landlock.rst); Debian 12's headers stop at version 2.
struct RulesetAttribute {
  std::uint64_t files = 0;
  std::uint64_t network = 0;  // from version 4
  std::uint64_t scoped = 0;   // from version 6
};
struct __attribute__((packed)) PathBeneath {
  std::uint64_t allowed = 0;
  std::int32_t folder = -1;
};

constexpr std::uint64_t kExecute = 1U << 0U;
constexpr std::uint64_t kWriteFile = 1U << 1U;
constexpr std::uint64_t kReadFile = 1U << 2U;
constexpr std::uint64_t kReadFolder = 1U << 3U;
constexpr std::uint64_t kVersion1 = (1U << 13U) - 1;
constexpr std::uint64_t kRefer = 1U << 13U;        // version 2
constexpr std::uint64_t kTruncate = 1U << 14U;     // version 3
constexpr std::uint64_t kDeviceIoctl = 1U << 15U;  // version 5
constexpr std::uint64_t kTcp = 3;                  // bind, connect
constexpr std::uint64_t kScopes = 3;               // abstract sockets, signals
// What a rule for something else than a folder may name.
constexpr std::uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
// Making device nodes is for nobody.
constexpr std::uint64_t kMakeDevices = (1U << 6U) | (1U << 11U);

std::uint64_t files_known_to(int version) {
  std::uint64_t rights = kVersion1;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceIoctl;
  return rights;
}

Error failure(const std::string& what) {
  return {ErrorClass::unavailable, "process.start", fmt::format("Landlock: {}: {}", what, std::strerror(errno))};
}

Result<void> allow(const Fd& ruleset, const std::string& path, std::uint64_t rights) {
  const Fd target(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!target) {
    if (errno == ENOENT) return boost::system::in_place_value;
    return failure(path);
  }
  struct stat status {};
  if (fstat(target.get(), &status) != 0) return failure(path);
  PathBeneath rule;
  rule.allowed = S_ISDIR(status.st_mode) ? rights : rights & kOfFiles;
  rule.folder = target.get();
  constexpr int kPathBeneath = 1;
  if (syscall(SYS_landlock_add_rule, ruleset.get(), kPathBeneath, &rule, 0) != 0) return failure(path);
  return boost::system::in_place_value;
}

}  // namespace

int landlock_version() {
  constexpr unsigned kAskVersion = 1;
  static const int version = static_cast<int>(std::max<long>(syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion), 0));
  return version;
}

Result<Fd> make_ruleset(const LandlockRules& rules) {
  const int version = landlock_version();
  const std::uint64_t known = files_known_to(version);
  RulesetAttribute attribute;
  attribute.files = known;
  if (version >= 4 && !rules.network) attribute.network = kTcp;
  if (version >= 6) attribute.scoped = kScopes;
  const std::size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
  Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attribute, size, 0)));
  if (!ruleset) return failure("create_ruleset");
  for (const std::string& path : rules.read_and_run) PAWL_TRY_VOID(allow(ruleset, path, kExecute | kReadFile | kReadFolder));
  for (const std::string& path : rules.write) PAWL_TRY_VOID(allow(ruleset, path, known & ~kMakeDevices & ~kDeviceIoctl));
  for (const std::string& path : rules.devices) PAWL_TRY_VOID(allow(ruleset, path, (kReadFile | kWriteFile | kTruncate) & known));
  return ruleset;
}

rlim_t tasks_of_user() {
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(opendir("/proc"), closedir);
  rlim_t count = 0;
  while (const dirent* entry = processes ? readdir(processes.get()) : nullptr) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    struct stat status {};
    const std::string path = fmt::format("/proc/{}/task", entry->d_name);
    if (stat(path.c_str(), &status) == 0 && status.st_uid == geteuid()) count += status.st_nlink - 2;
  }
  return count;
}

}  // namespace pawl::functions
