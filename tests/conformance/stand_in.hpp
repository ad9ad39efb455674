/// A local server that answers for the public hosts that the conformance kit and the examples name.
#pragma once

#include <memory>
#include <string>

#include "local_engine.hpp"

namespace pawl::conformance {

/// petstore.swagger.io (pets, Swagger 2.0 document), httpbin.org (basic-auth, bearer, status, anything, flaky), swapi.dev (people,
/// planets). Listens on loopback for as long as it lives.
class StandIn {
 public:
  StandIn();
  ~StandIn();
  /// `http://127.0.0.1:PORT`
  [[nodiscard]] std::string address() const;
  [[nodiscard]] HostMap hosts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::conformance
