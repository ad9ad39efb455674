/// The themes of the route table. Each function stands at the end of the file that its theme's handlers are in.
#pragma once

#include <vector>

#include "api/route.hpp"

namespace pawl::api::detail {

[[nodiscard]] std::vector<Route> health_routes();
[[nodiscard]] std::vector<Route> documentation_routes();
[[nodiscard]] std::vector<Route> workflow_routes();
[[nodiscard]] std::vector<Route> version_routes();
[[nodiscard]] std::vector<Route> run_routes();
[[nodiscard]] std::vector<Route> stats_routes();
[[nodiscard]] std::vector<Route> dead_letter_routes();
[[nodiscard]] std::vector<Route> approval_routes();
[[nodiscard]] std::vector<Route> notification_routes();
[[nodiscard]] std::vector<Route> notification_channel_routes();
[[nodiscard]] std::vector<Route> event_routes();
[[nodiscard]] std::vector<Route> schedule_routes();
[[nodiscard]] std::vector<Route> hook_routes();
[[nodiscard]] std::vector<Route> plugin_routes();
[[nodiscard]] std::vector<Route> mcp_routes();
[[nodiscard]] std::vector<Route> a2a_routes();
[[nodiscard]] std::vector<Route> live_routes();
[[nodiscard]] std::vector<Route> organization_routes();
[[nodiscard]] std::vector<Route> admin_routes();
[[nodiscard]] std::vector<Route> settings_routes();
[[nodiscard]] std::vector<Route> audit_routes();
[[nodiscard]] std::vector<Route> data_routes();
[[nodiscard]] std::vector<Route> oauth_routes();
[[nodiscard]] std::vector<Route> llm_routes();
[[nodiscard]] std::vector<Route> agent_routes();
[[nodiscard]] std::vector<Route> auth_routes();
[[nodiscard]] std::vector<Route> account_routes();
[[nodiscard]] std::vector<Route> api_key_routes();
[[nodiscard]] std::vector<Route> integration_routes();

/// Shapes of more than one theme.
[[nodiscard]] Shape workflow_shape();
[[nodiscard]] Shape capabilities_shape();
[[nodiscard]] Shape finding_shape();
[[nodiscard]] Shape run_status_shape();

/// `limit` and `cursor` of a list.
[[nodiscard]] Parameter limit_parameter();
[[nodiscard]] Parameter cursor_parameter();

}  // namespace pawl::api::detail
