#include "catalog/detail/import_flow.hpp"

#include <algorithm>
#include <array>

#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

/// Sources first, else in the order of the source; what stands on a circle comes last.
struct Order {
  std::vector<std::size_t> sequence;
  std::set<std::size_t> on_circles;
};

Order order_of(const std::vector<FlowNode>& nodes) {
  Order order;
  std::vector<bool> placed(nodes.size(), false);
  for (bool progress = true; progress;) {
    progress = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto& edges = nodes[i].edges;
      if (placed[i] || !std::all_of(edges.begin(), edges.end(), [&](const FlowEdge& edge) { return placed[edge.source]; })) continue;
      placed[i] = true;
      order.sequence.push_back(i);
      progress = true;
      break;  // from the beginning: the order of the source decides among those that can be next
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (placed[i]) continue;
    order.sequence.push_back(i);
    order.on_circles.insert(i);
  }
  return order;
}

class ListWriter {
 public:
  ListWriter(Flow& flow, const std::set<std::string>& outer)
      : flow_(flow), order_(order_of(flow.nodes)), always_(flow.nodes.size(), false) {
    for (const auto i : order_.sequence) always_[i] = runs_always(flow_.nodes[i]);
    for (std::size_t at = 0; at < order_.sequence.size(); ++at) {
      const auto& node = flow_.nodes[order_.sequence[at]];
      wanted_.insert(node.references.begin(), node.references.end());
      for (const auto& edge : node.edges) {
        if (!is_direct(at, node)) wanted_.insert(flow_.nodes[edge.source].name);
      }
    }
    wanted_.insert(outer.begin(), outer.end());
    keeps_anything_ =
        !wanted_.empty() || std::any_of(flow.nodes.begin(), flow.nodes.end(), [](const FlowNode& node) { return !node.exit.empty(); });
  }

  json::Value write(Findings& findings) {
    auto list = json::Value::array();
    for (std::size_t at = 0; at < order_.sequence.size(); ++at) {
      auto& node = flow_.nodes[order_.sequence[at]];
      if (order_.on_circles.contains(order_.sequence[at])) {
        report(findings, node.pointer, "`" + node.name + "` stands on a circle of connections: there is no way to run it.");
        node.body = refusal("`" + node.name + "` stands on a circle of connections.");
        node.edges.clear();
        node.exit.clear();
        node.references.clear();
        list.push_back(json::Value::object({{node.name, node.body}}));
        continue;
      }
      list.push_back(json::Value::object({{node.name, task_of(at, node)}}));
    }
    return list;
  }

 private:
  [[nodiscard]] bool runs_always(const FlowNode& node) const {
    if (node.entry || node.edges.empty()) return true;
    return std::any_of(node.edges.begin(), node.edges.end(), [&](const FlowEdge& edge) { return !edge.exit && always_[edge.source]; });
  }
  /// Its input is what flows to it anyway: the one source stands right before it and always runs.
  [[nodiscard]] bool is_direct(std::size_t at, const FlowNode& node) const {
    return at > 0 && node.edges.size() == 1 && !node.merges && !node.edges[0].exit && node.edges[0].source == order_.sequence[at - 1] &&
           always_[node.edges[0].source];
  }
  [[nodiscard]] std::string condition_of(const FlowNode& node) const {
    std::string condition;
    for (const auto& edge : node.edges) {
      const auto& source = flow_.nodes[edge.source];
      if (!condition.empty()) condition += " or ";
      if (edge.exit) {
        condition += "$context[" + jq_text(source.name + "#exit") + "] == " + std::to_string(*edge.exit);
      } else {
        condition += "($context | has(" + jq_text(source.name) + "))";
      }
    }
    return condition;
  }
  [[nodiscard]] std::string input_of(std::size_t at, const FlowNode& node) const {
    if (node.edges.empty()) return node.entry ? flow_.entry_input : std::string();
    if (is_direct(at, node)) return {};
    std::string all = node.merges ? flow_.merge_base : std::string();
    for (const auto& edge : node.edges) {
      const auto& source = flow_.nodes[edge.source];
      auto output = output_of(source.name);
      // One that was not taken has nothing to say, although the node in front of it has run.
      if (edge.exit && node.edges.size() > 1) {
        output =
            "(if $context[" + jq_text(source.name + "#exit") + "] == " + std::to_string(*edge.exit) + " then " + output + " else null end)";
      }
      all += (all.empty() ? "" : ", ") + output;
    }
    if (node.edges.size() == 1 && !node.merges) return all;
    if (node.merges) return "[" + all + "] | map(objects) | add // {}";
    return "[" + all + "] | map(select(. != null)) | first";
  }

  json::Value task_of(std::size_t at, const FlowNode& node) const {
    auto task = json::Value::object();
    if (!runs_always(node)) task.set("if", expression(condition_of(node)));
    if (const auto input = input_of(at, node); !input.empty()) task.set("input", json::Value::object({{"from", expression(input)}}));
    for (const auto& member : node.body.members()) task.set(member.name(), member.value);
    const bool kept = wanted_.contains(node.name);
    const bool forks = !node.exit.empty();
    // A run's context begins as its input, whose members are no outputs.
    const bool begins = at == 0 && flow_.entry_input.empty() && keeps_anything_;
    if (kept || forks || begins) {
      std::string kept_members;
      if (kept) kept_members = jq_text(node.name) + ": .";
      if (forks) kept_members += (kept ? ", " : "") + jq_text(node.name + "#exit") + ": (" + node.exit + ")";
      task.set("export", json::Value::object({{"as", expression((begins ? "{" : "$context + {") + kept_members + "}")}}));
    }
    return task;
  }

  Flow& flow_;
  Order order_;
  std::vector<bool> always_;
  std::set<std::string> wanted_;
  bool keeps_anything_ = false;
};

}  // namespace

std::string jq_text(std::string_view text) {
  std::string out;
  json::append_quoted(out, text);
  return out;
}

std::string expression(std::string_view jq) { return "${ " + std::string(jq) + " }"; }

std::string output_of(std::string_view name) { return "$context[" + jq_text(name) + "]"; }

json::Value literal(std::string_view text) {
  if (text.find("${") == std::string_view::npos) return text;
  return expression(jq_text(text));
}

json::Value refusal(std::string_view why) {
  return json::Value::object(
      {{"raise",
        json::Value::object({{"error", json::Value::object({{"type", "https://serverlessworkflow.io/spec/1.0.0/errors/configuration"},
                                                            {"status", 400},
                                                            {"title", "Not imported"},
                                                            {"detail", literal(why)}})}})}});
}

void report(Findings& findings, std::string pointer, std::string message) {
  Finding finding;
  finding.severity = Severity::warning;
  finding.pointer = std::move(pointer);
  finding.message = std::move(message);
  finding.rule = "import";
  findings.push_back(std::move(finding));
}

json::Value task_list(Flow flow, const std::set<std::string>& outer, Findings& findings) { return ListWriter(flow, outer).write(findings); }

std::string TaskNames::take(std::string_view wanted) {
  static constexpr std::array<std::string_view, 3> kDirectives{"end", "exit", "continue"};
  std::string name(wanted.substr(0, 100));
  if (name.empty()) name = "task";
  if (std::find(kDirectives.begin(), kDirectives.end(), name) != kDirectives.end()) name += "-task";
  auto unique = name;
  for (int twin = 2; taken_.contains(unique); ++twin) unique = name + " " + std::to_string(twin);
  taken_.insert(unique);
  return unique;
}

json::Value document(std::string_view name, std::string_view summary, json::Value tasks) {
  // The name of a document is a DNS label; what people called it is its title.
  std::string label;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (fits) {
      label += lower;
    } else if (!label.empty() && label.back() != '-') {
      label += '-';
    }
    if (label.size() == 63) break;
  }
  while (!label.empty() && label.back() == '-') label.pop_back();
  if (label.empty()) label = "imported";
  auto head = json::Value::object({{"dsl", "1.0.3"}, {"namespace", "imported"}, {"name", label}, {"version", "1.0.0"}});
  if (label != name && !name.empty()) head.set("title", name);
  if (!summary.empty()) head.set("summary", summary);
  return json::Value::object({{"document", std::move(head)}, {"do", std::move(tasks)}});
}

}  // namespace pawl::catalog::detail
