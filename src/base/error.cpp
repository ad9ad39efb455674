#include "base/error.hpp"

#include <algorithm>
#include <stdexcept>

namespace pawl {

bool has_errors(const Findings& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.severity == Severity::error; });
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error("value asked of a failed result (" + error.code + ": " + error.message + ") at " + where.file_name() + ":" +
                         std::to_string(where.line()));
}

int http_status(ErrorClass kind) {
  switch (kind) {
    case ErrorClass::invalid: return 400;
    case ErrorClass::unprocessable: return 422;
    case ErrorClass::unauthenticated: return 401;
    case ErrorClass::denied: return 403;
    case ErrorClass::not_found: return 404;
    case ErrorClass::method: return 405;
    case ErrorClass::conflict: return 409;
    case ErrorClass::too_large: return 413;
    case ErrorClass::unsupported: return 415;
    case ErrorClass::limited: return 429;
    case ErrorClass::internal: return 500;
    case ErrorClass::unavailable: return 503;
    case ErrorClass::timeout: return 504;
  }
  return 500;
}

std::string_view title_of(ErrorClass kind) {
  switch (kind) {
    case ErrorClass::invalid: return "Bad request";
    case ErrorClass::unprocessable: return "Unprocessable content";
    case ErrorClass::unauthenticated: return "Not authenticated";
    case ErrorClass::denied: return "Not permitted";
    case ErrorClass::not_found: return "Not found";
    case ErrorClass::method: return "Method not allowed";
    case ErrorClass::conflict: return "Conflict";
    case ErrorClass::too_large: return "Too large";
    case ErrorClass::unsupported: return "Unsupported media type";
    case ErrorClass::limited: return "Too many requests";
    case ErrorClass::internal: return "Internal error";
    case ErrorClass::unavailable: return "Unavailable";
    case ErrorClass::timeout: return "Timed out";
  }
  return "Internal error";
}

}  // namespace pawl
