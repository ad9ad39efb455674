/// `application/problem+json` (RFC 9457): the one way an error leaves the server.
///
///     {"type":"urn:pawl:error:run.not-found","title":"Not found","status":404,"detail":"...","instance":"/api/runs/1",
///      "code":"run.not_found","request_id":"...","errors":[{"pointer":"/name","message":"...","line":3,"column":5}]}
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace pawl::http {

/// The answer for an error of a handler. `errors` appears where the error has findings; a 401 gets `WWW-Authenticate: Bearer`.
[[nodiscard]] Response problem(const Error& error, const Request& request);

/// The same where the request has been given away already. `instance` is its path. `status` replaces the class's own where not 0.
[[nodiscard]] Response problem(const Error& error, std::string_view instance, std::string_view request_id, int status = 0);

}  // namespace pawl::http
