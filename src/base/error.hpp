/// Errors as values. `Result<T>` carries one error, `Checked<T>` all findings about a document or a request body.
///
/// An `Error` is what a person or a program acts on: a stable dotted code (`run.not_found`), a class that decides the HTTP status and
/// whether a retry makes sense, a sentence, and field problems. `http_status` and the problem+json writer in `api/` are the only places
/// that turn it into a reply (RFC 9457).
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl {

enum class ErrorClass : std::uint8_t {
  invalid,          ///< 400: the request or document is malformed
  unprocessable,    ///< 422: well-formed, but its content has findings
  unauthenticated,  ///< 401
  denied,           ///< 403
  not_found,        ///< 404
  method,           ///< 405
  conflict,         ///< 409
  too_large,        ///< 413
  unsupported,      ///< 415
  limited,          ///< 429
  internal,         ///< 500
  unavailable,      ///< 503: try again later
  timeout,          ///< 504
};

enum class Severity : std::uint8_t { error, warning };

/// One problem found in a document, with the place a person looks at. Lines and columns count from 1; 0 means "no position".
struct Finding {
  Severity severity = Severity::error;
  std::string pointer;  ///< RFC 6901 JSON pointer to the value at fault; empty: the whole document
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string message;
  std::string rule;        ///< stable name of the rule, for example `unknown-property`
  std::string suggestion;  ///< empty where nothing is near
};

using Findings = std::vector<Finding>;

[[nodiscard]] bool has_errors(const Findings& findings);

struct Error {
  ErrorClass kind = ErrorClass::internal;
  std::string code;     ///< stable, dotted, lower case: `workflow.not_found`
  std::string message;  ///< one sentence for a person, with what is needed to act
  Findings findings{};  ///< field problems, if any

  Error() = default;
  Error(ErrorClass error_kind, std::string error_code, std::string error_message, Findings error_findings = {})
      : kind(error_kind), code(std::move(error_code)), message(std::move(error_message)), findings(std::move(error_findings)) {}
};

/// Asking a failed Result for its value is a bug of the caller: throws std::logic_error.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

/// A value, or everything that is wrong with its source. Warnings may accompany a value.
template <class T>
struct Checked {
  std::optional<T> value;
  Findings findings;

  [[nodiscard]] bool ok() const { return value.has_value() && !has_errors(findings); }
};

/// The HTTP status of an error class.
[[nodiscard]] int http_status(ErrorClass kind);
/// Short title of an error class, as in a problem document.
[[nodiscard]] std::string_view title_of(ErrorClass kind);

}  // namespace pawl

/// `PAWL_TRY(name, expression)`: two plain statements (no statement expression: GCC 115851). Returns the error from the enclosing function.
#define PAWL_TRY(name, ...)                                               \
  auto name##_result = (__VA_ARGS__);                                     \
  if (name##_result.has_error()) return std::move(name##_result).error(); \
  auto name = std::move(name##_result).value()
#define PAWL_TRY_VOID(...) \
  if (auto pawl_try_result = (__VA_ARGS__); pawl_try_result.has_error()) return std::move(pawl_try_result).error()
