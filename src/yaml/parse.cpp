#include <algorithm>
#include <utility>
#include <vector>

#include "json/pointer.hpp"
#include "yaml/detail/events.hpp"
#include "yaml/yaml.hpp"

namespace pawl::yaml {
namespace detail {

Finding finding_at(Position at, std::string rule, std::string message) {
  return {Severity::error, "", at.line, at.column, std::move(message), std::move(rule), ""};
}

namespace {

constexpr std::size_t kMaxFindings = 100;
/// Long keys around many values make long pointers: all of them together may take this much.
constexpr std::size_t kMaxPointerBytes = 32U << 20U;

/// Plays events into values. Containers under construction and the ranges being played are on explicit stacks.
class Builder {
 public:
  Builder(const std::vector<Event>& events, const Limits& limits) : events_(events), limits_(limits) {}

  Checked<Document> build(Findings findings) {
    findings_ = std::move(findings);
    weigh();
    ranges_.emplace_back(0U, static_cast<std::uint32_t>(events_.size()));
    while (!ranges_.empty() && !stopped_) {
      if (ranges_.back().first == ranges_.back().second) {
        ranges_.pop_back();
        continue;
      }
      play(events_[ranges_.back().first++]);
    }
    Checked<Document> result;
    result.findings = std::move(findings_);
    if (!stopped_) result.value = std::move(document_);
    return result;
  }

 private:
  struct Open {
    json::Value value;
    std::string pointer;
    std::string key;
    bool map = false;
    bool has_key = false;
    bool drop = false;  // a duplicate: its value is read and forgotten
  };

  /// How many values the events stand for, without playing them.
  void weigh() {
    std::vector<std::uint64_t> values_before;  // each event
    values_before.reserve(events_.size());
    struct Level {
      bool map;
      bool wants_key;
    };
    std::vector<Level> levels;
    std::uint64_t total = 0;
    std::uint64_t aliased = 0;
    for (const auto& event : events_) {
      values_before.push_back(total);
      if (event.kind == Event::Kind::begin_map || event.kind == Event::Kind::begin_list) {
        ++total;
        const bool map = event.kind == Event::Kind::begin_map;
        levels.push_back({map, map});
        continue;
      }
      if (event.kind == Event::Kind::end_map || event.kind == Event::Kind::end_list) {
        levels.pop_back();
        if (!levels.empty()) levels.back().wants_key = levels.back().map;
        continue;
      }
      const bool is_key = !levels.empty() && levels.back().wants_key;
      if (!levels.empty()) levels.back().wants_key = levels.back().map && !is_key;
      if (is_key) continue;
      if (event.kind == Event::Kind::scalar) {
        ++total;
        continue;
      }
      // The last event of the range is the end of a container, or the one scalar.
      const auto weight = std::max<std::uint64_t>(1, values_before[event.end - 1] - values_before[event.begin]);
      total += weight;
      aliased += weight;
      if (aliased <= limits_.max_aliased && total <= limits_.max_nodes) continue;
      report(event.at, "", "yaml-limit",
             "The aliases of the document stand for more than " + std::to_string(limits_.max_aliased) + " values, or make it larger than " +
                 std::to_string(limits_.max_nodes) + ".");
      stopped_ = true;
      return;
    }
  }

  void play(const Event& event) {
    const bool wants_key = !open_.empty() && open_.back().map && !open_.back().has_key;
    switch (event.kind) {
      case Event::Kind::alias: ranges_.emplace_back(event.begin, event.end); return;
      case Event::Kind::scalar:
        if (wants_key) {
          key(event);
        } else {
          place(event);
          add(event.plain ? plain_value(event.text) : json::Value(event.text));
        }
        return;
      case Event::Kind::begin_map:
      case Event::Kind::begin_list:
        if (wants_key) {
          report(event.at, "", "yaml-syntax", "A key must be text, not a map or a list.");
          stopped_ = true;
          return;
        }
        begin(event);
        return;
      case Event::Kind::end_map:
      case Event::Kind::end_list: {
        json::Value done = std::move(open_.back().value);
        open_.pop_back();
        add(std::move(done));
        return;
      }
    }
  }

  void begin(const Event& event) {
    if (open_.size() >= limits_.max_depth) {
      report(event.at, "", "yaml-limit", "Values are nested more than " + std::to_string(limits_.max_depth) + " levels deep.");
      stopped_ = true;
      return;
    }
    std::string pointer = place(event);
    const bool map = event.kind == Event::Kind::begin_map;
    open_.push_back({map ? json::Value::object() : json::Value::array(), std::move(pointer), {}, map});
  }

  void key(const Event& event) {
    Open& open = open_.back();
    open.has_key = true;
    open.key = event.text;
    std::string pointer = json::pointer_child(open.pointer, open.key);
    open.drop = open.value.find(open.key) != nullptr;
    if (event.plain && event.text == "<<") {
      report(event.at, pointer, "yaml-merge-key",
             "Merge keys (`<<`) are not part of YAML 1.2: write the members out, or alias a whole value.");
      open.drop = true;
    } else if (open.drop) {
      report(event.at, pointer, "yaml-duplicate-key",
             "The key `" + open.key + "` stands twice in this map; the first is on line " +
                 std::to_string(document_.key_position(pointer).line) + ".");
    } else if (count(pointer, event.at)) {
      document_.keys.emplace(std::move(pointer), event.at);
    }
  }

  /// Counts the value that begins here and remembers where it stands. Returns its pointer.
  std::string place(const Event& event) {
    std::string pointer;
    if (!open_.empty()) {
      const Open& open = open_.back();
      pointer = open.map ? json::pointer_child(open.pointer, open.key) : json::pointer_child(open.pointer, open.value.size());
    }
    if (++nodes_ > limits_.max_nodes) {
      report(event.at, pointer, "yaml-limit",
             "The document has more than " + std::to_string(limits_.max_nodes) + " values once its aliases are expanded.");
      stopped_ = true;
    } else if (count(pointer, event.at)) {
      document_.values.emplace(pointer, event.at);
    }
    return pointer;
  }
  bool count(const std::string& pointer, Position at) {
    pointer_bytes_ += pointer.size();
    if (pointer_bytes_ <= kMaxPointerBytes) return true;
    if (!stopped_) report(at, "", "yaml-limit", "The keys of the document are too long for the number of values below them.");
    stopped_ = true;
    return false;
  }

  void add(json::Value value) {
    if (open_.empty()) {
      document_.value = std::move(value);
      return;
    }
    Open& open = open_.back();
    if (!open.map) {
      open.value.push_back(std::move(value));
      return;
    }
    open.has_key = false;
    if (!open.drop) open.value.set(open.key, std::move(value));
  }

  void report(Position at, std::string pointer, const char* rule, std::string message) {
    if (findings_.size() >= kMaxFindings) {
      stopped_ = true;
      return;
    }
    Finding finding = finding_at(at, rule, std::move(message));
    finding.pointer = std::move(pointer);
    findings_.push_back(std::move(finding));
  }

  const std::vector<Event>& events_;
  const Limits& limits_;
  Document document_;
  Findings findings_;
  std::vector<Open> open_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges_;
  std::size_t pointer_bytes_ = 0;
  std::uint32_t nodes_ = 0;
  bool stopped_ = false;
};

}  // namespace
}  // namespace detail

Checked<Document> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    Findings findings;
    findings.push_back(
        detail::finding_at({1, 1}, "yaml-limit", "The document is larger than " + std::to_string(limits.max_bytes) + " bytes."));
    return {std::nullopt, std::move(findings)};
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n");
  detail::Events events;
  if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) events = detail::read_json(text, limits);
  if (!events.complete && events.findings.empty()) events = detail::read_yaml(text, limits);
  if (!events.complete) return {std::nullopt, std::move(events.findings)};
  Checked<Document> result = detail::Builder(events.list, limits).build(std::move(events.findings));
  std::stable_sort(result.findings.begin(), result.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; });
  return result;
}

Position Document::position(std::string_view pointer) const {
  std::string at(pointer);
  while (true) {
    if (const auto found = values.find(at); found != values.end()) return found->second;
    const auto slash = at.rfind('/');
    if (slash == std::string::npos) return {};
    at.resize(slash);
  }
}

Position Document::key_position(std::string_view pointer) const {
  const auto found = keys.find(std::string(pointer));
  return found != keys.end() ? found->second : position(pointer);
}

}  // namespace pawl::yaml
