#include "api/detail/function_calls.hpp"

#include <algorithm>
#include <utility>

#include "dsl/schema.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {

std::string_view effect_name(engine::EffectClass effect) {
  switch (effect) {
    case engine::EffectClass::pure: return "pure";
    case engine::EffectClass::read: return "read";
    case engine::EffectClass::idempotent: return "idempotent";
    case engine::EffectClass::once: break;
  }
  return "once";
}

std::set<engine::EffectClass> effects_of(const engine::Function& function) {
  std::set<engine::EffectClass> effects;
  const auto& examples = function.info().examples;
  if (examples.is_array()) {
    for (const auto& example : examples.items()) effects.insert(function.effect_class(example));
  }
  if (effects.empty()) effects.insert(function.effect_class(json::Value::object()));
  return effects;
}

std::shared_ptr<const engine::UserFunction> user_function(const engine::FunctionRegistry& functions, std::string_view name) {
  const auto all = functions.user_functions();
  const auto found = std::find_if(all->begin(), all->end(), [&](const auto& one) { return one.definition->name == name; });
  return found == all->end() ? nullptr : std::shared_ptr<const engine::UserFunction>(all, &*found);
}

Result<void> check_parameters(const json::Value& schema, const json::Value& parameters, std::string_view at) {
  PAWL_TRY(compiled, dsl::Schema::compile(schema));
  auto findings = compiled.validate(parameters);
  if (findings.empty()) return boost::system::in_place_value;
  for (auto& finding : findings) finding.pointer.insert(0, at);
  return Error(ErrorClass::unprocessable, "plugin.invalid_params", "The function cannot be called with these parameters.",
               std::move(findings));
}

json::Value without_expressions(const json::Value& value) {
  if (value.is_string()) {
    if (value.as_string().find("${") == std::string_view::npos) return value;
    // A text of JSON is one of jq: each backslash is doubled, so that none of it interpolates.
    return json::Value("${ " + json::to_text(value) + " }");
  }
  if (value.is_array()) {
    auto items = json::Value::array();
    for (const auto& item : value.items()) items.push_back(without_expressions(item));
    return items;
  }
  if (!value.is_object()) return value;
  auto object = json::Value::object();
  for (const auto& member : value.members()) object.set(member.name(), without_expressions(member.value));
  return object;
}

catalog::Definition document_of_call(const std::string& name, json::Value parameters, std::chrono::seconds time) {
  auto head = json::Value::object({{"dsl", "1.0.3"}, {"namespace", "plugins"}, {"name", "call"}, {"version", "1.0.0"}});
  auto task = json::Value::object({{"call", name}, {"with", std::move(parameters)}});
  auto document = json::Value::object({{"document", std::move(head)}});
  if (time.count() > 0) {
    const auto after = json::Value::object({{"seconds", static_cast<std::int64_t>(time.count())}});
    document.set("timeout", json::Value::object({{"after", after}}));
  }
  document.set("do", json::Value::array({json::Value::object({{"call", std::move(task)}})}));
  return {.text = json::to_text(document), .format = catalog::Definition::Format::data};
}

}  // namespace pawl::api::detail
