// Line by line: Myers' greedy algorithm over interned lines, then hunks with context.
#include <algorithm>
#include <unordered_map>

#include "catalog/version_diff.hpp"

namespace pawl::catalog {
namespace {

using Kind = DiffLine::Kind;
using Lines = std::vector<std::string_view>;

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// One step from the old text to the new one: the line's index in both; where one side lacks it, the index of what follows there.
struct Step {
  Kind kind = Kind::context;
  std::size_t before = 0;
  std::size_t after = 0;
};

/// Lines as numbers, so that a comparison is one instruction.
struct Numbered {
  std::vector<std::uint32_t> before;
  std::vector<std::uint32_t> after;
};

Numbered number(const Lines& before, const Lines& after) {
  std::unordered_map<std::string_view, std::uint32_t> known;
  const auto number_of = [&](std::string_view line) { return known.emplace(line, static_cast<std::uint32_t>(known.size())).first->second; };
  Numbered numbered;
  for (const auto line : before) numbered.before.push_back(number_of(line));
  for (const auto line : after) numbered.after.push_back(number_of(line));
  return numbered;
}

/// The shortest script between two ranges without a common beginning or end; nothing where it is longer than the limit.
class Myers {
 public:
  Myers(const std::vector<std::uint32_t>& before, const std::vector<std::uint32_t>& after) : before_(before), after_(after) {}

  /// Steps from the end to the beginning; false beyond the limit.
  bool run(std::vector<Step>& backwards) {
    const auto limit = static_cast<std::ptrdiff_t>(std::min(before_.size() + after_.size(), kMaxEditDistance));
    offset_ = limit + 1;
    furthest_.assign(static_cast<std::size_t>(2 * limit + 3), 0);
    for (std::ptrdiff_t d = 0; d <= limit; ++d) {
      // Only the diagonals that this round can reach are kept: the rounds together take d² / 2 entries.
      trace_.emplace_back(furthest_.begin() + offset_ - d, furthest_.begin() + offset_ + d + 1);
      for (std::ptrdiff_t k = -d; k <= d; k += 2) {
        auto x = down(k, d, [this](std::ptrdiff_t diagonal) { return at(diagonal); }) ? at(k + 1) : at(k - 1) + 1;
        while (equal(x, x - k)) ++x;
        at(k) = x;
        if (x >= size(before_) && x - k >= size(after_)) {
          walk_back(d, backwards);
          return true;
        }
      }
    }
    return false;
  }

 private:
  static std::ptrdiff_t size(const std::vector<std::uint32_t>& lines) { return static_cast<std::ptrdiff_t>(lines.size()); }
  std::int32_t& at(std::ptrdiff_t diagonal) { return furthest_[static_cast<std::size_t>(diagonal + offset_)]; }
  /// Whether the furthest path on diagonal `k` comes from an insertion (the diagonal above).
  template <class At>
  static bool down(std::ptrdiff_t k, std::ptrdiff_t d, At at) {
    return k == -d || (k != d && at(k - 1) < at(k + 1));
  }
  [[nodiscard]] bool equal(std::ptrdiff_t x, std::ptrdiff_t y) const {
    return x >= 0 && y >= 0 && x < size(before_) && y < size(after_) &&
           before_[static_cast<std::size_t>(x)] == after_[static_cast<std::size_t>(y)];
  }
  void walk_back(std::ptrdiff_t distance, std::vector<Step>& steps) const {
    auto x = size(before_);
    auto y = size(after_);
    const auto emit = [&](Kind kind) { steps.push_back({kind, static_cast<std::size_t>(x), static_cast<std::size_t>(y)}); };
    for (auto d = distance; d > 0; --d) {
      const auto& round = trace_[static_cast<std::size_t>(d)];  // the state before round d: diagonals -d .. d
      const auto reached = [&](std::ptrdiff_t diagonal) { return round[static_cast<std::size_t>(diagonal + d)]; };
      const auto k = x - y;
      const bool insertion = down(k, d, reached);
      const auto from = insertion ? k + 1 : k - 1;
      const std::ptrdiff_t from_x = reached(from);
      const auto from_y = from_x - from;
      while (x > from_x && y > from_y) {
        --x;
        --y;
        emit(Kind::context);
      }
      if (insertion) {
        --y;
        emit(Kind::added);
      } else {
        --x;
        emit(Kind::removed);
      }
    }
    while (x > 0 && y > 0) {
      --x;
      --y;
      emit(Kind::context);
    }
  }

  const std::vector<std::uint32_t>& before_;
  const std::vector<std::uint32_t>& after_;
  std::ptrdiff_t offset_ = 0;
  std::vector<std::int32_t> furthest_;
  std::vector<std::vector<std::int32_t>> trace_;
};

std::vector<Step> script(const Numbered& lines) {
  const auto& a = lines.before;
  const auto& b = lines.after;
  std::size_t prefix = 0;
  while (prefix < a.size() && prefix < b.size() && a[prefix] == b[prefix]) ++prefix;
  std::size_t suffix = 0;
  while (suffix < a.size() - prefix && suffix < b.size() - prefix && a[a.size() - 1 - suffix] == b[b.size() - 1 - suffix]) ++suffix;

  std::vector<Step> steps;
  for (std::size_t i = 0; i < prefix; ++i) steps.push_back({Kind::context, i, i});
  const std::vector<std::uint32_t> old_middle(a.begin() + static_cast<std::ptrdiff_t>(prefix),
                                              a.end() - static_cast<std::ptrdiff_t>(suffix));
  const std::vector<std::uint32_t> new_middle(b.begin() + static_cast<std::ptrdiff_t>(prefix),
                                              b.end() - static_cast<std::ptrdiff_t>(suffix));
  std::vector<Step> backwards;
  if (Myers(old_middle, new_middle).run(backwards)) {
    for (auto it = backwards.rbegin(); it != backwards.rend(); ++it) steps.push_back({it->kind, it->before + prefix, it->after + prefix});
  } else {
    for (std::size_t i = 0; i < old_middle.size(); ++i) steps.push_back({Kind::removed, prefix + i, prefix});
    for (std::size_t i = 0; i < new_middle.size(); ++i) steps.push_back({Kind::added, a.size() - suffix, prefix + i});
  }
  for (std::size_t i = 0; i < suffix; ++i) steps.push_back({Kind::context, a.size() - suffix + i, b.size() - suffix + i});
  return steps;
}

DiffHunk hunk_of(const std::vector<Step>& steps, std::size_t first, std::size_t last, const Lines& before, const Lines& after) {
  DiffHunk hunk;
  for (auto i = first; i < last; ++i) {
    const auto& step = steps[i];
    if (step.kind != Kind::added) ++hunk.old_count;
    if (step.kind != Kind::removed) ++hunk.new_count;
    hunk.lines.push_back({step.kind, std::string(step.kind == Kind::added ? after[step.after] : before[step.before])});
  }
  hunk.old_start = static_cast<std::uint32_t>(steps[first].before) + (hunk.old_count > 0 ? 1 : 0);
  hunk.new_start = static_cast<std::uint32_t>(steps[first].after) + (hunk.new_count > 0 ? 1 : 0);
  return hunk;
}

}  // namespace

std::vector<DiffHunk> diff_lines(std::string_view before, std::string_view after) {
  const auto old_lines = split(before);
  const auto new_lines = split(after);
  const auto steps = script(number(old_lines, new_lines));
  std::vector<DiffHunk> hunks;
  std::size_t i = 0;
  while (i < steps.size()) {
    while (i < steps.size() && steps[i].kind == Kind::context) ++i;
    if (i == steps.size()) break;
    const auto first = i > kContextLines ? i - kContextLines : 0;
    auto last = i;  // behind the last change of this hunk
    std::size_t quiet = 0;
    for (auto n = i; n < steps.size() && quiet <= 2 * kContextLines; ++n) {
      quiet = steps[n].kind == Kind::context ? quiet + 1 : 0;
      if (quiet == 0) last = n + 1;
    }
    const auto end = std::min(last + kContextLines, steps.size());
    hunks.push_back(hunk_of(steps, first, end, old_lines, new_lines));
    i = end;
  }
  return hunks;
}

}  // namespace pawl::catalog
