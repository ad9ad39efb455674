// Cross-origin requests of browsers: the origins of the configuration, exactly, nothing else. Their pages may send the session's cookie;
// `*` (development) lets any page in, but never with credentials.
#pragma once

#include <string>
#include <vector>

#include "http/router.hpp"

namespace pawl::api::detail {

/// Does the page behind the request come from this host, or from a configured origin? What a browser does with the session's cookie and
/// without a CSRF token (WebSocket) is for these alone.
[[nodiscard]] bool is_own_or_trusted_origin(const std::vector<std::string>& origins, const http::Request& request);

/// A responder that adds the CORS fields where the request's origin is allowed.
[[nodiscard]] http::Responder with_cors(const std::vector<std::string>& origins, const http::Request& request, http::Responder responder);

/// Answers OPTIONS for a path with these methods. `origins` must outlive the handler.
[[nodiscard]] http::Handler preflight(const std::vector<std::string>& origins, const std::vector<http::Method>& methods);

}  // namespace pawl::api::detail
