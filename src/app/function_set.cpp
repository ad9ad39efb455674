#include "app/function_set.hpp"

#include "async/blocking_pool.hpp"
#include "base/assert.hpp"
#include "functions/functions.hpp"
#include "functions/mcp_servers.hpp"
#include "models/llm_function.hpp"
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
  NoProviders providers;
  models::Client models{{.outbound = outbound, .providers = providers, .clock = clock, .random = random, .after = {}}};
};

FunctionSet::FunctionSet() : impl_(std::make_unique<Impl>()) {
  const auto added = functions::add_builtin_functions(impl_->registry, {impl_->outbound, impl_->pool, impl_->clock, impl_->random}, {});
  const auto asking = functions::add_mcp_functions(impl_->registry, {impl_->outbound, impl_->pool, impl_->clock, impl_->random}, {}, {});
  impl_->registry.add(models::make_llm_function({impl_->models, impl_->registry}));
  PAWL_ASSERT(added.has_value() && asking.has_value(), "without folders there is nothing that could be missing");
}
FunctionSet::~FunctionSet() = default;

const engine::FunctionRegistry& FunctionSet::registry() const { return impl_->registry; }

}  // namespace pawl::app
