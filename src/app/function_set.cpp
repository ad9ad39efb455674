#include "app/function_set.hpp"

#include "async/blocking_pool.hpp"
#include "base/assert.hpp"
#include "functions/functions.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::app {

struct FunctionSet::Impl {
  SystemClock clock;
  SystemRandom random;
  async::BlockingPool pool{"pawl-work", 1, 1};
  net::ScriptedOutbound outbound;  // nothing is called
  engine::FunctionRegistry registry;
};

FunctionSet::FunctionSet() : impl_(std::make_unique<Impl>()) {
  const auto added = functions::add_builtin_functions(impl_->registry, {impl_->outbound, impl_->pool, impl_->clock, impl_->random}, {});
  PAWL_ASSERT(added.has_value(), "without folders there is nothing that could be missing");
}
FunctionSet::~FunctionSet() = default;

const engine::FunctionRegistry& FunctionSet::registry() const { return impl_->registry; }

}  // namespace pawl::app
