/// Puts parameters where an OpenAPI operation wants them, in the style that it wants.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

class ParameterWriter {
 public:
  /// `given`: the values by name. `version2`: the document is OpenAPI 2.0.
  ParameterWriter(const json::Value& given, bool version2) : given_(given), version2_(version2) {}

  /// One parameter object of the document. Error `openapi.parameters`: it is required and missing.
  [[nodiscard]] Result<void> add(const json::Value& parameter);
  /// The request body object of a 3.x document.
  [[nodiscard]] Result<void> add_body(const json::Value& request_body);
  /// What `add` found of body and form parameters of a 2.0 document.
  [[nodiscard]] Result<void> add_version2_body(const json::Value& consumes);
  /// Error `openapi.parameters`: names that nothing asked for.
  [[nodiscard]] Result<void> check_all_used() const;
  /// `uri`: with `{name}` for path parameters.
  [[nodiscard]] Result<net::OutboundRequest> finish(std::string uri);

 private:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  [[nodiscard]] json::Value take_rest();
  [[nodiscard]] Result<void> write_body(const json::Value& value, const std::string& media_type);
  void add_query(const json::Value& parameter, const std::string& name, const json::Value& value);

  const json::Value& given_;
  bool version2_;
  std::unordered_set<std::string> used_;
  Pairs path_;  // escaped
  Pairs query_;
  Pairs headers_;
  Pairs cookies_;
  Pairs form_;
  bool has_form_file_ = false;
  json::Value body_parameter_;  // of a 2.0 document
  std::string body_;
  std::string content_type_;
};

}  // namespace pawl::functions
