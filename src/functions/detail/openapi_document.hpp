/// OpenAPI 2.0 and 3.x: from a document, an operation's id and parameters to a request. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

class OpenApiDocument {
 public:
  /// JSON or YAML text that came from `uri`. Error `openapi.document`.
  [[nodiscard]] static Result<OpenApiDocument> parse(std::string_view text, std::string uri);

  /// Method (upper case) of an operation. Error `openapi.operation`, with the ids that there are.
  [[nodiscard]] Result<std::string> method_of(std::string_view operation_id) const;

  /// `parameters`: by name, wherever the document says that they go. A request body is the parameter `body` (or the name that a 2.0
  /// document gives it); without it, all that the document does not declare becomes its members. Errors `openapi.operation`,
  /// `openapi.parameters`: a required parameter is missing, or one is not known; `openapi.document`: the document contradicts itself.
  [[nodiscard]] Result<net::OutboundRequest> request(std::string_view operation_id, const json::Value& parameters) const;

 private:
  struct Operation {
    std::string path;
    std::string method;  // lower case
    json::Value item;
    json::Value operation;
  };
  [[nodiscard]] Result<Operation> find(std::string_view operation_id) const;
  [[nodiscard]] const json::Value& resolved(const json::Value& value) const;
  [[nodiscard]] Result<std::string> base_uri(const Operation& operation) const;
  [[nodiscard]] std::vector<json::Value> parameters_of(const Operation& operation) const;

  json::Value document_;
  std::string uri_;
  bool version2_ = false;
};

/// RFC 3986, section 5, for http(s): what `reference` means in a document at `base`.
[[nodiscard]] std::string resolve_reference(std::string_view base, std::string_view reference);

}  // namespace pawl::functions
