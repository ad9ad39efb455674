// Cross-origin requests of browsers: the origins of the configuration, nothing else; bearer keys only, so no credentials mode.
#pragma once

#include <string>
#include <vector>

#include "http/router.hpp"

namespace pawl::api::detail {

/// A responder that adds the CORS fields where the request's origin is allowed.
[[nodiscard]] http::Responder with_cors(const std::vector<std::string>& origins, const http::Request& request, http::Responder responder);

/// Answers OPTIONS for a path with these methods. `origins` must outlive the handler.
[[nodiscard]] http::Handler preflight(const std::vector<std::string>& origins, const std::vector<http::Method>& methods);

}  // namespace pawl::api::detail
