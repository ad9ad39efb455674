#include "simulation/sim_workflow.hpp"

namespace pawl::simulation {
namespace {

using json::Value;

class Author {
 public:
  Author(Dice& dice, bool with_children) : dice_(dice), with_children_(with_children) {}

  [[nodiscard]] Value tasks(std::uint32_t depth) {
    auto list = Value::array();
    const auto count = 1 + dice_.below(depth == 0 ? 5 : 3);
    for (std::uint32_t i = 0; i < count; ++i) list.push_back(named(task(depth)));
    return list;
  }

 private:
  [[nodiscard]] std::string name() { return "t" + std::to_string(++count_); }
  [[nodiscard]] Value named(Value task) { return Value::object({{name(), std::move(task)}}); }

  [[nodiscard]] Value task(std::uint32_t depth) {
    const auto kind = dice_.below(depth < 2 ? 16 : 8);
    if (kind < 5) return call(0);
    if (kind == 5)
      return Value::object(
          {{"wait", Value::object({{"milliseconds", dice_.chance(30) ? 20'000 + dice_.below(50'000) : dice_.below(200)}})}});
    if (kind == 6) return Value::object({{"set", Value::object({{"n", dice_.below(1000)}})}});
    if (kind == 7) return flaky();
    if (kind == 8) return Value::object({{"do", tasks(depth + 1)}});
    if (kind == 9) return loop(depth);
    if (kind == 10 || kind == 11) return fork(depth);
    if (kind == 12) return listen();
    if (kind == 13) return emit();
    if (kind == 14 && with_children_) return child();
    return rescue(depth);
  }

  [[nodiscard]] Value call(std::uint32_t failures) {
    static constexpr std::string_view kClasses[] = {"pure", "read", "idempotent", "once"};
    // A step that is to fail and be tried again must not be one that may run but once.
    const auto effect = kClasses[dice_.below(failures > 0 ? 3 : 4)];
    return Value::object(
        {{"call", "step"},
         {"with", Value::object({{"name", name()}, {"effect", effect}, {"failures", failures}, {"inline", dice_.chance(40)}})},
         {"metadata", Value::object({{"effect", effect}})}});
  }

  /// Fails a few times and is retried.
  [[nodiscard]] Value flaky() {
    auto retry = Value::object({{"delay", Value::object({{"milliseconds", dice_.below(300)}})},
                                {"limit", Value::object({{"attempt", Value::object({{"count", 4}})}})}});
    return Value::object(
        {{"try", Value::array({named(call(1 + dice_.below(3)))})}, {"catch", Value::object({{"retry", std::move(retry)}})}});
  }

  /// Fails for good and is caught.
  [[nodiscard]] Value rescue(std::uint32_t depth) {
    return Value::object({{"try", Value::array({named(call(1000))})}, {"catch", Value::object({{"do", tasks(depth + 1)}})}});
  }

  [[nodiscard]] Value loop(std::uint32_t depth) {
    return Value::object({{"for", Value::object({{"each", "item"}, {"in", "${ [1, 2, 3] }"}})}, {"do", tasks(depth + 1)}});
  }

  [[nodiscard]] Value fork(std::uint32_t depth) {
    auto branches = Value::array();
    const auto count = 2 + dice_.below(3);
    for (std::uint32_t i = 0; i < count; ++i) branches.push_back(named(task(depth + 1)));
    return Value::object({{"fork", Value::object({{"branches", std::move(branches)}})}});
  }

  [[nodiscard]] static Value constant_output(Value task) {
    // What a message holds depends on the moment.
    task.set("output", Value::object({{"as", Value::object({{"heard", true}})}}));
    return task;
  }
  [[nodiscard]] static Value listen() {
    auto one = Value::object({{"one", Value::object({{"with", Value::object({{"type", "ping"}})}})}});
    return constant_output(Value::object({{"listen", Value::object({{"to", std::move(one)}})}}));
  }
  [[nodiscard]] static Value emit() {
    auto event = Value::object({{"with", Value::object({{"type", "ping"}, {"source", "https://example.com/sim"}, {"data", 1}})}});
    return constant_output(Value::object({{"emit", Value::object({{"event", std::move(event)}})}}));
  }
  [[nodiscard]] static Value child() {
    auto workflow =
        Value::object({{"namespace", "sim"}, {"name", "child"}, {"version", "1.0.0"}, {"input", Value::object({{"from", "parent"}})}});
    return Value::object({{"run", Value::object({{"workflow", std::move(workflow)}})}});
  }

  Dice& dice_;
  bool with_children_;
  std::uint32_t count_ = 0;
};

}  // namespace

Value random_workflow(Dice& dice, bool with_children) {
  const auto* const name = with_children ? "parent" : "child";
  auto document = Value::object({{"dsl", "1.0.0"}, {"namespace", "sim"}, {"name", name}, {"version", "1.0.0"}});
  return Value::object({{"document", std::move(document)}, {"do", Author(dice, with_children).tasks(0)}});
}

}  // namespace pawl::simulation
