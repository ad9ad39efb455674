/// A workflow's HTTP call as data: from the task's arguments to a request, from a response to the task's output. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "engine/function.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

enum class OutputForm : std::uint8_t {
  raw,       ///< the body as base64 text
  content,   ///< the body, decoded by its content type
  response,  ///< request, statusCode, headers and content
};

struct HttpCall {
  net::OutboundRequest request;  ///< without credentials
  json::Value authentication;    ///< a policy of the DSL, or null
  OutputForm output = OutputForm::content;
};

[[nodiscard]] OutputForm output_form(const json::Value& arguments);
/// GET, HEAD, OPTIONS.
[[nodiscard]] bool only_reads(std::string_view method);

/// Gives a request what the step's effect class asks for: a writing one carries the step's key unless the workflow sets its own, and a
/// `once` one is never sent a second time behind our back when a kept connection breaks.
void carry_effect(net::OutboundRequest& request, const engine::Invocation& call);

/// An endpoint of the DSL: URI (a template over the top-level names of the task's input) or `{uri, authentication}`.
struct Endpoint {
  std::string uri;
  json::Value authentication;
};
/// Errors `http.endpoint`; `http.template`: a variable of the template has no value.
[[nodiscard]] Result<Endpoint> read_endpoint(const json::Value& endpoint, const json::Value& input);

/// Members of an object as texts: scalars as they are, a list becomes several entries, the rest JSON, nulls are left out. Error
/// `http.arguments` for something else than an object or null.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> read_pairs(const json::Value& object, std::string_view what);

/// Sets body and, where the headers name none, its content type: text as it is; a form where the content type says so; all else JSON.
void set_body(net::OutboundRequest& request, const json::Value& body);

/// The body by its content type: JSON as data, text as text, all else as base64 text. Error `http.content`: it is not what it claims.
[[nodiscard]] Result<json::Value> decode_body(const net::OutboundResponse& response);

/// The task's output, or the communication error that the status is. Credentials and secrets appear in neither.
[[nodiscard]] engine::Outcome to_outcome(const HttpCall& call, const net::OutboundResponse& response, const json::Value& secrets);

/// `text` without user and password.
[[nodiscard]] std::string without_userinfo(std::string_view uri);

}  // namespace pawl::functions
