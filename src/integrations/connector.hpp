/// Connectors: the outside services that an organization can store credentials for.
///
/// A connector is a declaration: the JSON Schema of its configuration (secret fields carry `writeOnly: true`), the hosts its credentials
/// may be sent to, and a test that really talks to the service. One file each in `detail/`; `connectors()` lists them.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"
#include "net/address_policy.hpp"
#include "net/outbound.hpp"

namespace pawl::integrations {

/// What a test found. `detail` is a sentence of ours: it repeats nothing that the other side sent, and no secret.
struct Verdict {
  bool ok = false;
  std::string detail;
};

/// What a test may use. Lives as long as the test.
struct ProbeTools {
  net::Outbound& outbound;
  const net::AddressPolicy& policy;  ///< for what does not go through `outbound`: databases, mail
  std::chrono::seconds now;          ///< since 1970, for signed claims
  std::chrono::steady_clock::time_point deadline;
};

struct Connector {
  std::string name;
  std::string title;
  std::string summary;
  json::Value schema;                      ///< of the whole configuration
  std::vector<std::string> secret_fields;  ///< the members with `writeOnly`
  std::string bearer_field;                ///< the one that goes into `Authorization: Bearer`; empty: none
  /// Host names (`*.` in front: and all below it) that the credentials may go to.
  std::function<std::vector<std::string>(const json::Value& config)> hosts;
  /// Talks to the service; blocks until the deadline at the latest.
  std::function<Verdict(const json::Value& config, const ProbeTools& tools)> test;

  [[nodiscard]] bool is_secret(std::string_view field) const;
};

/// All connectors, by name.
[[nodiscard]] std::span<const Connector> connectors();
[[nodiscard]] const Connector* find_connector(std::string_view name);

}  // namespace pawl::integrations
