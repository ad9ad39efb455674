// Graphs of `steps[]` and `connections[]`. There, a condition put out `condition_met` and everything after it ran all the same; here it
// gates: what comes after runs only where it was met. A step's input is the run's input merged with what its sources put out.
#include <map>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/importers.hpp"

namespace pawl::catalog::detail {
namespace {

json::Value pass_on() { return json::Value::object({{"set", expression(".")}}); }

/// The condition as jq on the step's input; empty where it is none that exists.
std::string condition_of(const json::Value& config) {
  const auto kind = text_or(config, "condition_type", "");
  const auto& named = config.get("field");
  if (!named.is_string() || named.empty()) return {};
  std::string field = ".";
  std::string_view path = named.as_string();
  while (!path.empty()) {
    const auto dot = path.find('.');
    field += "[" + jq_text(path.substr(0, dot)) + "]?";
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  const auto value = json::Value::array({config.get("value")});
  std::string wanted;
  {
    auto text = std::string();
    const auto& only = value.at(0);
    if (only.is_string()) {
      text = jq_text(only.as_string());
    } else if (only.is_bool()) {
      text = only.as_bool() ? "true" : "false";
    } else if (only.is_integer()) {
      text = std::to_string(only.as_integer());
    } else if (only.is_number()) {
      text = std::to_string(only.as_double());
    } else if (only.is_null()) {
      text = "null";
    } else {
      return {};
    }
    wanted = text;
  }
  if (kind == "equals") return field + " == " + wanted;
  if (kind == "contains")
    return "(" + field + " // \"\" | if type == \"array\" then index(" + wanted + ") != null else tostring | contains(" + wanted +
           " | tostring) end)";
  const auto compared = [&](const char* sign) { return "((" + field + " | numbers) " + sign + " " + wanted + " // false)"; };
  if (kind == "greater_than" && value.at(0).is_number()) return compared(">");
  if (kind == "less_than" && value.at(0).is_number()) return compared("<");
  return {};
}

json::Value transform_of(const json::Value& config) {
  const auto kind = text_or(config, "transform_type", "");
  auto fields = json::Value::object();
  if (const auto& mapping = config.get("field_mapping"); kind == "map" && mapping.is_object()) {
    for (const auto& member : mapping.members()) {
      if (!member.value.is_string()) return {};
      fields.set(member.name(), expression(".[" + jq_text(member.value.as_string()) + "]"));
    }
    return json::Value::object({{"set", std::move(fields)}});
  }
  if (const auto& wanted = config.get("fields"); kind == "filter" && wanted.is_array()) {
    for (const auto& field : wanted.items()) {
      if (!field.is_string()) return {};
      fields.set(field.as_string(), expression(".[" + jq_text(field.as_string()) + "]"));
    }
    return json::Value::object({{"set", std::move(fields)}});
  }
  return {};
}

json::Value webhook_of(const json::Value& config) {
  const auto url = text_or(config, "url", "");
  if (url.empty()) return {};
  auto arguments =
      json::Value::object({{"method", text_or(config, "method", "POST")}, {"endpoint", json::Value::object({{"uri", literal(url)}})}});
  if (const auto& headers = config.get("headers"); headers.is_object() && !headers.empty()) arguments.set("headers", headers);
  if (arguments.get("method") != json::Value("GET")) arguments.set("body", expression("."));
  arguments.set("output", "response");
  return json::Value::object({{"call", "http"},
                              {"with", std::move(arguments)},
                              {"output", json::Value::object({{"as", expression("{status_code: .statusCode, response: .content}")}})}});
}

struct Converted {
  json::Value body;
  std::string condition;
  std::string why;  ///< it could not be converted
};

Converted convert(const json::Value& step) {
  const auto type = text_or(step, "type", "");
  const auto& config = step.get("config");
  Converted made;
  if (type == "trigger") {
    made.body = pass_on();
    return made;
  }
  if (type == "condition") {
    made.condition = condition_of(config);
    made.body = pass_on();
    if (made.condition.empty()) made.why = "its condition `" + text_or(config, "condition_type", "") + "` is not one that can be evaluated";
    return made;
  }
  const auto action = text_or(config, "action_type", "");
  if (type != "action") {
    made.why = "steps of type `" + type + "` do not exist here";
  } else if (action == "webhook") {
    made.body = webhook_of(config);
    if (made.body.is_null()) made.why = "the webhook has no `url`";
  } else if (action == "transform") {
    made.body = transform_of(config);
    if (made.body.is_null()) made.why = "its transformation is not one of `map` and `filter`";
  } else if (action == "create_event") {
    made.body = json::Value::object(
        {{"emit", json::Value::object(
                      {{"event", json::Value::object({{"with", json::Value::object({{"source", "https://pawl.invalid/imported"},
                                                                                    {"type", text_or(config, "event_type", "event")},
                                                                                    {"data", expression(".")}})}})}})}});
  } else if (action == "send_email") {
    made.why = "it only claimed to send e-mail; there is nothing to keep";
  } else {
    made.why = "actions of type `" + action + "` do not exist here";
  }
  return made;
}

}  // namespace

json::Value import_steps(const json::Value& source, Findings& findings) {
  Flow flow;
  flow.merge_base = "$workflow.input";
  TaskNames names;
  std::map<std::string, std::size_t> by_id;
  const auto& steps = source.get("steps");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps.at(i);
    FlowNode node;
    node.pointer = "/steps/" + std::to_string(i);
    if (!step.is_object()) {
      report(findings, node.pointer, "This is not a step and is left out.");
      continue;
    }
    const auto id = text_or(step, "id", "step-" + std::to_string(i + 1));
    node.name = names.take(text_or(step, "label", id));
    auto made = convert(step);
    if (!made.why.empty()) {
      report(findings, node.pointer, "The step `" + node.name + "` was not translated: " + made.why + ".");
      made.body = refusal("The step `" + node.name + "` was not translated: " + made.why + ".");
    } else if (!made.condition.empty()) {
      node.exit = "if " + made.condition + " then 0 else 1 end";
    }
    if (text_or(step, "type", "") == "trigger") {
      const auto kind = text_or(step.get("config"), "trigger_type", "manual");
      if (kind != "manual")
        report(findings, node.pointer, "The trigger `" + kind + "` is not kept: give the document a `schedule` or a webhook.");
    }
    node.body = std::move(made.body);
    if (!by_id.emplace(id, flow.nodes.size()).second)
      report(findings, node.pointer, "There are two steps with the id `" + id + "`; connections mean the first.");
    flow.nodes.push_back(std::move(node));
  }
  for (std::size_t i = 0; i < source.get("connections").size(); ++i) {
    const auto& connection = source.get("connections").at(i);
    const auto from = by_id.find(text_or(connection, "source", ""));
    const auto to = by_id.find(text_or(connection, "target", ""));
    if (from == by_id.end() || to == by_id.end()) {
      report(findings, "/connections/" + std::to_string(i), "This connection leads to a step that is not there and is left out.");
      continue;
    }
    FlowEdge edge{from->second, std::nullopt};
    if (!flow.nodes[from->second].exit.empty()) edge.exit = 0;
    flow.nodes[to->second].edges.push_back(edge);
  }
  for (auto& node : flow.nodes) {
    node.entry = node.edges.empty();
    node.merges = !node.entry;
  }
  auto made = document(text_or(source, "name", "imported"), text_or(source, "description", ""), task_list(std::move(flow), {}, findings));
  const auto& schedule = source.get("schedule_config");
  if (text_or(schedule, "type", "") == "cron" && schedule.get("cron").is_string()) {
    made.set("schedule", json::Value::object({{"cron", schedule.get("cron")}}));
  } else if (schedule.get("interval").is_integer()) {
    made.set("schedule", json::Value::object({{"every", json::Value::object({{"seconds", schedule.get("interval")}})}}));
  }
  return made;
}

}  // namespace pawl::catalog::detail
