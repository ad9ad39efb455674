#include "integrations/connector.hpp"

#include <algorithm>

#include "integrations/detail/probe.hpp"

namespace pawl::integrations {
namespace {

std::vector<Connector> make_connectors() {
  std::vector<Connector> all;
  for (auto* const make : {&detail::anthropic, &detail::dropbox, &detail::email, &detail::github, &detail::googledrive, &detail::http,
                           &detail::openai, &detail::postgres, &detail::s3, &detail::slack}) {
    all.push_back(make());
    for (const auto& member : all.back().schema.get("properties").members()) {
      if (member.value.get("writeOnly").truthy()) all.back().secret_fields.emplace_back(member.key.as_string());
    }
  }
  return all;
}

}  // namespace

bool Connector::is_secret(std::string_view field) const {
  return std::find(secret_fields.begin(), secret_fields.end(), field) != secret_fields.end();
}

std::span<const Connector> connectors() {
  static const auto all = make_connectors();
  return all;
}

const Connector* find_connector(std::string_view name) {
  for (const auto& connector : connectors()) {
    if (connector.name == name) return &connector;
  }
  return nullptr;
}

}  // namespace pawl::integrations
