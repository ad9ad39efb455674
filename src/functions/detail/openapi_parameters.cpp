#include "functions/detail/openapi_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Error bad(std::string message) { return {ErrorClass::invalid, "openapi.parameters", std::move(message)}; }

std::string joined(const json::Value& list, std::string_view separator) {
  std::string text;
  for (const json::Value& item : list.items()) text += fmt::format("{}{}", text.empty() ? "" : separator, as_text(item));
  return text;
}

// `a,1,b,2`, or exploded `a=1,b=2`.
std::string flattened(const json::Value& object, bool explode) {
  std::string text;
  for (const json::Member& member : object.members()) {
    text += fmt::format("{}{}{}{}", text.empty() ? "" : ",", member.name(), explode ? "=" : ",", as_text(member.value));
  }
  return text;
}

std::string_view version2_separator(const json::Value& parameter) {
  const std::string format = text_or(parameter, "collectionFormat", "csv");
  return format == "ssv" ? " " : format == "tsv" ? "\t" : format == "pipes" ? "|" : ",";
}

// Style `simple`: header parameters.
std::string simple(const json::Value& parameter, const json::Value& value, bool version2) {
  if (value.is_array()) return joined(value, version2 ? version2_separator(parameter) : ",");
  if (value.is_object())
    return parameter.get("content").is_object() ? json::to_text(value) : flattened(value, flag_or(parameter, "explode", false));
  return as_text(value);
}

// The same for a path: the parts of a list are escaped, what joins them is not.
std::string simple_path(const json::Value& parameter, const json::Value& value, bool version2) {
  if (!value.is_array()) return net::percent_encode(simple(parameter, value, version2));
  json::Value encoded = json::Value::array();
  for (const json::Value& item : value.items()) encoded.push_back(net::percent_encode(as_text(item)));
  const std::string_view separator = version2 ? version2_separator(parameter) : ",";
  const std::string escaped = separator == "," ? "," : net::percent_encode(separator);
  return joined(encoded, escaped);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string multipart(const Pairs& fields, const std::string& boundary) {
  std::string body;
  for (const auto& [name, value] : fields) {
    std::string quoted;
    for (const char c : name) quoted += c == '"' ? "%22" : c == '\r' || c == '\n' ? " " : std::string(1, c);
    body += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", boundary, quoted);
    body += value + "\r\n";
  }
  return body + fmt::format("--{}--\r\n", boundary);
}

Pairs form_pairs(const json::Value& object) {
  Pairs pairs;
  for (const json::Member& member : object.members()) {
    if (member.value.is_array()) {
      for (const json::Value& item : member.value.items()) pairs.emplace_back(member.name(), as_text(item));
    } else if (!member.value.is_null()) {
      pairs.emplace_back(member.name(), as_text(member.value));
    }
  }
  return pairs;
}

bool is_json(std::string_view type) { return type.starts_with("application/json") || type.ends_with("+json"); }

// The first of the offered types that we write best.
std::string choose_type(const std::vector<std::string>& offered, const json::Value& value) {
  for (const std::string& type : offered) {
    if (is_json(type)) return type;
  }
  for (const char* wanted : {"application/x-www-form-urlencoded", "multipart/form-data"}) {
    if (value.is_object() && std::find(offered.begin(), offered.end(), wanted) != offered.end()) return wanted;
  }
  if (offered.empty() || offered.front() == "*/*") return value.is_string() ? "text/plain; charset=utf-8" : "application/json";
  return offered.front();
}

}  // namespace

void ParameterWriter::add_query(const json::Value& parameter, const std::string& name, const json::Value& value) {
  if (version2_) {
    if (value.is_array() && text_or(parameter, "collectionFormat", "csv") == "multi") {
      for (const json::Value& item : value.items()) query_.emplace_back(name, as_text(item));
    } else {
      query_.emplace_back(name, simple(parameter, value, true));
    }
    return;
  }
  const std::string style = text_or(parameter, "style", "form");
  const bool explode = flag_or(parameter, "explode", style == "form");
  if (parameter.get("content").is_object()) {
    query_.emplace_back(name, json::to_text(value));
  } else if (value.is_object() && style == "deepObject") {
    for (const json::Member& member : value.members())
      query_.emplace_back(fmt::format("{}[{}]", name, member.name()), as_text(member.value));
  } else if (value.is_object() && explode) {
    for (const json::Member& member : value.members()) query_.emplace_back(member.name(), as_text(member.value));
  } else if (value.is_array() && explode) {
    for (const json::Value& item : value.items()) query_.emplace_back(name, as_text(item));
  } else if (value.is_array()) {
    query_.emplace_back(name, joined(value, style == "spaceDelimited" ? " " : style == "pipeDelimited" ? "|" : ","));
  } else {
    query_.emplace_back(name, simple(parameter, value, false));
  }
}

Result<void> ParameterWriter::add(const json::Value& parameter) {
  const std::string name = text_or(parameter, "name", "");
  const std::string in = text_or(parameter, "in", "");
  if (in == "body") {
    body_parameter_ = parameter;
    return boost::system::in_place_value;
  }
  const std::string lower_name = lower(name);
  const bool ours = in == "header" && (lower_name == "accept" || lower_name == "content-type" || lower_name == "authorization");
  const json::Value& value = given_.get(name);
  if (value.is_null()) {
    const json::Value& schema = parameter.get("schema");
    const bool has_default = parameter.find("default") != nullptr || schema.find("default") != nullptr;
    const bool required = flag_or(parameter, "required", false) || in == "path";
    if (required && !ours && !(has_default && in != "path"))
      return bad(fmt::format("the parameter '{}' ({}) is required and missing", name, in));
    return boost::system::in_place_value;
  }
  used_.insert(name);
  if (in == "query") {
    add_query(parameter, name, value);
  } else if (in == "path") {
    path_.emplace_back(name, simple_path(parameter, value, version2_));
  } else if (in == "header") {
    headers_.emplace_back(name, simple(parameter, value, version2_));
  } else if (in == "cookie") {
    cookies_.emplace_back(name, value.is_array() ? joined(value, ",") : as_text(value));
  } else if (in == "formData") {
    if (text_or(parameter, "type", "") == "file") has_form_file_ = true;
    if (value.is_array() && text_or(parameter, "collectionFormat", "csv") == "multi") {
      for (const json::Value& item : value.items()) form_.emplace_back(name, as_text(item));
    } else {
      form_.emplace_back(name, simple(parameter, value, true));
    }
  }
  return boost::system::in_place_value;
}

// All that no declared parameter has taken, as an object; null where nothing is left.
json::Value ParameterWriter::take_rest() {
  json::Value rest;
  if (!given_.is_object()) return rest;
  for (const json::Member& member : given_.members()) {
    if (used_.contains(std::string(member.name()))) continue;
    if (rest.is_null()) rest = json::Value::object();
    rest.set_shared(member.key, member.value);
  }
  if (rest.is_object()) {
    for (const json::Member& member : rest.members()) used_.emplace(member.name());
  }
  return rest;
}

Result<void> ParameterWriter::write_body(const json::Value& value, const std::string& media_type) {
  content_type_ = media_type;
  if (media_type.starts_with("application/x-www-form-urlencoded")) {
    if (!value.is_object()) return bad("the body of this operation is a form: an object is needed");
    body_ = net::build_query(form_pairs(value));
  } else if (media_type.starts_with("multipart/form-data")) {
    if (!value.is_object()) return bad("the body of this operation is a form: an object is needed");
    const std::string boundary = "pawl-" + sha256(json::to_text(value)).substr(0, 32);
    body_ = multipart(form_pairs(value), boundary);
    content_type_ = fmt::format("multipart/form-data; boundary={}", boundary);
  } else {
    body_ = is_json(media_type) ? json::to_text(value) : as_text(value);
  }
  return boost::system::in_place_value;
}

Result<void> ParameterWriter::add_body(const json::Value& request_body) {
  json::Value value;
  if (const json::Value* body = given_.find("body"); body != nullptr && !used_.contains("body")) {
    used_.insert("body");
    value = *body;
  } else {
    value = take_rest();
  }
  if (value.is_null()) {
    if (flag_or(request_body, "required", false)) return bad("the request body is required and missing (as the parameter 'body')");
    return boost::system::in_place_value;
  }
  std::vector<std::string> offered;
  if (request_body.get("content").is_object()) {
    for (const json::Member& member : request_body.get("content").members()) offered.emplace_back(member.name());
  }
  return write_body(value, choose_type(offered, value));
}

Result<void> ParameterWriter::add_version2_body(const json::Value& consumes) {
  std::vector<std::string> offered;
  if (consumes.is_array()) {
    for (const json::Value& type : consumes.items()) offered.push_back(as_text(type));
  }
  if (body_parameter_.is_object()) {
    const std::string name = text_or(body_parameter_, "name", "body");
    json::Value value = given_.get(name);
    used_.insert(name);
    if (value.is_null()) value = take_rest();
    if (!value.is_null()) return write_body(value, choose_type(offered, value));
    if (flag_or(body_parameter_, "required", false)) return bad(fmt::format("the parameter '{}' (body) is required and missing", name));
    return boost::system::in_place_value;
  }
  if (form_.empty()) return boost::system::in_place_value;
  const bool parts = has_form_file_ || (std::find(offered.begin(), offered.end(), "multipart/form-data") != offered.end() &&
                                        std::find(offered.begin(), offered.end(), "application/x-www-form-urlencoded") == offered.end());
  json::Value object = json::Value::object();
  for (const auto& [name, value] : form_) {
    const json::Value* before = object.find(name);
    if (before == nullptr) {
      object.set(name, value);
    } else {
      json::Value list = before->is_array() ? *before : json::Value::array({*before});
      list.push_back(value);
      object.set(name, std::move(list));
    }
  }
  return write_body(object, parts ? "multipart/form-data" : "application/x-www-form-urlencoded");
}

Result<void> ParameterWriter::check_all_used() const {
  if (given_.is_null()) return boost::system::in_place_value;
  if (!given_.is_object()) return bad("`parameters` is not an object");
  for (const json::Member& member : given_.members()) {
    if (!used_.contains(std::string(member.name()))) return bad(fmt::format("the operation has no parameter '{}'", member.name()));
  }
  return boost::system::in_place_value;
}

Result<net::OutboundRequest> ParameterWriter::finish(std::string uri) {
  for (const auto& [name, encoded] : path_) {
    const std::string hole = fmt::format("{{{}}}", name);
    // An empty segment or `..` would name another resource.
    if (encoded.empty() || encoded == "." || encoded == "..")
      return bad(fmt::format("the path parameter '{}' may not be '{}'", name, encoded));
    for (std::size_t at = uri.find(hole); at != std::string::npos; at = uri.find(hole, at + encoded.size()))
      uri.replace(at, hole.size(), encoded);
  }
  if (const std::size_t open = uri.find('{'); open != std::string::npos) {
    return Error(ErrorClass::invalid, "openapi.document",
                 fmt::format("the path {} has a parameter that the document does not declare", uri));
  }
  net::OutboundRequest request;
  request.url = query_.empty() ? std::move(uri) : net::with_query(uri, query_);
  request.headers = std::move(headers_);
  std::string cookie;
  for (const auto& [name, value] : cookies_) cookie += fmt::format("{}{}={}", cookie.empty() ? "" : "; ", name, net::percent_encode(value));
  if (!cookie.empty()) request.headers.emplace_back("Cookie", std::move(cookie));
  if (!content_type_.empty()) request.headers.emplace_back("Content-Type", content_type_);
  request.body = std::move(body_);
  return request;
}

}  // namespace pawl::functions
