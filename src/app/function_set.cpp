#include "app/function_set.hpp"

#include <fmt/core.h>

#include <cstdio>

#include "agents/memory_functions.hpp"
#include "app/findings.hpp"
#include "async/blocking_pool.hpp"
#include "base/assert.hpp"
#include "functions/functions.hpp"
#include "functions/mcp_servers.hpp"
#include "functions/remote_functions.hpp"
#include "functions/user_functions.hpp"
#include "models/llm_function.hpp"
#include "net/curl_outbound.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::app {

namespace {

/// Nobody is asked anything.
class NoProviders final : public models::Providers {
 public:
  [[nodiscard]] Result<models::Endpoint> endpoint(const OrganizationId&, std::string_view) const override {
    return Error(ErrorClass::unavailable, "llm.not_configured", "This command asks no models.");
  }
  [[nodiscard]] std::string default_provider(const OrganizationId&) const override { return {}; }
};

}  // namespace

struct FunctionSet::Impl {
  SystemClock clock;
  SystemRandom random;
  async::BlockingPool pool{"pawl-work", 1, 1};
  net::ScriptedOutbound outbound;  // nothing is called
  engine::FunctionRegistry registry;
  std::unique_ptr<net::CurlOutbound> network;  // made when somebody needs it
  std::unique_ptr<functions::RemoteFunctions> remote;
  NoProviders providers;
  models::Client models{{.outbound = outbound, .providers = providers, .clock = clock, .random = random, .after = {}}};
};

FunctionSet::FunctionSet(const config::Config* config) : impl_(std::make_unique<Impl>()) {
  const auto added = functions::add_builtin_functions(impl_->registry, {impl_->outbound, impl_->pool, impl_->clock, impl_->random}, {});
  const auto asking = functions::add_mcp_functions(impl_->registry, {impl_->outbound, impl_->pool, impl_->clock, impl_->random}, {}, {});
  impl_->registry.add(models::make_llm_function({impl_->models, impl_->registry}));
  agents::add_memory_functions(impl_->registry, {});
  PAWL_ASSERT(added.has_value() && asking.has_value(), "without folders there is nothing that could be missing");
  if (config == nullptr) return;
  auto loaded = functions::load_user_functions(config->plugin_directory, impl_->registry);
  for (const auto& [file, finding] : loaded.findings) {
    fmt::print(stderr, "{}\n", finding_line(config->plugin_directory + "/" + file, finding));
  }
  impl_->registry.publish(std::move(loaded.functions));
  impl_->registry.set_remote([impl = impl_.get(), ca_file = config->ca_file](const dsl::FunctionCatalog::Remote& wanted) {
    if (impl->remote == nullptr) {
      net::CurlOptions curl;
      curl.policy.allow_private = true;  // it is the person at the keyboard who asks
      curl.ca_file = ca_file;
      impl->network = std::make_unique<net::CurlOutbound>(std::move(curl));
      impl->remote = std::make_unique<functions::RemoteFunctions>(*impl->network, impl->registry, std::string());
    }
    return impl->remote->get(wanted);
  });
}
FunctionSet::~FunctionSet() = default;

const engine::FunctionRegistry& FunctionSet::registry() const { return impl_->registry; }

}  // namespace pawl::app
