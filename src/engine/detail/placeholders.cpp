#include "engine/detail/placeholders.hpp"

#include <algorithm>
#include <string_view>

namespace pawl::engine {
namespace {

constexpr std::string_view kPlaceholder = "placeholder-of-a-secret";

bool is_named(const json::Value& names, std::string_view name) {
  return std::ranges::any_of(names.items(), [name](const json::Value& each) { return each == json::Value(name); });
}

}  // namespace

json::Value placeholders(const json::Value& secrets) {
  if (secrets.is_string()) return kPlaceholder;
  if (secrets.is_number()) return 0;
  if (secrets.is_bool()) return false;
  if (secrets.is_array()) {
    auto list = json::Value::array();
    for (const auto& item : secrets.items()) list.push_back(placeholders(item));
    return list;
  }
  if (!secrets.is_object()) return {};
  const auto& named = secrets.get("secret_fields");
  auto object = json::Value::object();
  for (const auto& member : secrets.members()) {
    const bool is_public = named.is_array() && !is_named(named, member.name());
    object.set(member.name(), is_public ? member.value : placeholders(member.value));
  }
  return object;
}

}  // namespace pawl::engine
