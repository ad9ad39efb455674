#include "functions/mcp_servers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "dsl/schema.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "yaml/yaml.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kShape = R"json({
  "type": "object", "additionalProperties": false, "required": ["servers"],
  "properties": {"servers": {
    "type": "object", "maxProperties": 200, "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "additionalProperties": {
      "type": "object", "additionalProperties": false,
      "properties": {
        "command": {"type": "string", "minLength": 1},
        "arguments": {"type": "array", "items": {"type": ["string", "number", "boolean"]}},
        "environment": {"type": "object", "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "programs": {"type": "array", "items": {"type": "string", "pattern": "^/"}},
        "roots": {"enum": ["none", "read", "write"]},
        "network": {"type": "boolean"},
        "url": {"type": "string", "pattern": "^https?://"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "trust_annotations": {"type": "boolean"},
        "organizations": {"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}
      },
      "oneOf": [{"required": ["command"], "not": {"required": ["headers"]}},
                {"required": ["url"], "not": {"anyOf": [{"required": ["arguments"]}, {"required": ["environment"]}, {"required": ["programs"]},
                                                       {"required": ["roots"]}, {"required": ["network"]}]}}]
    }
  }}
})json";

Error bad(std::string message) { return {ErrorClass::invalid, "mcp.servers", std::move(message)}; }

Error first_of(const Findings& findings) {
  const auto& finding = findings.front();
  return bad(fmt::format("{}{}{}", finding.line > 0 ? fmt::format("line {}: ", finding.line) : finding.pointer,
                         finding.line > 0 ? "" : ": ", finding.message));
}

std::vector<std::pair<std::string, std::string>> pairs_of(const json::Value& object) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (!object.is_object()) return pairs;
  for (const auto& member : object.members()) pairs.emplace_back(member.name(), as_text(member.value));
  return pairs;
}

std::vector<std::string> texts_of(const json::Value& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const auto& item : list.items()) texts.push_back(as_text(item));
  return texts;
}

}  // namespace

Result<std::vector<McpServer>> read_mcp_servers(std::string_view text) {
  const auto document = yaml::parse(text);
  if (!document.ok()) return first_of(document.findings);
  auto shape = dsl::Schema::compile(literal(kShape));
  PAWL_ASSERT(shape.has_value(), "the shape is part of the program");
  if (const auto findings = shape->validate(document.value->value); !findings.empty()) return first_of(findings);
  std::vector<McpServer> servers;
  for (const auto& entry : document.value->value.get("servers").members()) {
    const auto& given = entry.value;
    McpServer server;
    server.name = entry.name();
    server.command = text_or(given, "command", "");
    server.arguments = texts_of(given.get("arguments"));
    server.environment = pairs_of(given.get("environment"));
    server.programs = texts_of(given.get("programs"));
    const auto roots = text_or(given, "roots", "none");
    server.roots = roots == "read" ? McpServer::Roots::read : roots == "write" ? McpServer::Roots::write : McpServer::Roots::none;
    server.network = flag_or(given, "network", false);
    server.url = text_or(given, "url", "");
    server.headers = pairs_of(given.get("headers"));
    server.trust_annotations = flag_or(given, "trust_annotations", false);
    server.for_all = given.get("organizations") == json::Value("all");
    for (const auto& id : texts_of(given.get("organizations"))) {
      const auto organization = OrganizationId::parse(id);
      if (!organization) return bad(fmt::format("{}: `{}` is not the id of an organization", server.name, id));
      server.organizations.push_back(*organization);
    }
    servers.push_back(std::move(server));
  }
  return servers;
}

}  // namespace pawl::functions
