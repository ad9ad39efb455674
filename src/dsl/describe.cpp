#include "dsl/describe.hpp"

#include <vector>

namespace pawl::dsl {
namespace {

class Drawing {
 public:
  explicit Drawing(const Plan& plan) : plan_(plan) {}

  json::Value draw() {
    lists_.push_back(&plan_.root.tasks);
    if (!plan_.finally.tasks.empty()) {
      lists_.push_back(&plan_.finally.tasks);
      if (!plan_.root.tasks.empty())
        edge(plan_.task(plan_.root.tasks.back()).reference, plan_.task(plan_.finally.tasks.front()).reference, "finally");
    }
    // Lists within lists are added while we go: no recursion.
    for (std::size_t i = 0; i < lists_.size(); ++i) list(*lists_[i]);
    return json::Value::object({{"nodes", std::move(nodes_)}, {"edges", std::move(edges_)}});
  }

 private:
  void edge(const std::string& from, const std::string& to, const std::string& label = {}) {
    json::Value made = json::Value::object({{"from", json::Value(from)}, {"to", json::Value(to)}});
    if (!label.empty()) made.set("label", json::Value(label));
    edges_.push_back(std::move(made));
  }
  void node(const Task& task) {
    json::Value made =
        json::Value::object({{"id", json::Value(task.reference)}, {"name", json::Value(task.name)}, {"type", json::Value(task.type)}});
    if (task.parent != kNoTask) made.set("parent", json::Value(plan_.task(task.parent).reference));
    nodes_.push_back(std::move(made));
  }
  void flow(const Task& task, const Flow& flow, const std::vector<TaskIndex>& list, std::size_t position, const std::string& label) {
    switch (flow.kind) {
      case Flow::Kind::next:
        if (position + 1 < list.size()) edge(task.reference, plan_.task(list[position + 1]).reference, label);
        break;
      case Flow::Kind::jump:
        if (flow.target < list.size()) edge(task.reference, plan_.task(list[flow.target]).reference, label);
        break;
      case Flow::Kind::end: edge(task.reference, "end", label); break;
      case Flow::Kind::exit: break;
    }
  }

  void list(const std::vector<TaskIndex>& tasks) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const Task& task = plan_.task(tasks[i]);
      node(task);
      bool continues = true;
      if (const auto* choice = std::get_if<SwitchTask>(&task.body)) {
        for (const SwitchCase& one : choice->cases) {
          flow(task, one.then, tasks, i, one.name);
          continues = continues && one.when.has_value();
        }
      }
      if (continues) flow(task, task.then, tasks, i, {});
      if (const auto* attempt = std::get_if<TryTask>(&task.body); attempt && attempt->handler.then) {
        flow(task, *attempt->handler.then, tasks, i, "error");
      }
    }
    for (const TaskIndex index : tasks) below(plan_.task(index));
  }

  void below(const Task& task) {
    if (!task.compensation.tasks.empty()) lists_.push_back(&task.compensation.tasks);
    if (const auto* body = std::get_if<DoTask>(&task.body)) lists_.push_back(&body->tasks.tasks);
    if (const auto* body = std::get_if<ForTask>(&task.body)) lists_.push_back(&body->tasks.tasks);
    if (const auto* body = std::get_if<ForkTask>(&task.body)) side_by_side(body->branches);
    if (const auto* body = std::get_if<TryTask>(&task.body)) {
      lists_.push_back(&body->tasks.tasks);
      if (body->handler.tasks) lists_.push_back(&body->handler.tasks->tasks);
    }
    if (const auto* body = std::get_if<ListenTask>(&task.body); body && body->foreach) lists_.push_back(&body->foreach->tasks.tasks);
    if (const auto* body = std::get_if<CallTask>(&task.body); body && body->foreach) lists_.push_back(&body->foreach->tasks.tasks);
    if (const auto* body = std::get_if<GraphTask>(&task.body)) {
      for (const GraphNode& one : body->nodes) {
        const Task& target = plan_.task(one.task);
        node(target);
        for (const auto& dependency : one.depends_on) {
          edge(plan_.task(body->nodes[dependency.node].task).reference, target.reference, dependency.must_complete ? "completed" : "");
        }
      }
      for (const GraphNode& one : body->nodes) below(plan_.task(one.task));
    }
  }
  void side_by_side(const std::vector<TaskIndex>& branches) {
    for (const TaskIndex index : branches) {
      node(plan_.task(index));
      below(plan_.task(index));
    }
  }

  const Plan& plan_;
  json::Value nodes_ = json::Value::array();
  json::Value edges_ = json::Value::array();
  std::vector<const std::vector<TaskIndex>*> lists_;
};

}  // namespace

json::Value graph(const Plan& plan) { return Drawing(plan).draw(); }

}  // namespace pawl::dsl
