#include "app/user_function_folder.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "app/findings.hpp"
#include "app/log.hpp"
#include "functions/user_functions.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

/// A file counts when whoever writes it is done: its making alone says nothing. Of folders the making matters.
constexpr std::uint32_t kInteresting =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::size_t kMaxFolders = 5000;

bool matters(const inotify_event& event) {
  constexpr std::uint32_t kMade = IN_CREATE;
  return (event.mask & kMade) == 0 || (event.mask & IN_ISDIR) != 0;
}

}  // namespace

struct UserFunctionFolder::Impl {
  std::string path;
  engine::FunctionRegistry& registry;
  std::mutex mutex;                          // one reading at a time
  std::set<std::string> told;                // guarded by mutex: what the log has said of the folder as it is
  std::mutex found_mutex;                    // never held while something is read
  json::Value found = json::Value::array();  // guarded by found_mutex: the findings of the last reading
  int changes = -1;
  int stop = -1;
  std::thread follower;

  Impl(std::string folder, engine::FunctionRegistry& functions) : path(std::move(folder)), registry(functions) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (follower.joinable()) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(stop, &one, sizeof one);
      follower.join();
    }
    if (changes >= 0) ::close(changes);
    if (stop >= 0) ::close(stop);
  }

  json::Value read();
  void follow();
  void run();
  void watch_folders() const;
};

json::Value UserFunctionFolder::Impl::read() {
  const std::lock_guard lock(mutex);
  auto loaded = functions::load_user_functions(path, registry);
  auto names = json::Value::array();
  for (const auto& function : loaded.functions) {
    names.push_back(json::Value::object({{"name", function.definition->name}, {"version", function.definition->version}}));
  }
  auto findings = json::Value::array();
  std::set<std::string> lines;
  for (const auto& [file, finding] : loaded.findings) {
    auto line = finding_line(file, finding);
    if (!told.contains(line)) log(Level::warning, "functions.faulty", "a user function has a fault: " + line, {});
    lines.insert(std::move(line));
    findings.push_back(json::Value::object(
        {{"file", file}, {"line", finding.line}, {"column", finding.column}, {"message", finding.message}, {"rule", finding.rule}}));
  }
  told = std::move(lines);
  {
    const std::lock_guard telling(found_mutex);
    found = findings;
  }
  registry.publish(std::move(loaded.functions));
  return json::Value::object({{"functions", std::move(names)}, {"findings", std::move(findings)}});
}

/// The same folder again is the same watch; one that has gone has taken its watch with it.
void UserFunctionFolder::Impl::watch_folders() const {
  std::size_t watched = 0;
  const auto watch = [&](const std::string& folder, std::uint32_t links) {
    if (++watched <= kMaxFolders) inotify_add_watch(changes, folder.c_str(), kInteresting | links);
  };
  watch(path, 0);
  std::error_code failed;
  const std::string functions = path + "/functions";
  watch(functions, IN_DONT_FOLLOW);
  auto entry = fs::recursive_directory_iterator(functions, fs::directory_options::skip_permission_denied, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    if (entry.depth() >= 1) entry.disable_recursion_pending();
    std::error_code unknown;
    if (entry->symlink_status(unknown).type() == fs::file_type::directory) watch(entry->path().string(), IN_DONT_FOLLOW);
  }
}

void UserFunctionFolder::Impl::follow() {
  changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  stop = eventfd(0, EFD_CLOEXEC);
  if (changes < 0 || stop < 0) {
    return log(Level::warning, "functions.not_followed", "changes in the folder of user functions are seen only when asked for", {});
  }
  watch_folders();
  follower = std::thread([this] { run(); });
}

void UserFunctionFolder::Impl::run() {
  for (;;) {
    std::array<pollfd, 2> files = {pollfd{changes, POLLIN, 0}, pollfd{stop, POLLIN, 0}};
    if (::poll(files.data(), files.size(), -1) < 0) continue;
    if (files[1].revents != 0) return;
    bool changed = false;
    alignas(inotify_event) std::array<char, 16384> buffer{};
    for (ssize_t size = ::read(changes, buffer.data(), buffer.size()); size > 0; size = ::read(changes, buffer.data(), buffer.size())) {
      for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        changed = changed || matters(*event);
        at += sizeof(inotify_event) + event->len;
      }
    }
    if (!changed) continue;
    watch_folders();  // first: what is written after this is told, what was written before is read now
    static_cast<void>(read());
  }
}

UserFunctionFolder::UserFunctionFolder(std::string path, engine::FunctionRegistry& registry, bool follow)
    : impl_(std::make_unique<Impl>(std::move(path), registry)) {
  if (impl_->path.empty()) return;
  if (follow) impl_->follow();
  static_cast<void>(impl_->read());
}
UserFunctionFolder::~UserFunctionFolder() = default;

json::Value UserFunctionFolder::read() { return impl_->read(); }

json::Value UserFunctionFolder::findings() const {
  const std::lock_guard lock(impl_->found_mutex);
  return impl_->found;
}

}  // namespace pawl::app
