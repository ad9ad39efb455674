#include "api/route.hpp"

#include "api/routes/task_trial.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api {

std::span<const Route> route_table() {
  static const auto kTable = [] {
    std::vector<Route> table;
    for (const auto theme : {detail::health_routes,   detail::documentation_routes, detail::workflow_routes,
                             detail::version_routes,  detail::task_test_routes,     detail::run_routes,
                             detail::stats_routes,    detail::dead_letter_routes,   detail::approval_routes,
                             detail::event_routes,    detail::schedule_routes,      detail::hook_routes,
                             detail::plugin_routes,   detail::mcp_routes,           detail::a2a_routes,
                             detail::live_routes,     detail::organization_routes,  detail::admin_routes,
                             detail::settings_routes, detail::audit_routes,         detail::data_routes,
                             detail::auth_routes,     detail::account_routes,       detail::api_key_routes,
                             detail::oauth_routes,    detail::integration_routes,   detail::llm_routes,
                             detail::agent_routes,    detail::notification_routes,  detail::notification_channel_routes}) {
      for (auto& route : theme()) table.push_back(std::move(route));
    }
    return table;
  }();
  return kTable;
}

Parameter detail::limit_parameter() { return {"limit", Shape::integer(50, 1, 200), "Most items in the reply."}; }
Parameter detail::cursor_parameter() {
  return {"cursor", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d"), "`next_cursor` of the page before."};
}

std::vector<std::string_view> path_parameters(std::string_view pattern) {
  std::vector<std::string_view> names;
  for (auto open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
    auto name = pattern.substr(open + 1, pattern.find('}', open) - open - 1);
    if (name.ends_with("...")) name.remove_suffix(3);
    names.push_back(name);
  }
  return names;
}

}  // namespace pawl::api
