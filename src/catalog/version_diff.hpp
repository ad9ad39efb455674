/// What differs between two versions of a workflow: line by line, and by meaning. Pure; executes nothing.
///
/// Lines are compared by Myers' algorithm ("An O(ND) Difference Algorithm", 1986), so the script is the shortest one, up to
/// `kMaxEditDistance` differences; beyond that the middle is shown as replaced, which is still a correct difference. A definition that was
/// given as data is compared as indented JSON.
///
/// Tasks are told apart by the names on their way (`/outer/pay`), not by their position, so a task that is put in front of others changes
/// only itself. A task that holds others counts as changed only where it differs beside them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/workflow.hpp"
#include "json/value.hpp"

namespace pawl::catalog {

inline constexpr std::size_t kMaxEditDistance = 2000;
inline constexpr std::uint32_t kContextLines = 3;

struct DiffLine {
  enum class Kind : std::uint8_t { context, removed, added };
  Kind kind = Kind::context;
  std::string text;  ///< without the line's end

  friend bool operator==(const DiffLine&, const DiffLine&) = default;
};
/// As in a unified diff. Lines count from 1; a start with a count of 0 is the line before.
struct DiffHunk {
  std::uint32_t old_start = 0;
  std::uint32_t old_count = 0;
  std::uint32_t new_start = 0;
  std::uint32_t new_count = 0;
  std::vector<DiffLine> lines;
};

[[nodiscard]] std::vector<DiffHunk> diff_lines(std::string_view before, std::string_view after);

struct TaskChange {
  enum class Kind : std::uint8_t { added, removed, changed, moved };
  Kind kind = Kind::changed;
  std::string path;       ///< names from the outermost task: `/outer/pay`
  std::string reference;  ///< in the newer version; of a removed task in the older one
  std::string type;
};
[[nodiscard]] std::string_view to_text(TaskChange::Kind kind);

struct TriggerChange {
  std::string type;    ///< `schedule` or `webhook`
  json::Value before;  ///< null: there was none
  json::Value after;   ///< null: there is none any more
};

struct VersionDiff {
  std::vector<DiffHunk> hunks;
  std::vector<TaskChange> tasks;
  std::vector<TriggerChange> triggers;
};

/// The text whose lines are compared.
[[nodiscard]] std::string text_of(const Definition& definition);
[[nodiscard]] std::vector<TaskChange> diff_tasks(const dsl::Plan& before, const dsl::Plan& after);
[[nodiscard]] std::vector<TriggerChange> diff_triggers(const dsl::Plan& before, const dsl::Plan& after);

}  // namespace pawl::catalog
