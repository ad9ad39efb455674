// `transform`: a jq expression over a value or over each of its items; filters, sorts and groups on the way.

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "functions/detail/builtins.hpp"
#include "jq/jq.hpp"
#include "json/size.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxItems = 1'000'000;
constexpr std::size_t kMaxBytes = 128U << 20U;  // of all results, as text

// The compiled expressions of one call and what they may use.
class Work {
 public:
  static Result<Work> compile(const engine::Invocation& call) {
    Work work;
    const json::Value& arguments = call.arguments;
    std::vector<std::string_view> names;
    if (const json::Value& variables = arguments.get("variables"); variables.is_object()) {
      for (const json::Member& member : variables.members()) {
        names.push_back(member.name());
        work.variables_.push_back(member.value);
      }
    }
    const auto read = [&](std::string_view name, std::optional<jq::Program>& into) -> Result<void> {
      if (!arguments.get(name).is_string()) return boost::system::in_place_value;
      auto program = jq::compile(arguments.get(name).as_string(), names);
      if (program.has_error()) {
        return Error(ErrorClass::invalid, program.error().code, fmt::format("`{}`: {}", name, program.error().message));
      }
      into = std::move(program).value();
      return boost::system::in_place_value;
    };
    PAWL_TRY_VOID(read("expression", work.expression_));
    PAWL_TRY_VOID(read("filter", work.filter_));
    PAWL_TRY_VOID(read("sort_by", work.sort_by_));
    PAWL_TRY_VOID(read("group_by", work.group_by_));
    work.now_ = call.now;
    work.descending_ = flag_or(arguments, "descending", false);
    work.all_ = flag_or(arguments, "all", false);
    work.each_ =
        flag_or(arguments, "each", false) || work.filter_ || work.sort_by_ || work.group_by_ || arguments.get("limit").is_integer();
    if (arguments.get("limit").is_integer()) work.limit_ = static_cast<std::size_t>(arguments.get("limit").as_integer());
    return work;
  }

  Result<json::Value> run(json::Value input, const Clock& clock, Millis time, const std::atomic<bool>& cancelled) const {
    if (!each_) {
      Room room;
      return all_ ? results(*expression_, std::move(input), room) : first(*expression_, std::move(input));
    }
    if (!input.is_array()) return Error(ErrorClass::invalid, "transform.input", "the input is no array, so it has no items");
    const TimePoint deadline = clock.now() + time;
    const GoOn go_on = [&]() -> Result<void> {
      if (cancelled.load(std::memory_order_relaxed)) return Error(ErrorClass::unavailable, "transform.cancelled", "the call was cancelled");
      if (clock.now() >= deadline) return Error(ErrorClass::timeout, "transform.timeout", "the time for this call is up");
      return boost::system::in_place_value;
    };
    std::vector<json::Value> items;
    Room room;
    for (const json::Value& item : input.items()) {
      PAWL_TRY_VOID(go_on());
      if (filter_) {
        PAWL_TRY(wanted, first(*filter_, item));
        if (!wanted.truthy()) continue;
      }
      PAWL_TRY_VOID(add(items, item, room));
      if (items.size() > kMaxItems) return Error(ErrorClass::too_large, "transform.items", "there are too many results");
    }
    if (sort_by_) PAWL_TRY_VOID(sort(items, go_on));
    if (limit_ && items.size() > *limit_) items.resize(*limit_);
    return group_by_ ? grouped(items, go_on) : json::Value::array(std::move(items));
  }

 private:
  using GoOn = std::function<Result<void>()>;  // an error where the call is over

  /// What is left for results: an evaluation has limits of its own, and each begins a new one.
  class Room {
   public:
    [[nodiscard]] Result<void> take(const json::Value& value) {
      if (json::larger_than(value, left_)) {
        return Error(ErrorClass::too_large, "transform.too_large", fmt::format("the results are larger than {} bytes", kMaxBytes));
      }
      left_ -= std::min(left_, json::rough_size(value));
      return boost::system::in_place_value;
    }

   private:
    std::size_t left_ = kMaxBytes;
  };

  [[nodiscard]] jq::Context context() const { return {.variables = variables_, .now = now_}; }
  [[nodiscard]] Result<json::Value> first(const jq::Program& program, json::Value input) const {
    return jq::first(program, std::move(input), context());
  }
  [[nodiscard]] Result<json::Value> results(const jq::Program& program, json::Value input, Room& room) const {
    jq::Evaluation evaluation(program, std::move(input), context());
    json::Value list = json::Value::array();
    while (true) {
      PAWL_TRY(next, evaluation.next());
      if (!next) return list;
      PAWL_TRY_VOID(room.take(*next));
      list.push_back(std::move(*next));
      if (list.size() > kMaxItems) return Error(ErrorClass::too_large, "transform.items", "there are too many results");
    }
  }
  [[nodiscard]] Result<void> add(std::vector<json::Value>& items, const json::Value& item, Room& room) const {
    if (!expression_) {
      items.push_back(item);
    } else if (all_) {
      PAWL_TRY(list, results(*expression_, item, room));
      items.insert(items.end(), list.items().begin(), list.items().end());
    } else {
      PAWL_TRY(value, first(*expression_, item));
      PAWL_TRY_VOID(room.take(value));
      items.push_back(std::move(value));
    }
    return boost::system::in_place_value;
  }
  [[nodiscard]] Result<void> sort(std::vector<json::Value>& items, const GoOn& go_on) const {
    std::vector<std::pair<json::Value, json::Value>> keyed;
    keyed.reserve(items.size());
    for (json::Value& item : items) {
      PAWL_TRY_VOID(go_on());
      PAWL_TRY(key, first(*sort_by_, item));
      keyed.emplace_back(std::move(key), std::move(item));
    }
    std::stable_sort(keyed.begin(), keyed.end(), [this](const auto& left, const auto& right) {
      const int order = json::compare(left.first, right.first);
      return descending_ ? order > 0 : order < 0;
    });
    std::transform(keyed.begin(), keyed.end(), items.begin(), [](auto& pair) { return std::move(pair.second); });
    return boost::system::in_place_value;
  }
  // Groups in the order of their keys, items in the order they had.
  [[nodiscard]] Result<json::Value> grouped(const std::vector<json::Value>& items, const GoOn& go_on) const {
    std::vector<std::pair<json::Value, json::Value>> keyed;
    keyed.reserve(items.size());
    for (const json::Value& item : items) {
      PAWL_TRY_VOID(go_on());
      PAWL_TRY(key, first(*group_by_, item));
      keyed.emplace_back(std::move(key), item);
    }
    std::stable_sort(keyed.begin(), keyed.end(),
                     [](const auto& left, const auto& right) { return json::compare(left.first, right.first) < 0; });
    json::Value groups = json::Value::array();
    for (std::size_t i = 0; i < keyed.size();) {
      json::Value members = json::Value::array();
      const std::size_t begin = i;
      for (; i < keyed.size() && json::compare(keyed[i].first, keyed[begin].first) == 0; ++i) members.push_back(keyed[i].second);
      const std::size_t count = members.size();
      groups.push_back(json::Value::object({{"key", keyed[begin].first}, {"items", std::move(members)}, {"count", count}}));
    }
    return groups;
  }

  std::optional<jq::Program> expression_;
  std::optional<jq::Program> filter_;
  std::optional<jq::Program> sort_by_;
  std::optional<jq::Program> group_by_;
  std::vector<json::Value> variables_;
  std::optional<TimePoint> now_;
  std::optional<std::size_t> limit_;
  bool descending_ = false;
  bool all_ = false;
  bool each_ = false;
};

class Transform final : public Builtin {
 public:
  explicit Transform(const Parts& parts)
      : Builtin({.name = "transform",
                 .summary = "Maps a value, or each item of a list, by a jq expression; filters, sorts and groups lists",
                 .parameters = literal(R"json({
                   "type": "object",
                   "properties": {
                     "expression": {"type": "string", "minLength": 1, "description": "jq; its first result counts. Written without ${ }, which the workflow would evaluate itself"},
                     "input": {"description": "what to transform; default: the task's input"},
                     "each": {"type": "boolean", "default": false, "description": "apply to every item of a list"},
                     "all": {"type": "boolean", "default": false, "description": "all results of the expression, as a list"},
                     "variables": {"type": "object", "description": "name to value: $name in the expressions",
                                   "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
                     "filter": {"type": "string", "minLength": 1, "description": "jq: keeps the items for which it is true (before the expression)"},
                     "sort_by": {"type": "string", "minLength": 1, "description": "jq: the key to sort the results by"},
                     "descending": {"type": "boolean", "default": false},
                     "group_by": {"type": "string", "minLength": 1, "description": "jq: the key to group the results by, as {key, items, count}"},
                     "limit": {"type": "integer", "minimum": 0, "description": "so many results at most, after sorting"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s; looked at between items"}
                   },
                   "anyOf": [{"required": ["expression"]}, {"required": ["filter"]}, {"required": ["sort_by"]}, {"required": ["group_by"]}],
                   "additionalProperties": false
                 })json"),
                 .output = literal(
                     R"json({"description": "what the expression gives: for each, filter, sort_by, group_by and limit a list"})json"),
                 .examples = literal(R"json([
                   {"expression": ".a + .b", "input": {"a": 1, "b": 2}},
                   {"expression": "{name, total: (.price * .count * $rate)}", "each": true, "variables": {"rate": 1.19},
                    "input": [{"name": "x", "price": 2, "count": 3}]},
                   {"filter": ".age >= 18", "sort_by": ".age", "descending": true, "limit": 10, "input": [{"age": 17}, {"age": 40}]}
                 ])json")}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::pure; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY_VOID(Work::compile(call));
    return json::Value::array({json::Value::object({{"action", "transform"}, {"expression", call.arguments.get("expression")}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto work = Work::compile(call);
    auto time = duration_argument(call.arguments, "timeout");
    if (work.has_error() || time.has_error()) {
      done(failed(work.has_error() ? work.error() : time.error()));
      return {};
    }
    json::Value input = call.arguments.find("input") != nullptr ? call.arguments.get("input") : call.input;
    // A heavy expression takes a second: not on a shard.
    auto job = [work = std::move(work).value(), input = std::move(input),
                time = std::min(time->value_or(Millis(30'000)), parts_.options.process_timeout),
                &clock = parts_.dependencies.clock](const std::atomic<bool>& cancelled) {
      auto result = work.run(input, clock, time, cancelled);
      return result.has_value() ? engine::Outcome::success(std::move(result).value()) : failed(result.error());
    };
    return run_on_pool(parts_.dependencies.pool, std::move(job), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_transform(const Parts& parts) { return std::make_unique<Transform>(parts); }

}  // namespace pawl::functions
