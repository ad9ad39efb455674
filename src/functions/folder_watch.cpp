#include "functions/folder_watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "base/utf8.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {
namespace {

using Steady = std::chrono::steady_clock;

/// What happens together is listed once.
constexpr std::chrono::milliseconds kGather{100};
constexpr std::uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
                                  IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Error too_many(std::string_view what, std::size_t limit, const Place& place) {
  return {ErrorClass::too_large, "file.too_many",
          fmt::format("below {} are more than {} {}: it is not watched", place.display(), limit, what)};
}

/// As file functions take it: relative paths are meant from the first root.
std::string path_of(const Place& place) { return place.root == 0 ? place.relative : place.display(); }

}  // namespace

struct FolderWatch::Impl {
  struct Followed {
    Wish wish;
    Listed listed;
    std::optional<Steady::time_point> due;
    std::set<int> watches;
  };

  std::shared_ptr<const Roots> roots;
  Fd inotify;
  Fd bell;
  std::mutex mutex;
  std::condition_variable told;
  std::map<std::string, Followed> followed;  // guarded by mutex, as what follows
  std::map<int, std::set<std::string>> by_watch;
  std::string telling;  // whose listing is being told
  bool stopping = false;
  std::thread thread;

  void ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(bell.get(), &one, sizeof one);
  }
  void run();
  [[nodiscard]] int patience();
  void take_events();
  void list_due();
  void release(const std::string& key, const std::set<int>& watches);

  struct Walk {
    const Wish& wish;
    std::set<int> watches;
    std::vector<File> files;
    std::size_t entries = 0;  ///< looked at, whatever they are
    std::size_t added = 0;    ///< of the watches, those that nobody had before
  };
  [[nodiscard]] Result<void> list_folder(Walk& walk, const Place& place, std::size_t depth);
  [[nodiscard]] Result<void> look_into(Walk& walk, const Place& place, DIR* folder, std::size_t depth);
};

void FolderWatch::Impl::run() {
  for (;;) {
    std::array<pollfd, 2> files = {pollfd{inotify.get(), POLLIN, 0}, pollfd{bell.get(), POLLIN, 0}};
    ::poll(files.data(), files.size(), patience());
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(bell.get(), &count, sizeof count);
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
    }
    take_events();
    list_due();
  }
}

/// Until the next listing; -1: until something happens.
int FolderWatch::Impl::patience() {
  const std::lock_guard lock(mutex);
  std::optional<Steady::time_point> next;
  for (const auto& [key, each] : followed) {
    if (each.due) next = std::min(next.value_or(*each.due), *each.due);
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Steady::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void FolderWatch::Impl::take_events() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
  const auto at = Steady::now() + kGather;
  const std::lock_guard lock(mutex);
  const auto happened = [&](const std::string& key) {
    const auto it = followed.find(key);
    if (it != followed.end()) it->second.due = std::min(it->second.due.value_or(at), at);
  };
  for (;;) {
    const auto length = ::read(inotify.get(), buffer.data(), buffer.size());
    if (length <= 0) return;
    for (std::size_t offset = 0; offset < static_cast<std::size_t>(length);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + offset, sizeof event);
      offset += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [key, each] : followed) happened(key);
      } else if (const auto watchers = by_watch.find(event.wd); watchers != by_watch.end()) {
        for (const auto& key : watchers->second) happened(key);
        if ((event.mask & IN_IGNORED) == 0) continue;
        for (const auto& key : watchers->second) {
          if (const auto it = followed.find(key); it != followed.end()) it->second.watches.erase(event.wd);
        }
        by_watch.erase(watchers);
      }
    }
  }
}

void FolderWatch::Impl::list_due() {
  for (;;) {
    std::string key;
    Wish wish;
    Listed listed;
    {
      const std::lock_guard lock(mutex);
      const auto now = Steady::now();
      const auto it =
          std::find_if(followed.begin(), followed.end(), [&](const auto& each) { return each.second.due && *each.second.due <= now; });
      if (it == followed.end()) return;
      it->second.due.reset();
      key = it->first;
      wish = it->second.wish;
      listed = it->second.listed;
      telling = key;
    }
    Walk walk{wish, {}, {}, 0, 0};
    const auto place = roots->find(wish.folder);
    const auto walked = place.has_error() ? Result<void>(place.error()) : list_folder(walk, *place, 0);
    std::set<int> earlier;
    {
      const std::lock_guard lock(mutex);
      if (const auto it = followed.find(key); it != followed.end()) {
        earlier = std::exchange(it->second.watches, walk.watches);
        for (const int watch : walk.watches) by_watch[watch].insert(key);
      } else {
        earlier = walk.watches;
      }
      std::erase_if(earlier, [&](int watch) { return followed.contains(key) && walk.watches.contains(watch); });
      release(key, earlier);
    }
    if (walked.has_error()) {
      listed(walked.error());
    } else {
      listed(std::move(walk.files));
    }
    {
      const std::lock_guard lock(mutex);
      telling.clear();
    }
    told.notify_all();
  }
}

/// The mutex is held.
void FolderWatch::Impl::release(const std::string& key, const std::set<int>& watches) {
  for (const int watch : watches) {
    const auto it = by_watch.find(watch);
    if (it != by_watch.end()) it->second.erase(key);
    if (it != by_watch.end() && !it->second.empty()) continue;
    if (it != by_watch.end()) by_watch.erase(it);
    ::inotify_rm_watch(inotify.get(), watch);
  }
}

/// Watched before it is read, so that nothing falls in between.
Result<void> FolderWatch::Impl::list_folder(Walk& walk, const Place& place, std::size_t depth) {
  PAWL_TRY(folder, open_place(place, O_RDONLY | O_DIRECTORY));
  const auto handle = fmt::format("/proc/self/fd/{}", folder.get());
  const int watch = ::inotify_add_watch(inotify.get(), handle.c_str(), kEvents);
  if (watch < 0 && errno == ENOSPC) {
    return Error(ErrorClass::too_large, "file.too_many", "the system watches no more folders (fs.inotify.max_user_watches)");
  }
  if (watch < 0) return file_error(errno, place.display());
  if (walk.watches.insert(watch).second) {
    const std::lock_guard lock(mutex);
    if (!by_watch.contains(watch) && by_watch.size() + ++walk.added > kMaxFolders) return too_many("folders", kMaxFolders, place);
  }
  const std::unique_ptr<DIR, CloseFolder> opened(::fdopendir(folder.get()));
  if (opened == nullptr) return file_error(errno, place.display());
  static_cast<void>(folder.release());  // closed with the stream
  return look_into(walk, place, opened.get(), depth);
}

Result<void> FolderWatch::Impl::look_into(Walk& walk, const Place& place, DIR* folder, std::size_t depth) {
  constexpr std::int64_t kNanos = 1'000'000'000;
  while (const auto* entry = ::readdir(folder)) {
    const std::string name(entry->d_name);
    if (++walk.entries > kMaxEntries) return too_many("entries", kMaxEntries, place);
    if (name == "." || name == ".." || !is_utf8(name)) continue;
    struct stat status {};
    if (::fstatat(::dirfd(folder), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    const auto child = place.child(name);
    if (S_ISDIR(status.st_mode) && walk.wish.recursive && depth < kMaxDepth && name.front() != '.') {
      auto below = list_folder(walk, child, depth + 1);
      // A folder that is gone, closed to us or the server's own is none.
      if (below.has_error() && below.error().code == "file.too_many") return below;
    }
    if (!S_ISREG(status.st_mode) || ::fnmatch(walk.wish.glob.c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
    if (walk.files.size() >= kMaxFiles) return too_many("files", kMaxFiles, place);
    walk.files.push_back({path_of(child), static_cast<std::uint64_t>(status.st_size),
                          static_cast<std::int64_t>(status.st_mtim.tv_sec) * kNanos + status.st_mtim.tv_nsec});
  }
  return {};
}

Result<std::unique_ptr<FolderWatch>> FolderWatch::make(const std::vector<std::string>& roots, const std::vector<std::string>& hidden) {
  auto impl = std::make_unique<Impl>();
  PAWL_TRY(opened, Roots::open(roots, hidden));
  impl->roots = std::move(opened);
  impl->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  impl->bell = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!impl->inotify || !impl->bell) {
    return Error(ErrorClass::internal, "file.watch", fmt::format("folders cannot be watched: {}", std::strerror(errno)));
  }
  impl->thread = std::thread([own = impl.get()] { own->run(); });
  return std::unique_ptr<FolderWatch>(new FolderWatch(std::move(impl)));
}

FolderWatch::FolderWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

FolderWatch::~FolderWatch() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->ring();
  impl_->thread.join();
}

Result<void> FolderWatch::check(const std::string& folder) const {
  PAWL_TRY_VOID(impl_->roots->find(folder));
  return {};
}

void FolderWatch::follow(const std::string& key, Wish wish, Listed listed) {
  {
    const std::lock_guard lock(impl_->mutex);
    auto& each = impl_->followed[key];
    each.wish = std::move(wish);
    each.listed = std::move(listed);
    each.due = Steady::now();
  }
  impl_->ring();
}

void FolderWatch::look(const std::string& key) {
  {
    const std::lock_guard lock(impl_->mutex);
    const auto it = impl_->followed.find(key);
    if (it == impl_->followed.end()) return;
    it->second.due = Steady::now();
  }
  impl_->ring();
}

void FolderWatch::forget(const std::string& key) {
  std::unique_lock lock(impl_->mutex);
  if (const auto it = impl_->followed.find(key); it != impl_->followed.end()) {
    const auto watches = std::move(it->second.watches);
    impl_->followed.erase(it);
    impl_->release(key, watches);
  }
  impl_->told.wait(lock, [&] { return impl_->telling != key; });
}

}  // namespace pawl::functions
