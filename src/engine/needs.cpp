// What functions declare beside their schemas: needs, and which arguments are content.
#include <algorithm>
#include <array>

#include "engine/function.hpp"

namespace pawl::engine {
namespace {

constexpr std::array<std::string_view, 12> kNeeds = {"containers", "database", "destroy", "files.read", "files.write", "mail",
                                                     "memory",     "model",    "network", "people",     "processes",   "workflows"};

bool has_size(const json::Value& value) { return value.is_string() || value.is_array() || value.is_object(); }

json::Value without(const std::vector<std::string>& content, const json::Value& value) {
  if (value.is_array()) {
    auto items = json::Value::array();
    for (const auto& item : value.items()) items.push_back(without(content, item));
    return items;
  }
  if (!value.is_object()) return value;
  auto members = json::Value::object();
  for (const auto& member : value.members()) {
    const bool hidden = has_size(member.value) && std::find(content.begin(), content.end(), member.name()) != content.end();
    members.set(member.name(), hidden ? json::Value::object({{"size", member.value.size()}}) : without(content, member.value));
  }
  return members;
}

}  // namespace

std::string_view to_text(Need need) { return kNeeds.at(static_cast<std::size_t>(need)); }

Need need_of(Access::Kind kind) {
  switch (kind) {
    case Access::Kind::host: return Need::network;
    case Access::Kind::read: return Need::files_read;
    case Access::Kind::write: return Need::files_write;
    case Access::Kind::process: return Need::processes;
    case Access::Kind::database: return Need::database;
    case Access::Kind::mail: return Need::mail;
    case Access::Kind::model: return Need::model;
    case Access::Kind::workflow: break;
  }
  return Need::workflows;
}

std::vector<Need> needs_of(const Function::Info& info) {
  auto needs = info.needs;
  if (info.destructive) needs.push_back(Need::destroy);
  for (const auto& access : info.reach) needs.push_back(need_of(access.kind));
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  return needs;
}

json::Value recorded(const Function::Info& info, const json::Value& arguments) {
  return info.content.empty() ? arguments : without(info.content, arguments);
}

}  // namespace pawl::engine
