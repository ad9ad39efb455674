#include <algorithm>
#include <exception>

#include "base/assert.hpp"
#include "engine/function.hpp"

namespace pawl::engine {
namespace {

/// `file_read`, `file-read:1.0.0`, `file-read:1.0.0@default` all mean `file-read`.
std::string canonical(std::string_view name) {
  std::string text(name.substr(0, name.find_first_of(":@")));
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

EffectClass class_of(const Function& function, const json::Value& arguments) {
  try {
    return function.effect_class(arguments);
  } catch (const std::exception&) {
    return EffectClass::once;
  }
}

/// The worst that a call can be when somebody else chooses what is not fixed, one choice at a time.
EffectClass worst_class(const Function& function, const json::Value& fixed) {
  auto worst = class_of(function, fixed);
  const auto& properties = function.info().parameters.get("properties");
  if (!properties.is_object()) return worst;
  for (const auto& property : properties.members()) {
    if (fixed.find(property.name()) != nullptr) continue;
    auto choices = property.value.get("enum").is_array() ? property.value.get("enum") : json::Value::array();
    if (property.value.get("type") == json::Value("boolean")) choices = json::Value::array({true, false});
    for (const auto& choice : choices.items()) {
      auto arguments = fixed;
      arguments.set(property.name(), choice);
      worst = std::max(worst, class_of(function, arguments));
    }
  }
  return worst;
}

/// `https://{host}/x`, a URI template: whoever makes the call chooses the place. What has no `://` may get it, and a place, from any
/// expression in it: `https:/{+x}`.
bool has_open_place(std::string_view address) {
  const auto scheme = address.find("://");
  const auto end = scheme == std::string_view::npos ? scheme : address.find_first_of("/?#", scheme + 3);
  return address.substr(0, end).find('{') != std::string_view::npos;
}

/// Whether the argument at this pointer, or something that it is a part of, is among the fixed ones and says where the call goes.
bool is_settled(const json::Value& fixed, std::string_view pointer) {
  if (pointer.empty()) return true;  // it is fixed by the function itself
  pointer.remove_prefix(1);
  const auto* place = fixed.find(pointer.substr(0, pointer.find('/')));
  if (place == nullptr) return false;
  while (place != nullptr && place->is_object() && pointer.find('/') != std::string_view::npos) {
    pointer.remove_prefix(pointer.find('/') + 1);
    place = place->find(pointer.substr(0, pointer.find('/')));
  }
  return place == nullptr || !place->is_string() || !has_open_place(place->as_string());
}

}  // namespace

dsl::FunctionCatalog::Reach FunctionRegistry::reach(std::string_view name, const json::Value& fixed) const {
  const auto* function = get(canonical(name));
  if (function == nullptr) return {};
  const auto& info = function->info();
  const auto worst = worst_class(*function, fixed);
  Reach reach;
  reach.reads_outside = worst != EffectClass::pure || !info.reach.empty();
  reach.acts = worst > EffectClass::read || info.destructive;
  for (const auto& access : info.reach) {
    using Kind = Access::Kind;
    const bool places = access.kind == Kind::host || access.kind == Kind::database;  // who chooses the place may send something there
    const bool changes =
        access.kind == Kind::write || access.kind == Kind::process || access.kind == Kind::mail || access.kind == Kind::workflow;
    reach.acts = reach.acts || changes || (places && !is_settled(fixed, access.parameter));
  }
  return reach;
}

void FunctionRegistry::add(std::unique_ptr<Function> function) {
  PAWL_ASSERT(function != nullptr, "a function is added");
  const auto& info = function->info();
  Entry entry;
  entry.signature = {info.name, info.parameters, info.summary};
  entry.function = std::move(function);
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry.signature.name,
                                      [](const Entry& each, const std::string& name) { return each.signature.name < name; });
  PAWL_ASSERT(place == entries_.end() || place->signature.name != entry.signature.name, "a function's name is new");
  entries_.insert(place, std::move(entry));
}

void FunctionRegistry::wrap(const std::function<std::unique_ptr<Function>(std::unique_ptr<Function>)>& wrapper) {
  for (auto& entry : entries_) entry.function = wrapper(std::move(entry.function));
}

Function* FunctionRegistry::get(std::string_view name) const {
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), name,
                                      [](const Entry& each, std::string_view wanted) { return each.signature.name < wanted; });
  if (place == entries_.end() || place->signature.name != name) return nullptr;
  return place->function.get();
}

std::vector<const Function*> FunctionRegistry::all() const {
  std::vector<const Function*> functions;
  for (const auto& entry : entries_) functions.push_back(entry.function.get());
  return functions;
}

const dsl::FunctionCatalog::Signature* FunctionRegistry::find(std::string_view name) const {
  const auto wanted = canonical(name);
  const auto place = std::lower_bound(entries_.begin(), entries_.end(), wanted,
                                      [](const Entry& each, const std::string& text) { return each.signature.name < text; });
  if (place == entries_.end() || place->signature.name != wanted) return nullptr;
  return &place->signature;
}

std::vector<std::string> FunctionRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry.signature.name);
  const auto written = user_functions();
  for (const auto& function : *written) names.push_back(function.definition->name);
  return names;
}

void FunctionRegistry::publish(std::vector<UserFunction> functions) {
  auto made = std::make_shared<const std::vector<UserFunction>>(std::move(functions));
  const std::lock_guard lock(mutex_);
  user_functions_.swap(made);
}

UserFunctions FunctionRegistry::user_functions() const {
  const std::lock_guard lock(mutex_);
  return user_functions_;
}

dsl::FunctionDefinitionPtr FunctionRegistry::definition(std::string_view name, std::string_view version) const {
  const auto wanted = canonical(name);
  const auto written = user_functions();
  for (const auto& function : *written) {
    const auto& one = *function.definition;
    if (one.name == wanted && (version.empty() || version == "latest" || version == one.version)) return function.definition;
  }
  return nullptr;
}

Result<dsl::FunctionDefinitionPtr> FunctionRegistry::remote(const Remote& function) const {
  return remote_ ? remote_(function) : FunctionCatalog::remote(function);
}

}  // namespace pawl::engine
