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
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>

#include "base/utf8.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {
namespace {

using Steady = std::chrono::steady_clock;

/// What happens together is listed once.
constexpr std::chrono::milliseconds kGather{100};
/// A folder where much happens is listed again after this many times of what the last listing took.
constexpr int kRest = 4;
/// How often a folder is listed of which something above cannot be watched.
constexpr std::chrono::seconds kBlindPatience{10};
/// What happens to a folder on the way to a watched one: only events about the next component matter.
constexpr std::uint32_t kEventsAbove = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR;
constexpr std::uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF |
                                  IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Error too_many(std::string_view what, std::size_t limit, const Place& place) {
  return {ErrorClass::too_large, "file.too_many",
          fmt::format("below {} are more than {} {}: it is not watched", place.display(), limit, what)};
}

Error share_used(std::string_view what, std::size_t limit, const Place& place) {
  return {ErrorClass::too_large, "file.too_many",
          fmt::format("{} is not watched: the organization has {} {} watched in all, which is its share", place.display(), limit, what)};
}

/// Whether an error of one folder is one of the whole listing.
bool ends_listing(const Error& error) {
  return error.code == "file.too_many" || error.code == "file.io" || error.code == "file.broken_off";
}

/// Nobody is told of it.
Error broken_off() { return {ErrorClass::unavailable, "file.broken_off", "nobody follows the folder any more"}; }

/// As file functions take it: relative paths are meant from the first root.
std::string path_of(const Place& place) { return place.root == 0 ? place.relative : place.display(); }

/// Which listings are on their way. Outlives the watch with the holds.
class Gate {
 public:
  static Result<std::shared_ptr<Gate>> make() {
    Fd bell(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!bell) return Error(ErrorClass::internal, "file.watch", fmt::format("folders cannot be watched: {}", std::strerror(errno)));
    return std::make_shared<Gate>(std::move(bell));
  }
  explicit Gate(Fd bell) : bell_(std::move(bell)) {}

  void ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof one);
  }
  void silence() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(bell_.get(), &count, sizeof count);
  }
  [[nodiscard]] int bell() const { return bell_.get(); }

  [[nodiscard]] bool is_open(const std::string& owner) const {
    const std::lock_guard lock(mutex_);
    return owners_.size() < FolderWatch::kMaxOnTheirWay && !owners_.contains(owner);
  }
  [[nodiscard]] static FolderWatch::Hold enter(const std::shared_ptr<Gate>& gate, const std::string& owner) {
    {
      const std::lock_guard lock(gate->mutex_);
      gate->owners_.insert(owner);
    }
    return {gate.get(), [gate, owner](const void*) { gate->leave(owner); }};
  }

 private:
  void leave(const std::string& owner) {
    {
      const std::lock_guard lock(mutex_);
      owners_.erase(owner);
    }
    ring();
  }

  Fd bell_;
  mutable std::mutex mutex_;
  std::set<std::string> owners_;
};

}  // namespace

struct FolderWatch::Impl {
  struct Followed {
    Wish wish;
    Listed listed;
    std::optional<Steady::time_point> due;
    Steady::time_point rests_until{};
    std::size_t files = 0;             ///< of the last listing
    std::set<int> inside;              ///< watches of the folder and those below it
    std::map<int, std::string> above;  ///< of those that lead to it, with the next component
  };
  /// Who is concerned by a watch.
  struct Concerned {
    std::set<std::string> inside;
    std::map<std::string, std::string> above;  ///< with the name that matters to them
  };
  using Due = std::map<std::string, Followed>::iterator;

  std::shared_ptr<const Roots> roots;
  Reading reading;
  std::shared_ptr<Gate> gate;
  Fd inotify;
  std::mutex mutex;
  std::condition_variable told;
  std::map<std::string, Followed> followed;  // guarded by mutex, as what follows
  std::map<int, Concerned> by_watch;
  std::map<std::string, std::uint64_t> turns;  // when each owner had its last turn
  std::uint64_t turn = 0;
  std::string walking;     // whose folder is being read
  std::set<int> unneeded;  // watches that nobody needed any more while one was
  std::string telling;     // whose listing is being told
  bool stopping = false;
  std::atomic<bool> is_wanted = false;  // what is being read; written under the mutex
  std::thread thread;

  void run();
  [[nodiscard]] int patience();
  void take_events();
  void take_event(const inotify_event& event, std::string_view name);
  void happened(const std::string& key);
  [[nodiscard]] Due next_due();
  void list_due();
  void release(const std::string& key);
  void drop(int watch);

  struct Walk {
    const Wish& wish;
    std::set<int> others;  ///< watches of the same owner's other folders
    std::set<int> inside;
    std::map<int, std::string> above;
    std::vector<File> files;
    std::size_t may_have = 0;    ///< files, of the owner's share
    std::size_t entries = 0;     ///< looked at, whatever they are
    std::size_t path_bytes = 0;  ///< of the files
    std::size_t added = 0;       ///< of the watches, those that nobody had before
    std::size_t own = 0;         ///< of the watches, those that the owner had not before
    bool blind = false;          ///< something above cannot be watched
    bool too_many_folders = false;
  };
  [[nodiscard]] Walk begin_walk(const std::string& key, const Wish& wish);
  [[nodiscard]] bool end_walk(const std::string& key, Walk& walk, Steady::duration took);
  [[nodiscard]] Result<int> add_watch(Walk& walk, const Place& place, const Fd& folder, std::uint32_t events);
  [[nodiscard]] Result<void> count(Walk& walk, const Place& place, int watch);
  [[nodiscard]] Result<void> list(Walk& walk);
  [[nodiscard]] Result<void> watch_above(Walk& walk, const Place& place);
  [[nodiscard]] Result<void> list_folder(Walk& walk, const Place& place, std::size_t depth);
  [[nodiscard]] Result<void> look_into(Walk& walk, const Place& place, DIR* folder, std::size_t depth);
};

void FolderWatch::Impl::run() {
  for (;;) {
    std::array<pollfd, 2> files = {pollfd{inotify.get(), POLLIN, 0}, pollfd{gate->bell(), POLLIN, 0}};
    ::poll(files.data(), files.size(), patience());
    gate->silence();
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
    }
    take_events();
    list_due();
  }
}

/// Until the next listing that may begin; -1: until something happens, or a listing has been dealt with.
int FolderWatch::Impl::patience() {
  const std::lock_guard lock(mutex);
  std::optional<Steady::time_point> next;
  for (const auto& [key, each] : followed) {
    if (each.due && gate->is_open(each.wish.owner)) next = std::min(next.value_or(*each.due), *each.due);
  }
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Steady::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void FolderWatch::Impl::take_events() {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
  const std::lock_guard lock(mutex);
  for (;;) {
    const auto length = ::read(inotify.get(), buffer.data(), buffer.size());
    if (length <= 0) return;
    for (std::size_t offset = 0; offset < static_cast<std::size_t>(length);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + offset, sizeof event);
      const char* name = buffer.data() + offset + sizeof event;
      take_event(event, {name, ::strnlen(name, event.len)});
      offset += sizeof event + event.len;
    }
  }
}

/// The mutex is held.
void FolderWatch::Impl::happened(const std::string& key) {
  const auto it = followed.find(key);
  if (it == followed.end()) return;
  const auto at = std::max(Steady::now() + kGather, it->second.rests_until);
  it->second.due = std::min(it->second.due.value_or(at), at);
}

/// The mutex is held.
void FolderWatch::Impl::take_event(const inotify_event& event, std::string_view name) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    // The kernel dropped what happened: it may have been anywhere.
    for (const auto& [key, each] : followed) happened(key);
    return;
  }
  const auto found = by_watch.find(event.wd);
  if (found == by_watch.end()) return;
  const bool ends = (event.mask & IN_IGNORED) != 0;
  for (const auto& key : found->second.inside) happened(key);
  for (const auto& [key, component] : found->second.above) {
    if (ends || name == component) happened(key);
  }
  if (!ends) return;
  const auto concerned = std::move(found->second);
  by_watch.erase(found);
  for (const auto& key : concerned.inside) {
    if (const auto it = followed.find(key); it != followed.end()) it->second.inside.erase(event.wd);
  }
  for (const auto& [key, component] : concerned.above) {
    if (const auto it = followed.find(key); it != followed.end()) it->second.above.erase(event.wd);
  }
}

/// The mutex is held. The folder that waits longest, of the owner whose last turn was the longest ago.
FolderWatch::Impl::Due FolderWatch::Impl::next_due() {
  const auto now = Steady::now();
  auto best = followed.end();
  std::uint64_t best_turn = 0;
  for (auto it = followed.begin(); it != followed.end(); ++it) {
    if (!it->second.due || *it->second.due > now || !gate->is_open(it->second.wish.owner)) continue;
    const auto last = turns.find(it->second.wish.owner);
    const auto its_turn = last == turns.end() ? 0 : last->second;
    if (best != followed.end() && std::tie(best_turn, best->second.due) <= std::tie(its_turn, it->second.due)) continue;
    best = it;
    best_turn = its_turn;
  }
  return best;
}

void FolderWatch::Impl::list_due() {
  for (;;) {
    std::string key;
    Wish wish;
    Listed listed;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      const auto it = next_due();
      if (it == followed.end()) return;
      it->second.due.reset();
      key = it->first;
      wish = it->second.wish;
      listed = it->second.listed;
      walking = key;
      is_wanted = true;
      if (turns.size() > 2 * followed.size()) turns.clear();  // of owners that follow nothing any more
      turns[wish.owner] = ++turn;
    }
    auto hold = Gate::enter(gate, wish.owner);
    auto walk = begin_walk(key, wish);
    const auto began = Steady::now();
    const auto walked = list(walk);
    if (end_walk(key, walk, Steady::now() - began)) {
      if (walked.has_error()) {
        listed(walked.error(), std::move(hold));
      } else {
        listed(std::move(walk.files), std::move(hold));
      }
      {
        const std::lock_guard lock(mutex);
        telling.clear();
      }
      told.notify_all();
    }
    take_events();
  }
}

FolderWatch::Impl::Walk FolderWatch::Impl::begin_walk(const std::string& key, const Wish& wish) {
  Walk walk{wish, {}, {}, {}, {}};
  walk.may_have = kMaxFilesOfOwner;
  const std::lock_guard lock(mutex);
  for (const auto& [other, each] : followed) {
    if (other == key || each.wish.owner != wish.owner) continue;
    walk.others.insert(each.inside.begin(), each.inside.end());
    for (const auto& [watch, name] : each.above) walk.others.insert(watch);
    walk.may_have -= std::min(each.files, walk.may_have);
  }
  return walk;
}

/// Whether the listing is to be told: then it counts as being told from now on.
bool FolderWatch::Impl::end_walk(const std::string& key, Walk& walk, Steady::duration took) {
  const std::lock_guard lock(mutex);
  const bool wanted = is_wanted;
  const auto it = followed.find(key);
  walking.clear();
  if (wanted) telling = key;
  std::set<int> ended = std::exchange(unneeded, {});
  if (wanted) {
    for (const int watch : it->second.inside) ended.insert(watch);
    for (const auto& [watch, name] : it->second.above) ended.insert(watch);
  }
  for (const int watch : walk.inside) ended.insert(watch);
  for (const auto& [watch, name] : walk.above) ended.insert(watch);
  for (const int watch : ended) {
    auto& concerned = by_watch[watch];
    concerned.inside.erase(key);
    concerned.above.erase(key);
  }
  // A folder that does not fit keeps no part of the share: it is looked for again later.
  if (walk.too_many_folders) {
    walk.inside.clear();
    walk.above.clear();
  }
  if (wanted) {
    for (const int watch : walk.inside) by_watch[watch].inside.insert(key);
    for (const auto& [watch, name] : walk.above) by_watch[watch].above.insert_or_assign(key, name);
    const auto now = Steady::now();
    it->second.inside = std::move(walk.inside);
    it->second.above = std::move(walk.above);
    it->second.files = walk.files.size();
    it->second.rests_until = now + kRest * took;
    if (walk.blind) it->second.due = std::min(it->second.due.value_or(now + kBlindPatience), now + kBlindPatience);
  }
  for (const int watch : ended) drop(watch);
  return wanted;
}

/// The mutex is held. Takes away a watch that concerns nobody. While a folder is being read it may be the reader's already, who is noted
/// at its end: taken away now, that folder would be deaf.
void FolderWatch::Impl::drop(int watch) {
  const auto concerned = by_watch.find(watch);
  if (concerned == by_watch.end()) return;
  if (!concerned->second.inside.empty() || !concerned->second.above.empty()) return;
  if (!walking.empty()) {
    unneeded.insert(watch);
    return;
  }
  by_watch.erase(concerned);
  ::inotify_rm_watch(inotify.get(), watch);
}

/// The mutex is held.
void FolderWatch::Impl::release(const std::string& key) {
  const auto it = followed.find(key);
  if (it == followed.end()) return;
  auto watches = std::move(it->second.inside);
  for (const auto& [watch, name] : it->second.above) watches.insert(watch);
  followed.erase(it);
  if (walking == key) is_wanted = false;
  for (const int watch : watches) {
    const auto concerned = by_watch.find(watch);
    if (concerned == by_watch.end()) continue;
    concerned->second.inside.erase(key);
    concerned->second.above.erase(key);
    drop(watch);
  }
}

Result<int> FolderWatch::Impl::add_watch(Walk& walk, const Place& place, const Fd& folder, std::uint32_t events) {
  const auto handle = fmt::format("/proc/self/fd/{}", folder.get());
  // Added to what is watched there already: a folder may be followed and lead to another.
  const int watch = ::inotify_add_watch(inotify.get(), handle.c_str(), events | IN_MASK_ADD);
  if (watch < 0 && errno == ENOSPC) {
    walk.too_many_folders = true;
    return Error(ErrorClass::too_large, "file.too_many", "the system watches no more folders (fs.inotify.max_user_watches)");
  }
  if (watch < 0) return file_error(errno, place.display());
  return watch;
}

/// Whether one more watch is within the limits. It is the walk's already, so that it is released where it is not.
Result<void> FolderWatch::Impl::count(Walk& walk, const Place& place, int watch) {
  std::size_t of_all = 0;
  {
    const std::lock_guard lock(mutex);
    if (!by_watch.contains(watch)) ++walk.added;
    of_all = by_watch.size() + walk.added;
  }
  if (!walk.others.contains(watch)) ++walk.own;
  walk.too_many_folders = walk.others.size() + walk.own > kMaxFoldersOfOwner || of_all > kMaxFolders;
  if (walk.others.size() + walk.own > kMaxFoldersOfOwner) return share_used("folders", kMaxFoldersOfOwner, place);
  if (of_all > kMaxFolders) return too_many("folders", kMaxFolders, place);
  return {};
}

Result<void> FolderWatch::Impl::list(Walk& walk) {
  PAWL_TRY(place, roots->find(walk.wish.folder));
  PAWL_TRY_VOID(watch_above(walk, place));
  return list_folder(walk, place, 0);
}

/// From the root downwards, each before the next is opened, so that no replacement falls in between. Ends where a folder is missing: when
/// it appears, the one above tells.
Result<void> FolderWatch::Impl::watch_above(Walk& walk, const Place& place) {
  if (place.relative == ".") return {};
  Place at{place.roots, place.root, "."};
  std::string_view rest = place.relative;
  while (!rest.empty()) {
    const std::string component(rest.substr(0, rest.find('/')));
    rest.remove_prefix(std::min(component.size() + 1, rest.size()));
    const auto folder = open_place(at, O_RDONLY | O_DIRECTORY);
    if (folder.has_error() && folder.error().code == "file.not_found") return {};
    const auto watched = folder.has_error() ? Result<int>(folder.error()) : add_watch(walk, at, *folder, kEventsAbove);
    if (watched.has_error() && walk.too_many_folders) return watched.error();
    if (watched.has_error()) {
      walk.blind = true;  // it may be passed through and not be read
    } else if (walk.above.emplace(*watched, component).second) {
      PAWL_TRY_VOID(count(walk, at, *watched));
    }
    at = at.child(component);
  }
  return {};
}

/// Watched before it is read, so that nothing falls in between.
Result<void> FolderWatch::Impl::list_folder(Walk& walk, const Place& place, std::size_t depth) {
  PAWL_TRY(folder, open_place(place, O_RDONLY | O_DIRECTORY));
  PAWL_TRY(watched, add_watch(walk, place, folder, kEvents));
  if (walk.inside.insert(watched).second) PAWL_TRY_VOID(count(walk, place, watched));
  const std::unique_ptr<DIR, CloseFolder> opened(::fdopendir(folder.get()));
  if (opened == nullptr) return file_error(errno, place.display());
  static_cast<void>(folder.release());  // closed with the stream
  if (reading) reading(path_of(place));
  return look_into(walk, place, opened.get(), depth);
}

Result<void> FolderWatch::Impl::look_into(Walk& walk, const Place& place, DIR* folder, std::size_t depth) {
  constexpr std::int64_t kNanos = 1'000'000'000;
  for (;;) {
    errno = 0;
    const auto* entry = ::readdir(folder);
    if (entry == nullptr && errno != 0) return file_error(errno, place.display());  // half a listing would tell that the rest is gone
    if (entry == nullptr) return {};
    if (!is_wanted) return broken_off();
    const std::string name(entry->d_name);
    if (++walk.entries > kMaxEntries) return too_many("entries", kMaxEntries, place);
    if (name == "." || name == ".." || !is_utf8(name)) continue;
    const auto child = place.child(name);
    struct stat status {};
    if (::fstatat(::dirfd(folder), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT || errno == EACCES) continue;  // gone meanwhile, or closed to us
      return file_error(errno, child.display());
    }
    if (S_ISDIR(status.st_mode) && walk.wish.recursive && depth < kMaxDepth && name.front() != '.') {
      auto below = list_folder(walk, child, depth + 1);
      // A folder that is gone, closed to us or the server's own is none. One that cannot be read just now (no file handle is left, the
      // disk fails) is there all the same: passed over, its files would count as removed, and as new with the next listing.
      if (below.has_error() && ends_listing(below.error())) return below;
    }
    if (!S_ISREG(status.st_mode) || ::fnmatch(walk.wish.glob.c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
    if (walk.files.size() >= kMaxFiles) return too_many("files", kMaxFiles, place);
    if (walk.files.size() >= walk.may_have) return share_used("files", kMaxFilesOfOwner, place);
    auto path = path_of(child);
    walk.path_bytes += path.size();
    if (walk.path_bytes > kMaxPathBytes) return too_many("bytes of paths", kMaxPathBytes, place);
    walk.files.push_back({std::move(path), static_cast<std::uint64_t>(status.st_size),
                          static_cast<std::int64_t>(status.st_mtim.tv_sec) * kNanos + status.st_mtim.tv_nsec});
  }
}

Result<std::unique_ptr<FolderWatch>> FolderWatch::make(const std::vector<std::string>& roots, const std::vector<std::string>& hidden,
                                                       Reading reading) {
  auto impl = std::make_unique<Impl>();
  impl->reading = std::move(reading);
  PAWL_TRY(opened, Roots::open(roots, hidden));
  impl->roots = std::move(opened);
  PAWL_TRY(gate, Gate::make());
  impl->gate = std::move(gate);
  impl->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!impl->inotify) {
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
    impl_->is_wanted = false;
  }
  impl_->gate->ring();
  impl_->thread.join();
}

Result<void> FolderWatch::check(const std::string& folder) const {
  PAWL_TRY_VOID(impl_->roots->find(folder));
  return {};
}

void FolderWatch::follow(const std::string& key, Wish wish, Listed listed) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->release(key);
    auto& each = impl_->followed[key];
    each.wish = std::move(wish);
    each.listed = std::move(listed);
    each.due = Steady::now();
  }
  impl_->gate->ring();
}

void FolderWatch::look(const std::string& key) {
  {
    const std::lock_guard lock(impl_->mutex);
    const auto it = impl_->followed.find(key);
    if (it == impl_->followed.end()) return;
    it->second.due = Steady::now();
  }
  impl_->gate->ring();
}

void FolderWatch::forget(const std::string& key) {
  std::unique_lock lock(impl_->mutex);
  impl_->release(key);
  impl_->told.wait(lock, [&] { return impl_->telling != key; });
}

}  // namespace pawl::functions
