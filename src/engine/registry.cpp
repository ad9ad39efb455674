#include <algorithm>

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

}  // namespace

void FunctionRegistry::add(std::unique_ptr<Function> function) {
  PAWL_ASSERT(function != nullptr, "a function is added");
  const auto& info = function->info();
  Entry entry;
  entry.signature = {info.name, info.parameters};
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
  return names;
}

}  // namespace pawl::engine
