#include "catalog/detail/n8n_node.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/importers.hpp"
#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

using Object = json::Value;

json::Value pass_on() { return Object::object({{"set", expression(".")}}); }

N8nTask refused(std::string why) {
  N8nTask task;
  task.why = std::move(why);
  return task;
}
N8nTask of_body(json::Value body) {
  N8nTask task;
  task.body = std::move(body);
  return task;
}

const json::Value& parameters_of(const json::Value& node) { return node.get("parameters"); }

// ---- http -----------------------------------------------------------------------------------------------------------------------

/// `{parameters: [{name, value}]}` as an object of converted values.
std::optional<json::Value> pairs_of(const json::Value& list, JsContext& context) {
  auto pairs = Object::object();
  const auto& items = list.get("parameters");
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto value = convert_parameter(items.at(i).get("value"), context);
    if (!value) return std::nullopt;
    pairs.set(text_or(items.at(i), "name", ""), std::move(*value));
  }
  return pairs;
}

/// Credentials never come with an export: what they were becomes secrets that the document names. Nothing where the kind is not known.
std::optional<json::Value> authentication_of(const json::Value& parameters, std::vector<std::string>& notes) {
  const auto kind = text_or(parameters, "genericAuthType", "");
  if (kind == "httpBasicAuth") {
    notes.emplace_back("reads the secrets `N8N_USERNAME` and `N8N_PASSWORD`, which must be provided");
    return Object::object({{"basic", Object::object({{"username", expression("$secrets.N8N_USERNAME")},
                                                     {"password", expression("$secrets.N8N_PASSWORD")}})}});
  }
  if (kind == "httpBearerAuth") {
    notes.emplace_back("reads the secret `N8N_TOKEN`, which must be provided");
    return Object::object({{"bearer", Object::object({{"token", expression("$secrets.N8N_TOKEN")}})}});
  }
  return std::nullopt;
}

N8nTask http_request(const json::Value& node, JsContext& context) {
  const auto& parameters = parameters_of(node);
  N8nTask task;
  auto uri = convert_parameter(parameters.get("url"), context);
  if (!uri) return refused("its URL: " + context.why);
  auto endpoint = Object::object({{"uri", *uri}});
  if (const auto kind = text_or(parameters, "authentication", "none"); kind != "none") {
    auto authentication = kind == "genericCredentialType" ? authentication_of(parameters, task.notes) : std::nullopt;
    if (!authentication) return refused("its credentials are of a kind that an export does not describe");
    endpoint.set("authentication", std::move(*authentication));
  }
  const auto& wanted = parameters.get("method").is_null() ? parameters.get("requestMethod") : parameters.get("method");
  auto method = convert_parameter(wanted.is_null() ? json::Value("GET") : wanted, context);
  if (!method) return refused("its method: " + context.why);
  auto arguments = Object::object({{"method", std::move(*method)}, {"endpoint", std::move(endpoint)}});
  for (const auto& [ours, theirs] : {std::pair("headers", "headerParameters"), std::pair("query", "queryParameters")}) {
    auto pairs = pairs_of(parameters.get(theirs), context);
    if (!pairs) return refused(std::string("its ") + ours + ": " + context.why);
    if (!pairs->empty()) arguments.set(ours, std::move(*pairs));
  }
  if (parameters.get("sendBody").truthy()) {
    auto body = parameters.get("jsonBody").is_null() ? pairs_of(parameters.get("bodyParameters"), context)
                                                     : convert_parameter(parameters.get("jsonBody"), context);
    if (!body) return refused("its body: " + context.why);
    if (body->is_string() && text_or(parameters, "contentType", "json") == "json") {
      auto headers = arguments.get("headers").is_object() ? arguments.get("headers") : Object::object();
      if (headers.get("Content-Type").is_null()) headers.set("Content-Type", "application/json");
      arguments.set("headers", std::move(headers));
    }
    arguments.set("body", std::move(*body));
  }
  task.body = Object::object({{"call", "http"}, {"with", std::move(arguments)}});
  return task;
}

// ---- set --------------------------------------------------------------------------------------------------------------------------

struct Assignment {
  std::string path;
  std::string jq;
};

/// All forms that versions of the node have had.
std::optional<std::vector<Assignment>> assignments_of(const json::Value& parameters, JsContext& context) {
  std::vector<Assignment> made;
  const auto take = [&](const json::Value& item) {
    auto jq = parameter_to_jq(item.get("value"), context);
    if (!jq) return false;
    const auto kind = text_or(item, "type", "");
    const bool is_expression = item.get("value").is_string() && item.get("value").as_string().starts_with('=');
    if (!is_expression && item.get("value").is_string() && (kind == "number" || kind == "boolean" || kind == "object" || kind == "array")) {
      jq = jq_text(item.get("value").as_string()) + " | fromjson";
    }
    made.push_back({text_or(item, "name", ""), "(" + *jq + ")"});
    return true;
  };
  for (const auto* list : {"assignments", "values"}) {
    const auto& holder = parameters.get(list);
    const auto& items = holder.get("assignments");
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!take(items.at(i))) return std::nullopt;
    }
    for (const auto* kind : {"string", "number", "boolean"}) {
      const auto& typed = holder.get(kind);
      for (std::size_t i = 0; typed.is_array() && i < typed.size(); ++i) {
        if (!take(typed.at(i))) return std::nullopt;
      }
    }
  }
  return made;
}

N8nTask set_fields(const json::Value& node, JsContext& context) {
  const auto& parameters = parameters_of(node);
  if (text_or(parameters, "mode", "manual") == "raw") {
    const auto jq = parameter_to_jq(parameters.get("jsonOutput"), context);
    if (!jq) return refused("its JSON: " + context.why);
    return of_body(Object::object({{"set", expression("(" + *jq + ") | if type == \"string\" then fromjson else . end")}}));
  }
  const auto assignments = assignments_of(parameters, context);
  if (!assignments) return refused("a value: " + context.why);
  const auto& version = node.get("typeVersion");
  const bool new_form = version.is_number() && version.as_double() >= 3;
  const bool keeps = new_form ? parameters.get("includeOtherFields").truthy() : !parameters.get("keepOnlySet").truthy();
  // The values see the data as it came in, whatever was set before them.
  std::string jq = ". as $in | ";
  jq += keeps ? "$in" : "{}";
  for (const auto& assignment : *assignments) {
    std::string path;
    std::string_view rest = assignment.path;
    while (!rest.empty()) {
      const auto dot = rest.find('.');
      path += (path.empty() ? "" : ", ") + jq_text(rest.substr(0, dot));
      rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
    }
    jq += " | setpath([" + path + "]; $in | " + assignment.jq + ")";
  }
  return of_body(Object::object({{"set", expression(jq)}}));
}

// ---- conditions -------------------------------------------------------------------------------------------------------------------

std::optional<std::string> compare(const std::string& operation, const std::string& left, const std::string& right) {
  struct Known {
    std::string_view name;
    std::string_view jq;  ///< on `$l` and `$r`
  };
  static constexpr std::array<Known, 34> kKnown{{
      {"equal", "$l == $r"},
      {"equals", "$l == $r"},
      {"notEqual", "$l != $r"},
      {"notEquals", "$l != $r"},
      {"larger", "$l > $r"},
      {"gt", "$l > $r"},
      {"largerEqual", "$l >= $r"},
      {"gte", "$l >= $r"},
      {"smaller", "$l < $r"},
      {"lt", "$l < $r"},
      {"smallerEqual", "$l <= $r"},
      {"lte", "$l <= $r"},
      {"after", "$l > $r"},
      {"before", "$l < $r"},
      {"contains", "($l | if type == \"array\" then any(.[]; . == $r) else tostring | contains($r | tostring) end)"},
      {"notContains", "($l | if type == \"array\" then any(.[]; . == $r) else tostring | contains($r | tostring) end | not)"},
      {"startsWith", "($l | tostring | startswith($r | tostring))"},
      {"notStartsWith", "($l | tostring | startswith($r | tostring) | not)"},
      {"endsWith", "($l | tostring | endswith($r | tostring))"},
      {"notEndsWith", "($l | tostring | endswith($r | tostring) | not)"},
      {"regex", "($l | tostring | test($r))"},
      {"notRegex", "($l | tostring | test($r) | not)"},
      {"isEmpty", "($l == null or $l == \"\" or $l == [] or $l == {})"},
      {"empty", "($l == null or $l == \"\" or $l == [] or $l == {})"},
      {"isNotEmpty", "($l == null or $l == \"\" or $l == [] or $l == {} | not)"},
      {"notEmpty", "($l == null or $l == \"\" or $l == [] or $l == {} | not)"},
      {"exists", "$l != null"},
      {"notExists", "$l == null"},
      {"true", "$l == true"},
      {"false", "$l == false"},
      {"lengthEquals", "($l | length) == $r"},
      {"lengthGt", "($l | length) > $r"},
      {"lengthLt", "($l | length) < $r"},
      {"isTrue", "$l == true"},
  }};
  for (const auto& known : kKnown) {
    if (known.name == operation) return "((" + left + ") as $l | (" + right + ") as $r | " + std::string(known.jq) + ")";
  }
  return std::nullopt;
}

/// One condition of the old form (`value1`, `operation`, `value2`) or the new one (`leftValue`, `operator`, `rightValue`).
std::optional<std::string> one_condition(const json::Value& item, std::string_view default_operation, JsContext& context) {
  const bool is_new = item.find("leftValue") != nullptr;
  const auto left = parameter_to_jq(item.get(is_new ? "leftValue" : "value1"), context);
  const auto right = parameter_to_jq(item.get(is_new ? "rightValue" : "value2"), context);
  if (!left || !right) return std::nullopt;
  const auto operation = is_new ? text_or(item.get("operator"), "operation", "equals") : text_or(item, "operation", default_operation);
  auto made = compare(operation, *left, *right);
  if (!made) context.why = "the comparison `" + operation + "` is not known";
  return made;
}

/// A group of conditions; `true` where it is empty.
std::optional<std::string> condition_group(const json::Value& conditions, bool all, JsContext& context) {
  std::vector<std::string> parts;
  const auto add = [&](const json::Value& items, std::string_view default_operation) {
    for (std::size_t i = 0; items.is_array() && i < items.size(); ++i) {
      auto made = one_condition(items.at(i), default_operation, context);
      if (!made) return false;
      parts.push_back(std::move(*made));
    }
    return true;
  };
  if (!add(conditions.get("conditions"), "equals")) return std::nullopt;
  for (const auto* kind : {"string", "boolean", "number", "dateTime"}) {
    if (!add(conditions.get(kind), std::string_view(kind) == "number"     ? "smaller"
                                   : std::string_view(kind) == "dateTime" ? "after"
                                                                          : "equal"))
      return std::nullopt;
  }
  std::string jq;
  for (const auto& part : parts) jq += (jq.empty() ? "" : all ? " and " : " or ") + part;
  return jq.empty() ? "true" : jq;
}

std::optional<std::string> if_condition(const json::Value& parameters, JsContext& context) {
  const auto& conditions = parameters.get("conditions");
  const bool all = text_or(conditions, "combinator", "and") == "and" && text_or(parameters, "combineOperation", "all") == "all";
  return condition_group(conditions, all, context);
}

N8nTask if_node(const json::Value& node, JsContext& context) {
  const auto condition = if_condition(parameters_of(node), context);
  if (!condition) return refused("its condition: " + context.why);
  auto task = of_body(pass_on());
  task.exit = "if " + *condition + " then 0 else 1 end";
  return task;
}

N8nTask filter_node(const json::Value& node, JsContext& context) {
  auto task = if_node(node, context);
  if (task.why.empty()) task.notes.emplace_back("decides about the whole data, not item by item");
  return task;
}

N8nTask switch_node(const json::Value& node, JsContext& context) {
  const auto& parameters = parameters_of(node);
  auto task = of_body(pass_on());
  if (text_or(parameters, "mode", "rules") == "expression") {
    const auto jq = parameter_to_jq(parameters.get("output"), context);
    if (!jq) return refused("its output: " + context.why);
    task.exit = *jq;
    return task;
  }
  const auto& rules = parameters.get("rules");
  const auto& cases = rules.get("values").is_array() ? rules.get("values") : rules.get("rules");
  std::string jq;
  for (std::size_t i = 0; cases.is_array() && i < cases.size(); ++i) {
    const auto& rule = cases.at(i);
    std::optional<std::string> condition;
    auto exit = static_cast<std::int64_t>(i);
    if (rule.get("conditions").is_object()) {
      condition = condition_group(rule.get("conditions"), text_or(rule.get("conditions"), "combinator", "and") == "and", context);
    } else {
      const auto left = parameter_to_jq(parameters.get("value1"), context);
      const auto right = parameter_to_jq(rule.get("value2"), context);
      if (!left || !right) return refused("a rule: " + context.why);
      condition = compare(text_or(rule, "operation", "equal"), *left, *right);
      if (!condition) context.why = "the comparison `" + text_or(rule, "operation", "") + "` is not known";
      if (rule.get("output").is_integer()) exit = rule.get("output").as_integer();
    }
    if (!condition) return refused("a rule: " + context.why);
    jq += (jq.empty() ? "if " : " elif ") + *condition + " then " + std::to_string(exit);
  }
  if (jq.empty()) return refused("it has no rules");
  std::string otherwise = "-1";
  if (const auto& fallback = parameters.get("fallbackOutput"); fallback.is_integer()) otherwise = std::to_string(fallback.as_integer());
  if (text_or(parameters.get("options"), "fallbackOutput", "") == "extra") otherwise = std::to_string(cases.size());
  task.exit = jq + " else " + otherwise + " end";
  return task;
}

// ---- the rest -----------------------------------------------------------------------------------------------------------------------

/// The code gets what it knew: `$json`, `items`, `$input`; what it returns becomes the data.
N8nTask code_node(const json::Value& node, JsContext& /*context*/) {
  const auto& parameters = parameters_of(node);
  if (text_or(parameters, "language", "javaScript") != "javaScript") return refused("only JavaScript is translated");
  const auto code = text_or(parameters, "jsCode", text_or(parameters, "functionCode", ""));
  if (code.empty()) return refused("it has no code");
  for (const auto* unknown : {"$node", "$(", "$items", "require(", "this.helpers", "$env", "$getWorkflowStaticData", "await "}) {
    if (code.find(unknown) != std::string::npos) return refused(std::string("its code uses `") + unknown + "`");
  }
  const bool each = text_or(parameters, "mode", "runOnceForAllItems") == "runOnceForEachItem" || n8n_type(node) == "functionItem";
  std::string script = "let text = '';\n";
  script += "process.stdin.on('data', part => text += part);\n";
  script += "process.stdin.on('end', () => {\n";
  script += "const $json = JSON.parse(text);\n";
  script += "const items = (Array.isArray($json) ? $json : [$json]).map(json => ({json}));\n";
  script += "const item = " + std::string(each ? "$json" : "items[0]") + ";\n";
  script += "const $input = {all: () => items, first: () => items[0], last: () => items[items.length - 1], item: items[0]};\n";
  script += "const result = (function () {\n" + code + "\n})();\n";
  script += "const plain = one => one && typeof one === 'object' && 'json' in one ? one.json : one;\n";
  script += "const all = (Array.isArray(result) ? result : [result]).map(plain);\n";
  script += "console.log(JSON.stringify(all.length === 1 ? all[0] : all));\n";
  script += "});\n";
  auto task = of_body(Object::object(
      {{"run", Object::object({{"script", Object::object({{"language", "js"}, {"code", script}, {"stdin", expression("tojson")}})}})},
       {"output", Object::object({{"as", expression("fromjson")}})}}));
  task.notes.emplace_back("runs in the sandbox, once for the whole data");
  return task;
}

N8nTask wait_node(const json::Value& node, JsContext& /*context*/) {
  const auto& parameters = parameters_of(node);
  if (text_or(parameters, "resume", "timeInterval") != "timeInterval") return refused("only a time interval is translated");
  const auto& amount = parameters.get("amount");
  const auto unit = text_or(parameters, "unit", "hours");
  static constexpr std::array<std::string_view, 4> kUnits{"seconds", "minutes", "hours", "days"};
  if (std::find(kUnits.begin(), kUnits.end(), unit) == kUnits.end() || !(amount.is_integer() || amount.is_null())) {
    return refused("its interval is not a whole number of seconds, minutes, hours or days");
  }
  return of_body(Object::object({{"wait", Object::object({{unit, amount.is_null() ? json::Value(1) : amount}})}}));
}

N8nTask execute_workflow(const json::Value& node, JsContext& context) {
  const auto& parameters = parameters_of(node);
  const auto& reference = parameters.get("workflowId");
  const auto name =
      text_or(reference, "cachedResultName", text_or(reference, "value", reference.is_string() ? std::string(reference.as_string()) : ""));
  if (name.empty() || name.starts_with('=')) return refused("it does not say which workflow");
  static_cast<void>(context);
  auto label = document(name, "", json::Value::array()).get("document").get("name");
  auto task = of_body(Object::object(
      {{"run", Object::object(
                   {{"workflow",
                     Object::object({{"namespace", "imported"}, {"name", label}, {"version", "latest"}, {"input", expression(".")}})}})}}));
  task.notes.emplace_back("runs the workflow `imported/" + std::string(label.as_string()) + "`, which must be there");
  return task;
}

N8nTask respond(const json::Value& node, JsContext& context) {
  const auto& parameters = parameters_of(node);
  const auto kind = text_or(parameters, "respondWith", "firstIncomingItem");
  N8nTask task;
  if (kind == "json" || kind == "text") {
    const auto jq = parameter_to_jq(parameters.get("responseBody"), context);
    if (!jq) return refused("its body: " + context.why);
    task.body = Object::object({{"set", expression(kind == "json" ? "(" + *jq + ") | (fromjson? // .)" : "{text: (" + *jq + ")}")}});
  } else if (kind == "firstIncomingItem" || kind == "allIncomingItems") {
    task.body = pass_on();
  } else {
    return refused("answers of kind `" + kind + "` are not translated");
  }
  task.notes.emplace_back("the webhook answers with the output of the run, so with this only where nothing comes after it");
  return task;
}

N8nTask merge_node(const json::Value& node, JsContext& /*context*/) {
  auto task = of_body(pass_on());
  task.merges = true;
  const auto mode = text_or(parameters_of(node), "mode", "append");
  if (mode != "combine" && mode != "mergeByPosition")
    task.notes.emplace_back("merges the members of its inputs into one object; n8n would put items one after the other");
  return task;
}

}  // namespace

std::string n8n_type(const json::Value& node) {
  const auto type = text_or(node, "type", "");
  const auto dot = type.rfind('.');
  return dot == std::string::npos ? type : type.substr(dot + 1);
}

N8nTask convert_n8n_node(const json::Value& node, JsContext& context) {
  const auto type = n8n_type(node);
  if (node.get("disabled").truthy()) {
    auto task = of_body(pass_on());
    task.notes.emplace_back("is disabled: it passes its data on");
    return task;
  }
  for (const auto* trigger : {"manualTrigger", "start", "scheduleTrigger", "cron", "interval", "webhook", "executeWorkflowTrigger"}) {
    if (type != trigger) continue;
    auto task = of_body(pass_on());
    task.is_trigger = true;
    return task;
  }
  struct Known {
    std::string_view type;
    N8nTask (*convert)(const json::Value&, JsContext&);
  };
  static constexpr std::array<Known, 13> kKnown{{{"httpRequest", http_request},
                                                 {"set", set_fields},
                                                 {"if", if_node},
                                                 {"filter", filter_node},
                                                 {"switch", switch_node},
                                                 {"code", code_node},
                                                 {"function", code_node},
                                                 {"functionItem", code_node},
                                                 {"wait", wait_node},
                                                 {"executeWorkflow", execute_workflow},
                                                 {"respondToWebhook", respond},
                                                 {"merge", merge_node},
                                                 {"noOp", [](const json::Value&, JsContext&) { return of_body(pass_on()); }}}};
  for (const auto& known : kKnown) {
    if (known.type == type) return known.convert(node, context);
  }
  if (type == "splitInBatches") {
    N8nTask task;
    task.is_loop = true;
    return task;
  }
  return refused("nodes of type `" + text_or(node, "type", "") + "` do not exist here");
}

void apply_n8n_trigger(const json::Value& node, json::Value& document, std::vector<std::string>& notes) {
  const auto type = n8n_type(node);
  const auto& parameters = parameters_of(node);
  if (type == "webhook") {
    auto head = document.get("document");
    auto metadata = head.get("metadata").is_object() ? head.get("metadata") : Object::object();
    const bool waits = text_or(parameters, "responseMode", "onReceived") != "onReceived";
    metadata.set("webhook", Object::object({{"wait", waits}}));
    head.set("metadata", std::move(metadata));
    document.set("document", std::move(head));
    if (text_or(parameters, "authentication", "none") != "none")
      notes.emplace_back("its authentication is not kept: the address is the permission, and `secret` asks for a signature");
    notes.emplace_back("gets an address of its own when the workflow is stored");
    return;
  }
  if (type != "scheduleTrigger" && type != "cron" && type != "interval") return;
  const auto& rules = parameters.get("rule").get("interval");
  if (!rules.is_array() || rules.empty()) {
    notes.emplace_back("its times are of a form that is not translated: give the document a `schedule`");
    return;
  }
  if (rules.size() > 1) notes.emplace_back("only the first of its times is kept");
  const auto& rule = rules.at(0);
  const auto field = text_or(rule, "field", "days");
  const auto number = [&](const char* name, std::int64_t otherwise) {
    return rule.get(name).is_integer() ? rule.get(name).as_integer() : otherwise;
  };
  const auto at = std::to_string(number("triggerAtMinute", 0)) + " " + std::to_string(number("triggerAtHour", 0));
  auto schedule = Object::object();
  if (field == "cronExpression") {
    schedule.set("cron", text_or(rule, "expression", ""));
  } else if (field == "seconds" || field == "minutes" || field == "hours") {
    schedule.set("every", Object::object({{field, number((field + "Interval").c_str(), field == "seconds"   ? 30
                                                                                       : field == "minutes" ? 5
                                                                                                            : 1)}}));
  } else if (field == "days" && number("daysInterval", 1) == 1) {
    schedule.set("cron", at + " * * *");
  } else if (field == "weeks" && number("weeksInterval", 1) == 1 && rule.get("triggerAtDay").is_array() &&
             !rule.get("triggerAtDay").empty()) {
    std::string days;
    for (const auto& day : rule.get("triggerAtDay").items()) {
      if (day.is_integer()) days += (days.empty() ? "" : ",") + std::to_string(day.as_integer());
    }
    schedule.set("cron", at + " * * " + days);
  } else if (field == "months" && number("monthsInterval", 1) == 1) {
    schedule.set("cron", at + " " + std::to_string(number("triggerAtDayOfMonth", 1)) + " * *");
  } else {
    notes.emplace_back("its interval is not translated: give the document a `schedule`");
    return;
  }
  document.set("schedule", std::move(schedule));
}

}  // namespace pawl::catalog::detail
