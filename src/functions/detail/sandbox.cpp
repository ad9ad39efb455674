#include "functions/detail/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/assert.hpp"
#include "functions/detail/landlock.hpp"
#include "functions/detail/seccomp_filter.hpp"

namespace pawl::functions {
namespace {

constexpr const char* kInnerScratch = "/run/pawl";
constexpr const char* kNobody = "65534";

// What programs commonly read below /etc. Nothing of it is secret.
constexpr std::array kEtc = {"/etc/ld.so.cache",     "/etc/ld.so.conf",      "/etc/ld.so.conf.d",  "/etc/alternatives",
                             "/etc/localtime",       "/etc/timezone",        "/etc/nsswitch.conf", "/etc/ssl/certs",
                             "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/mime.types",    "/etc/magic",
                             "/etc/fonts",           "/etc/python3",         "/etc/python3.11",    "/etc/perl"};
constexpr std::array kEtcNetwork = {"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols"};
constexpr std::array kSystem = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
constexpr std::array kDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

Error failure(std::string message) { return {ErrorClass::unavailable, "process.start", std::move(message)}; }

// For a better message than that of execve; it decides nothing.
bool executable(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;  // Flawfinder: ignore
}

// A bare name to its path; what has a slash is left to the kernel.
Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::string_view rest = kProgramPath;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    std::string path = fmt::format("{}/{}", rest.substr(0, colon), name);
    if (executable(path)) return path;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return failure(fmt::format("there is no program '{}' on this machine (looked in {})", name, kProgramPath));
}

Result<Fd> memory_file(std::string_view content) {
  Fd fd(memfd_create("pawl", MFD_CLOEXEC));
  if (!fd) return failure(fmt::format("memfd_create: {}", std::strerror(errno)));
  while (!content.empty()) {
    const ssize_t written = write(fd.get(), content.data(), content.size());
    if (written < 0) return failure(fmt::format("memfd: {}", std::strerror(errno)));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return failure("memfd: seek");
  return fd;
}

std::vector<std::pair<int, rlim_t>> limits_of(const ProcessSpec& spec, const FunctionsOptions& options) {
  Millis timeout = spec.timeout.count() > 0 ? std::min(spec.timeout, options.process_timeout) : options.process_timeout;
  if (spec.due) {
    const auto left = std::chrono::ceil<Millis>(*spec.due - std::chrono::steady_clock::now());
    timeout = std::clamp(left, Millis(0), timeout);
  }
  return {{RLIMIT_CORE, 0},
          {RLIMIT_CPU, static_cast<rlim_t>(timeout.count() / 1000 + 5)},
          // Not the address space: interpreters reserve far more of it than they use.
          {RLIMIT_DATA, options.max_process_memory},
          {RLIMIT_FSIZE, options.max_process_file},
          {RLIMIT_NOFILE, 1024}};
}

std::vector<std::pair<std::string, std::string>> environment_of(const ProcessSpec& spec, const std::string& home) {
  std::vector<std::pair<std::string, std::string>> all = {{"PATH", kProgramPath}, {"HOME", home}, {"TMPDIR", home}, {"LANG", "C.UTF-8"}};
  for (const auto& given : spec.environment) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const auto& entry) { return entry.first == given.first; });
    if (same == all.end()) {
      all.push_back(given);
    } else {
      same->second = given.second;
    }
  }
  return all;
}

std::string working_directory_of(const ProcessSpec& spec, const FunctionsOptions& options, const std::string& own) {
  if (!spec.working_directory.empty()) return spec.working_directory;
  return spec.see_roots && !options.roots.empty() ? options.roots.front() : own;
}

// ---- bubblewrap -----------------------------------------------------------------------------------------------------------------

class BubblewrapArguments {
 public:
  template <class... Texts>
  void add(const Texts&... texts) {
    (add_one(texts), ...);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void add_one(std::string_view text) {
    PAWL_ASSERT(text.find('\0') == std::string_view::npos, "a NUL would end the option and begin another one");
    text_.append(text).push_back('\0');
  }
  std::string text_;  // NUL after each: the form of `--args FD`
};

void add_system(BubblewrapArguments& arguments) {
  for (const char* folder : kSystem) {
    struct stat status {};
    if (lstat(folder, &status) != 0) continue;
    if (S_ISLNK(status.st_mode)) {
      std::array<char, 256> target{};
      // Flawfinder: ignore (below the root folder, which only root can change)
      const ssize_t length = readlink(folder, target.data(), target.size() - 1);
      if (length > 0) arguments.add("--symlink", std::string(target.data(), static_cast<std::size_t>(length)), folder);
    } else {
      arguments.add("--ro-bind", folder, folder);
    }
  }
}

void add_view(BubblewrapArguments& arguments, const ProcessSpec& spec, const FunctionsOptions& options) {
  add_system(arguments);
  for (const char* path : kEtc) arguments.add("--ro-bind-try", path, path);
  if (spec.network) {
    for (const char* path : kEtcNetwork) arguments.add("--ro-bind-try", path, path);
  }
  const std::string scratch = std::to_string(options.max_scratch);
  // Where the server is root, the program is too for the kernel's settings below /proc/sys, whatever its number inside: only a read-only
  // mount keeps them (core_pattern names a program that the kernel starts outside of every sandbox).
  arguments.add("--proc", "/proc", "--remount-ro", "/proc");
  // `--dev` is a file system in memory without a limit of its own.
  arguments.add("--dev", "/dev", "--size", scratch, "--tmpfs", "/dev/shm", "--remount-ro", "/dev");
  arguments.add("--size", scratch, "--tmpfs", "/tmp");
  for (const std::string& folder : spec.programs) arguments.add("--ro-bind", folder, folder);
  if (!spec.see_roots) return;
  for (const std::string& root : options.roots) arguments.add(spec.write_roots ? "--bind" : "--ro-bind", root, root);
  for (const std::string& hidden : options.hidden) {
    const bool visible =
        std::any_of(options.roots.begin(), options.roots.end(), [&](const std::string& root) { return hidden.starts_with(root + "/"); });
    if (visible) arguments.add("--tmpfs", hidden, "--remount-ro", hidden);
  }
}

Result<PreparedProcess> prepare_bubblewrap(const ProcessSpec& spec, const FunctionsOptions& options) {
  PreparedProcess prepared;
  std::vector<std::string> command = spec.command(kInnerScratch);
  PAWL_TRY(program, find_program(command.front()));
  command.front() = std::move(program);

  BubblewrapArguments arguments;
  arguments.add("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try");
  if (!spec.network) arguments.add("--unshare-net");
  arguments.add("--uid", kNobody, "--gid", kNobody, "--hostname", "sandbox", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
                "--clearenv");
  for (const auto& [name, value] : environment_of(spec, "/tmp")) arguments.add("--setenv", name, value);
  add_view(arguments, spec, options);

  // Descriptors 3 and 4 in the child are the arguments and the filter, files follow.
  constexpr int kFirstFile = 5;
  std::vector<Fd> files;
  const auto add_file = [&](std::string_view content, const std::string& path) -> Result<void> {
    PAWL_TRY(file, memory_file(content));
    arguments.add("--perms", "0444", "--file", std::to_string(kFirstFile + static_cast<int>(files.size())), path);
    files.push_back(std::move(file));
    return boost::system::in_place_value;
  };
  PAWL_TRY_VOID(add_file("root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n", "/etc/passwd"));
  PAWL_TRY_VOID(add_file("root:x:0:\nnogroup:x:65534:\n", "/etc/group"));
  arguments.add("--dir", kInnerScratch);
  for (const ScratchFile& file : spec.files) PAWL_TRY_VOID(add_file(file.content, fmt::format("{}/{}", kInnerScratch, file.name)));
  arguments.add("--remount-ro", "/", "--seccomp", "4");
  arguments.add("--chdir", working_directory_of(spec, options, "/tmp"));

  const std::vector<sock_filter> filter = make_filter({.network = spec.network});
  PAWL_TRY(argument_file, memory_file(arguments.text()));
  PAWL_TRY(filter_file, memory_file({reinterpret_cast<const char*>(filter.data()), filter.size() * sizeof(sock_filter)}));
  prepared.descriptors.push_back(std::move(argument_file));
  prepared.descriptors.push_back(std::move(filter_file));
  for (Fd& file : files) prepared.descriptors.push_back(std::move(file));

  PAWL_TRY(bubblewrap, find_program("bwrap"));
  prepared.launch.program = std::move(bubblewrap);
  prepared.launch.arguments = {"bwrap", "--args", "3", "--"};
  if (geteuid() != 0 && executable("/usr/bin/prlimit")) {
    // Counted within the new user namespace, so the limit must be set inside. The kernel never applies it to root.
    prepared.launch.arguments.insert(
        prepared.launch.arguments.end(),
        {"/usr/bin/prlimit", fmt::format("--nproc={}", spec.max_subprocesses > 0 ? spec.max_subprocesses : options.max_subprocesses),
         "--"});
  }
  prepared.launch.arguments.insert(prepared.launch.arguments.end(), command.begin(), command.end());
  prepared.launch.environment = {fmt::format("PATH={}", kProgramPath)};
  prepared.launch.limits = limits_of(spec, options);
  prepared.launch.report = spec.reports;
  for (const Fd& fd : prepared.descriptors) prepared.launch.inherited.push_back(fd.get());
  return prepared;
}

// ---- Landlock, and nothing ---------------------------------------------------------------------------------------------------------

Result<std::string> make_scratch(const ProcessSpec& spec) {
  std::string path = "/tmp/pawl-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return failure(fmt::format("no private folder can be made in /tmp: {}", std::strerror(errno)));
  for (const ScratchFile& file : spec.files) {
    const Fd fd(open((path + "/" + file.name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || write(fd.get(), file.content.data(), file.content.size()) != static_cast<ssize_t>(file.content.size())) {
      return failure(fmt::format("the script cannot be written into {}: {}", path, std::strerror(errno)));
    }
  }
  return path;
}

Result<PreparedProcess> prepare_plain(const ProcessSpec& spec, const FunctionsOptions& options) {
  PreparedProcess prepared;
  PAWL_TRY(scratch, make_scratch(spec));
  prepared.scratch = std::move(scratch);
  prepared.launch.arguments = spec.command(prepared.scratch);
  auto program = find_program(prepared.launch.arguments.front());
  if (program.has_error()) {
    rmdir(prepared.scratch.c_str());
    return std::move(program).error();
  }
  prepared.launch.program = std::move(program).value();
  for (const auto& [name, value] : environment_of(spec, prepared.scratch)) prepared.launch.environment.push_back(name + "=" + value);
  prepared.launch.working_directory = working_directory_of(spec, options, prepared.scratch);
  prepared.launch.report = spec.reports;
  if (spec.contained) prepared.launch.limits = limits_of(spec, options);
  return prepared;
}

Result<PreparedProcess> prepare_landlock(const ProcessSpec& spec, const FunctionsOptions& options) {
  PAWL_TRY(prepared, prepare_plain(spec, options));
  LandlockRules rules;
  for (const char* path : kSystem) rules.read_and_run.emplace_back(path);
  for (const char* path : kEtc) rules.read_and_run.emplace_back(path);
  rules.read_and_run.insert(rules.read_and_run.end(), spec.programs.begin(), spec.programs.end());
  if (spec.network) rules.read_and_run.insert(rules.read_and_run.end(), kEtcNetwork.begin(), kEtcNetwork.end());
  for (const char* path : kDevices) rules.devices.emplace_back(path);
  rules.write.push_back(prepared.scratch);
  auto& roots = spec.write_roots ? rules.write : rules.read_and_run;
  if (spec.see_roots) roots.insert(roots.end(), options.roots.begin(), options.roots.end());
  rules.network = spec.network;
  PAWL_TRY(ruleset, make_ruleset(rules));
  prepared.launch.ruleset = ruleset.get();
  prepared.descriptors.push_back(std::move(ruleset));
  prepared.launch.filter = make_filter({.network = spec.network, .alone = true, .landlock_version = landlock_version()});
  prepared.launch.drop_capabilities = true;
  if (geteuid() != 0) prepared.launch.limits.emplace_back(RLIMIT_NPROC, tasks_of_user() + options.max_subprocesses);
  return prepared;
}

// ---- choice -------------------------------------------------------------------------------------------------------------------------

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// A NUL ends a word, a name or a path for the kernel, and an option for bubblewrap: what follows it would be an option of the sandbox.
Result<void> refuse_nul(const ProcessSpec& spec) {
  const auto nul = [](std::string_view where) {
    return Error(ErrorClass::invalid, "process.arguments", fmt::format("{} of the process contains a NUL", where));
  };
  const std::vector<std::string> words = spec.command(kInnerScratch);
  if (words.empty()) return failure("there is no command");
  if (std::any_of(words.begin(), words.end(), has_nul)) return nul("an argument");
  for (const auto& [name, value] : spec.environment) {
    if (has_nul(name) || name.empty() || name.find('=') != std::string::npos) {
      return Error(ErrorClass::invalid, "process.arguments",
                   "an environment variable of the process has a name that contains a NUL or a =");
    }
    if (has_nul(value)) return nul("an environment variable");
  }
  if (has_nul(spec.working_directory)) return nul("the working directory");
  if (std::any_of(spec.programs.begin(), spec.programs.end(), has_nul)) return nul("a folder");
  for (const ScratchFile& file : spec.files) {
    if (has_nul(file.name)) return nul("the name of a file");
  }
  return boost::system::in_place_value;
}

// Runs `true` in the sandbox, waiting for it: some milliseconds, once per process.
Result<void> try_out(SandboxKind kind, const FunctionsOptions& options) {
  ProcessSpec spec;
  spec.command = [](const std::string&) { return std::vector<std::string>{"true"}; };
  spec.timeout = Millis(10'000);
  PAWL_TRY(prepared, prepare(kind, spec, options));
  PAWL_TRY(launched, launch(prepared.launch));
  launched.input.reset();
  const ExitStatus end = wait_for_exit(launched);
  if (!prepared.scratch.empty()) rmdir(prepared.scratch.c_str());
  if (!end.signalled && end.code == 0) return boost::system::in_place_value;
  std::array<char, 512> text{};
  const ssize_t length = read(launched.error_output.get(), text.data(), text.size());
  return failure(length > 0 ? std::string(text.data(), static_cast<std::size_t>(length))
                            : fmt::format("{} {}", end.signalled ? "signal" : "exit code", end.code));
}

Result<void> check_landlock(const FunctionsOptions& options) {
  if (landlock_version() == 0) return failure("this kernel has no Landlock");
  for (const std::string& hidden : options.hidden) {
    for (const std::string& root : options.roots) {
      if (hidden == root || hidden.starts_with(root + "/")) {
        return failure(fmt::format("Landlock cannot hide {} because it lies below the root {}", hidden, root));
      }
    }
  }
  return try_out(SandboxKind::landlock, options);
}

}  // namespace

Result<SandboxKind> choose_sandbox(const FunctionsOptions& options) {
  if (options.sandbox == SandboxMode::waived) return SandboxKind::none;
  std::string reasons;
  const auto because = [&reasons](std::string_view kind, const Error& error) {
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", kind, error.message);
    while (reasons.ends_with('\n')) reasons.pop_back();
  };
  if (options.sandbox != SandboxMode::landlock) {
    const auto bubblewrap = try_out(SandboxKind::bubblewrap, options);
    if (bubblewrap.has_value()) return SandboxKind::bubblewrap;
    because("bubblewrap", bubblewrap.error());
  }
  if (options.sandbox != SandboxMode::bubblewrap) {
    const auto landlock = check_landlock(options);
    if (landlock.has_value()) return SandboxKind::landlock;
    because("Landlock", landlock.error());
  }
  return Error(
      ErrorClass::unavailable, "sandbox.unavailable",
      fmt::format("shell commands and scripts cannot be contained on this machine ({}); install bubblewrap and allow user namespaces, or "
                  "waive the sandbox explicitly in the configuration",
                  reasons));
}

Result<PreparedProcess> prepare(SandboxKind kind, const ProcessSpec& spec, const FunctionsOptions& options) {
  PAWL_TRY_VOID(refuse_nul(spec));
  if (!spec.contained) return prepare_plain(spec, options);
  switch (kind) {
    case SandboxKind::bubblewrap: return prepare_bubblewrap(spec, options);
    case SandboxKind::landlock: return prepare_landlock(spec, options);
    case SandboxKind::none: break;
  }
  return prepare_plain(spec, options);
}

}  // namespace pawl::functions
