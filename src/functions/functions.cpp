#include "functions/functions.hpp"

#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/process_runner.hpp"

namespace pawl::functions {

Result<void> add_builtin_functions(engine::FunctionRegistry& registry, const Dependencies& dependencies, const FunctionsOptions& options) {
  PAWL_TRY(roots, Roots::open(options.roots, options.hidden));
  Parts parts{dependencies, options, roots, nullptr, nullptr, &registry};
  parts.options.roots = roots->paths();
  parts.options.hidden = roots->hidden();
  parts.processes = std::make_shared<ProcessRunner>(parts.options);
  parts.http = std::make_shared<HttpExchanger>(dependencies.outbound);
#define PAWL_ADD_FUNCTION(make) registry.add(make(parts));
  PAWL_BUILTIN_FUNCTIONS(PAWL_ADD_FUNCTION)
#undef PAWL_ADD_FUNCTION
  return boost::system::in_place_value;
}

}  // namespace pawl::functions
