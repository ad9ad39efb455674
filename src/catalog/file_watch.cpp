#include "catalog/file_watch.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace pawl::catalog {
namespace {

constexpr std::array<std::string_view, 5> kMembers = {"folder", "glob", "recursive", "on", "settle"};
constexpr std::size_t kMaxText = 1024;
constexpr Millis kShortestSettle{100};
constexpr Millis kLongestSettle = std::chrono::hours(1);

class Reader {
 public:
  Reader(const dsl::Plan& plan, const json::Value& wish) : plan_(plan), wish_(wish) {}

  Result<FileWatch> read() {
    for (const auto& member : wish_.members()) {
      if (std::find(kMembers.begin(), kMembers.end(), member.name()) == kMembers.end())
        return refused("",
                       fmt::format("`metadata.files` has no member `{}`: it knows folder, glob, recursive, on and settle.", member.name()));
    }
    FileWatch watch;
    PAWL_TRY_VOID(text("folder", watch.folder));
    PAWL_TRY_VOID(text("glob", watch.glob));
    if (watch.glob.find('/') != std::string::npos)
      return refused("glob", "`glob` is about the name alone: folders below come with `recursive`.");
    const auto& recursive = wish_.get("recursive");
    if (!recursive.is_null() && !recursive.is_bool()) return refused("recursive", "`recursive` is true or false.");
    watch.recursive = recursive.is_bool() && recursive.as_bool();
    PAWL_TRY_VOID(events(watch));
    if (const auto& settle = wish_.get("settle"); !settle.is_null()) {
      const auto length = dsl::to_duration(settle);
      if (length.has_error() || *length < kShortestSettle || *length > kLongestSettle)
        return refused("settle", "`settle` is a constant between 100 milliseconds and one hour.");
      watch.settle = *length;
    }
    return watch;
  }

 private:
  [[nodiscard]] Error refused(std::string_view member, std::string message) const {
    return file_watch_error(plan_, member, std::move(message));
  }

  Result<void> text(std::string_view name, std::string& out) const {
    const auto& given = wish_.get(name);
    if (given.is_null()) return {};
    if (!given.is_string() || given.as_string().empty() || given.as_string().size() > kMaxText ||
        given.as_string().find('\0') != std::string_view::npos) {
      return refused(name, fmt::format("`{}` is text of 1 to {} characters.", name, kMaxText));
    }
    out = given.as_string();
    return {};
  }

  Result<void> events(FileWatch& watch) const {
    const auto& on = wish_.get("on");
    if (on.is_null()) return {};
    constexpr std::string_view kWanted = "`on` is a list of what counts: created, changed, removed.";
    if (!on.is_array() || on.empty()) return refused("on", std::string(kWanted));
    watch.created = watch.changed = watch.removed = false;
    for (const auto& each : on.items()) {
      bool* event = nullptr;
      if (each == json::Value("created")) event = &watch.created;
      if (each == json::Value("changed")) event = &watch.changed;
      if (each == json::Value("removed")) event = &watch.removed;
      if (event == nullptr) return refused("on", std::string(kWanted));
      *event = true;
    }
    return {};
  }

  const dsl::Plan& plan_;
  const json::Value& wish_;
};

}  // namespace

Error file_watch_error(const dsl::Plan& plan, std::string_view member, std::string message) {
  Finding finding;
  finding.pointer = plan.task_list_form ? "/metadata/files" : "/document/metadata/files";
  if (!member.empty()) finding.pointer += fmt::format("/{}", member);
  finding.rule = "files";
  finding.message = message;
  return {ErrorClass::unprocessable, "workflow.files", std::move(message), {std::move(finding)}};
}

Result<std::optional<FileWatch>> file_watch_of(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("files");
  if (wish.is_null()) return std::optional<FileWatch>{};
  if (!wish.is_object()) return file_watch_error(plan, "", "`metadata.files` must be an object.");
  PAWL_TRY(watch, Reader(plan, wish).read());
  return std::optional(std::move(watch));
}

json::Value to_details(const FileWatch& watch) {
  auto events = json::Value::array();
  if (watch.created) events.push_back("created");
  if (watch.changed) events.push_back("changed");
  if (watch.removed) events.push_back("removed");
  return json::Value::object({{"folder", watch.folder},
                              {"glob", watch.glob},
                              {"recursive", watch.recursive},
                              {"events", std::move(events)},
                              {"settle_ms", static_cast<std::int64_t>(watch.settle.count())}});
}

FileWatch file_watch_from(const json::Value& details) {
  FileWatch watch;
  if (const auto& folder = details.get("folder"); folder.is_string()) watch.folder = folder.as_string();
  if (const auto& glob = details.get("glob"); glob.is_string()) watch.glob = glob.as_string();
  watch.recursive = details.get("recursive") == json::Value(true);
  if (const auto& events = details.get("events"); events.is_array()) {
    const auto has = [&](std::string_view name) {
      return std::any_of(events.items().begin(), events.items().end(), [&](const json::Value& each) { return each == json::Value(name); });
    };
    watch.created = has("created");
    watch.changed = has("changed");
    watch.removed = has("removed");
  }
  if (const auto& settle = details.get("settle_ms"); settle.is_integer()) watch.settle = Millis(settle.as_integer());
  return watch;
}

std::string_view to_text(FileChange::Event event) {
  switch (event) {
    case FileChange::Event::created: return "created";
    case FileChange::Event::changed: return "changed";
    case FileChange::Event::removed: return "removed";
  }
  return "created";
}

bool wants(const FileWatch& wish, FileChange::Event event) {
  switch (event) {
    case FileChange::Event::created: return wish.created;
    case FileChange::Event::changed: return wish.changed;
    case FileChange::Event::removed: return wish.removed;
  }
  return false;
}

json::Value input_of(const FileChange& change) {
  const std::chrono::nanoseconds modified(change.stamp.modified_ns);
  return json::Value::object({{"event", to_text(change.event)},
                              {"path", change.path},
                              {"size", change.stamp.size},
                              {"modified", to_rfc3339(TimePoint(std::chrono::floor<Millis>(modified)))}});
}

FileWatchState::FileWatchState(std::optional<std::map<std::string, FileStamp>> known) : known_(std::move(known)) {}

void FileWatchState::take_baseline(const std::vector<WatchedFile>& listing) {
  known_.emplace();
  for (const auto& file : listing) known_->insert_or_assign(file.path, file.stamp);
}

FileWatchState::Look FileWatchState::look(const std::vector<WatchedFile>& listing, Millis settle, TimePoint now) {
  PAWL_ASSERT(known_.has_value(), "there is something to compare with");
  std::map<std::string, Unsettled> differing;
  std::map<std::string, FileStamp> gone = *known_;
  const auto differs = [&](const std::string& path, std::optional<FileStamp> stamp) {
    const auto before = unsettled_.find(path);
    const bool same = before != unsettled_.end() && before->second.stamp == stamp;
    differing.insert_or_assign(path, Unsettled{stamp, same ? before->second.since : now});
  };
  for (const auto& file : listing) {
    gone.erase(file.path);
    const auto known = known_->find(file.path);
    if (known == known_->end() || known->second != file.stamp) differs(file.path, file.stamp);
  }
  for (const auto& [path, stamp] : gone) differs(path, std::nullopt);
  unsettled_ = std::move(differing);

  Look found;
  for (const auto& [path, each] : unsettled_) {
    if (each.since + settle > now) {
      found.look_again = std::min(found.look_again.value_or(each.since + settle), each.since + settle);
      continue;
    }
    const auto known = known_->find(path);
    if (!each.stamp) {
      found.ripe.push_back({FileChange::Event::removed, path, known->second});
    } else {
      const bool is_new = known == known_->end();
      found.ripe.push_back({is_new ? FileChange::Event::created : FileChange::Event::changed, path, *each.stamp});
    }
  }
  std::stable_sort(found.ripe.begin(), found.ripe.end(),
                   [](const FileChange& a, const FileChange& b) { return a.stamp.modified_ns < b.stamp.modified_ns; });
  return found;
}

void FileWatchState::settle(const FileChange& change) {
  unsettled_.erase(change.path);
  if (!known_) known_.emplace();
  if (change.event == FileChange::Event::removed) {
    known_->erase(change.path);
  } else {
    known_->insert_or_assign(change.path, change.stamp);
  }
}

}  // namespace pawl::catalog
