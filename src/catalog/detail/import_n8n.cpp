// Exports of n8n. There a node runs once for every item that flows into it; here data flows as one value, and `splitInBatches` becomes a
// loop over the items of an array.
#include <algorithm>
#include <map>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/importers.hpp"
#include "catalog/detail/n8n_node.hpp"

namespace pawl::catalog::detail {
namespace {

constexpr std::size_t kMaxLinks = 5000;
constexpr std::size_t kMaxLoopDepth = 16;

struct Link {
  std::size_t from = 0;
  std::uint32_t exit = 0;
  std::size_t to = 0;
};

class Export {
 public:
  Export(const json::Value& source, Findings& findings) : source_(source), findings_(findings) {
    const auto& nodes = source.get("nodes");
    for (std::size_t i = 0; nodes.is_array() && i < nodes.size() && i < kMaxImportedNodes; ++i) {
      if (n8n_type(nodes.at(i)) == "stickyNote") continue;
      positions_.push_back(i);
      const auto name = text_or(nodes.at(i), "name", "Node " + std::to_string(i + 1));
      by_name_.emplace(name, positions_.size() - 1);
      tasks_.push_back(names_.take(name));
    }
    if (nodes.size() > kMaxImportedNodes) report(findings, "/nodes", "Only the first 1000 nodes are read.");
    read_links();
  }

  json::Value convert() {
    merge_triggers();
    find_neighbours();
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      if (!extra_triggers_.contains(i)) all.push_back(i);
    }
    auto made = document(text_or(source_, "name", "imported"), "", list_of(all, std::nullopt, {}));
    for (const auto i : all) {
      if (translated_.contains(i)) continue;
      report(findings_, pointer(i),
             "The node `" + tasks_[i] + "` was not translated: it stands in several loops at once, or too deep in them.");
    }
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      if (node(i).get("disabled").truthy()) continue;
      std::vector<std::string> notes;
      apply_n8n_trigger(node(i), made, notes);
      for (const auto& note : notes) report(findings_, pointer(i), "The trigger `" + tasks_[i] + "` " + note + ".");
    }
    name_secrets(made);
    return made;
  }

 private:
  [[nodiscard]] const json::Value& node(std::size_t i) const { return source_.get("nodes").at(positions_[i]); }
  [[nodiscard]] std::string pointer(std::size_t i) const { return "/nodes/" + std::to_string(positions_[i]); }

  void read_links() {
    const auto& connections = source_.get("connections");
    if (!connections.is_object()) return;
    for (const auto& member : connections.members()) {
      const auto from = by_name_.find(std::string(member.name()));
      if (from == by_name_.end() || !member.value.is_object()) continue;
      for (const auto& kind : member.value.members()) {
        if (kind.name() != "main") {
          report(findings_, pointer(from->second), "Connections of kind `" + std::string(kind.name()) + "` are left out.");
          continue;
        }
        read_exits(from->second, kind.value);
      }
    }
  }
  void read_exits(std::size_t from, const json::Value& exits) {
    for (std::size_t exit = 0; exits.is_array() && exit < exits.size(); ++exit) {
      const auto& targets = exits.at(exit);
      for (std::size_t n = 0; targets.is_array() && n < targets.size(); ++n) {
        if (++read_targets_ > kMaxLinks) {
          if (read_targets_ == kMaxLinks + 1) report(findings_, "/connections", "Only the first 5000 connections are read.");
          return;
        }
        const auto to = by_name_.find(text_or(targets.at(n), "node", ""));
        if (to == by_name_.end()) {
          report(findings_, pointer(from), "A connection leads to a node that is not there and is left out.");
          continue;
        }
        links_.push_back({from, static_cast<std::uint32_t>(exit), to->second});
      }
    }
  }

  [[nodiscard]] bool is_trigger(std::size_t i) const {
    JsContext context;
    return convert_n8n_node(node(i), context).is_trigger;
  }

  /// A run begins in one place: what the other triggers lead to follows from the first.
  void merge_triggers() {
    const auto targets = [&](std::size_t from) {
      std::set<std::size_t> found;
      for (const auto& link : links_) {
        if (link.from == from) found.insert(link.to);
      }
      return found;
    };
    std::optional<std::size_t> first;
    std::set<std::size_t> after_first;
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      if (!is_trigger(i)) continue;
      if (!first) {
        first = i;
        after_first = targets(i);
        continue;
      }
      extra_triggers_.insert(i);
      auto after = targets(i);
      const bool same = after == after_first;
      after_first.merge(after);
      if (!same) {
        report(findings_, pointer(i),
               "What follows from the trigger `" + tasks_[i] + "` runs whatever has started the run, as what follows from `" +
                   tasks_[*first] + "`.");
      }
      for (auto& link : links_) {
        if (link.from == i) link.from = *first;
      }
    }
  }

  void find_neighbours() {
    ahead_.resize(positions_.size());
    behind_.resize(positions_.size());
    for (const auto& link : links_) {
      ahead_[link.from].push_back(link);
      behind_[link.to].push_back(link);
    }
  }

  /// By node, without `from` itself.
  [[nodiscard]] std::vector<bool> reachable(std::size_t from, std::optional<std::uint32_t> exit, bool backwards) const {
    std::vector<bool> seen(positions_.size(), false);
    std::vector<std::size_t> open;
    const auto follow = [&](std::size_t current, std::optional<std::uint32_t> only) {
      for (const auto& link : (backwards ? behind_ : ahead_)[current]) {
        const auto next = backwards ? link.from : link.to;
        if ((only && link.exit != *only) || next == from || seen[next]) continue;
        seen[next] = true;
        open.push_back(next);
      }
    };
    follow(from, exit);
    while (!open.empty()) {
      const auto current = open.back();
      open.pop_back();
      follow(current, std::nullopt);
    }
    return seen;
  }

  /// The nodes that a loop repeats: on the way from its second exit back to it.
  const std::vector<std::size_t>& loop_body(std::size_t loop) {
    const auto [known, is_new] = bodies_.try_emplace(loop);
    if (!is_new) return known->second;
    const auto ahead = reachable(loop, 1, false);
    const auto behind = reachable(loop, std::nullopt, true);
    for (std::size_t i = 0; i < positions_.size(); ++i) {
      if (ahead[i] && behind[i]) known->second.push_back(i);
    }
    return known->second;
  }

  /// `loop`: the node whose body this is.
  json::Value list_of(const std::vector<std::size_t>& members, std::optional<std::size_t> loop, const std::set<std::string>& outer) {
    std::vector<bool> inside_loops(positions_.size(), false);  // belong to lists of their own
    for (const auto i : members) {
      if (n8n_type(node(i)) != "splitInBatches" || !is_new_loop(i)) continue;
      for (const auto inner : loop_body(i)) inside_loops[inner] = inside_loops[inner] || inner != loop;
    }
    Flow flow;
    std::map<std::size_t, std::size_t> place;
    for (const auto i : members) {
      if (inside_loops[i]) continue;
      place[i] = flow.nodes.size();
      flow.nodes.push_back(convert_node(i));
    }
    if (loop) flow.entry_input = "$item";
    for (const auto& link : links_) {
      const auto to = place.find(link.to);
      if (to == place.end()) continue;
      if (loop && link.from == *loop) {
        flow.nodes[to->second].entry = true;
        continue;
      }
      const auto from = place.find(link.from);
      if (from == place.end()) continue;
      FlowEdge edge{from->second, std::nullopt};
      if (!flow.nodes[from->second].exit.empty()) edge.exit = link.exit;
      flow.nodes[to->second].edges.push_back(edge);
    }
    for (auto& made : flow.nodes) {
      if (!loop && made.edges.empty()) made.entry = true;
      if (made.edges.size() < 2) made.merges = false;
    }
    return task_list(std::move(flow), outer, findings_);
  }

  [[nodiscard]] bool is_new_loop(std::size_t i) const {
    const auto& version = node(i).get("typeVersion");
    return version.is_number() && version.as_double() >= 3;
  }

  FlowNode convert_node(std::size_t i) {
    FlowNode made;
    made.name = tasks_[i];
    made.pointer = pointer(i);
    if (!translated_.insert(i).second) return untranslated(std::move(made), "it stands in several loops at once");
    JsContext context;
    context.task_of = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = by_name_.find(std::string(name));
      if (found == by_name_.end()) return std::nullopt;
      return tasks_[found->second];
    };
    auto task = convert_n8n_node(node(i), context);
    if (task.is_loop) task = loop_task(i);
    for (const auto& note : task.notes) report(findings_, made.pointer, "The node `" + made.name + "` " + note + ".");
    if (!task.why.empty()) return untranslated(std::move(made), task.why);
    made.body = std::move(task.body);
    made.exit = std::move(task.exit);
    made.merges = task.merges;
    made.references = std::move(context.references);
    return made;
  }

  FlowNode untranslated(FlowNode made, const std::string& why) {
    const auto sentence = "The node `" + made.name + "` was not translated: " + why + ".";
    report(findings_, made.pointer, sentence);
    made.body = refusal(sentence);
    return made;
  }

  N8nTask loop_task(std::size_t i) {
    N8nTask task;
    if (!is_new_loop(i)) {
      task.why = "loops of this old form are not translated";
      return task;
    }
    const auto& body = loop_body(i);
    if (body.empty()) {
      task.why = "nothing leads back to the loop";
      return task;
    }
    if (loop_depth_ == kMaxLoopDepth) {
      task.why = "loops are nested more than 16 deep";
      return task;
    }
    const auto& size = node(i).get("parameters").get("batchSize");
    if (size.is_integer() && size.as_integer() != 1) task.notes.emplace_back("takes its items one by one, not in batches");
    task.notes.emplace_back("puts out what its last round did");
    ++loop_depth_;
    auto list = list_of(body, i, {});
    --loop_depth_;
    task.body = json::Value::object(
        {{"for", json::Value::object({{"each", "item"}, {"in", expression("if type == \"array\" then . else [.] end")}})},
         {"do", std::move(list)}});
    return task;
  }

  /// Every `$secrets.X` that was written must be listed.
  static void name_secrets(json::Value& document) {
    std::set<std::string> found;
    std::vector<json::Value> open{document};
    while (!open.empty()) {
      const auto value = std::move(open.back());
      open.pop_back();
      if (value.is_string()) {
        for (const auto* name : {"N8N_USERNAME", "N8N_PASSWORD", "N8N_TOKEN"}) {
          if (value.as_string() == expression(std::string("$secrets.") + name)) found.insert(name);
        }
      } else if (value.is_array()) {
        for (const auto& item : value.items()) open.push_back(item);
      } else if (value.is_object()) {
        for (const auto& member : value.members()) open.push_back(member.value);
      }
    }
    if (found.empty()) return;
    auto names = json::Value::array();
    for (const auto& name : found) names.push_back(name);
    document.set("use", json::Value::object({{"secrets", std::move(names)}}));
  }

  const json::Value& source_;
  Findings& findings_;
  TaskNames names_;
  std::vector<std::size_t> positions_;  // in `nodes`, of those that become tasks
  std::vector<std::string> tasks_;
  std::map<std::string, std::size_t> by_name_;
  std::vector<Link> links_;
  std::size_t read_targets_ = 0;
  std::set<std::size_t> extra_triggers_;
  std::vector<std::vector<Link>> ahead_;                    // by node, where they begin
  std::vector<std::vector<Link>> behind_;                   // by node, where they end
  std::map<std::size_t, std::vector<std::size_t>> bodies_;  // of loops
  std::set<std::size_t> translated_;
  std::size_t loop_depth_ = 0;
};

}  // namespace

json::Value import_n8n(const json::Value& source, Findings& findings) { return Export(source, findings).convert(); }

}  // namespace pawl::catalog::detail
