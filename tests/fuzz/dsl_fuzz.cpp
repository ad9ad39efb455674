/// Whatever the text: a plan or findings, never both without reason; the plan's tasks hold together.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "dsl/compile.hpp"
#include "dsl/describe.hpp"
#include "dsl/detail/test_catalog.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  static const dsl::TestCatalog catalog;
  dsl::CompileLimits limits;
  limits.max_tasks = 500;
  const auto result = dsl::compile(std::string_view(reinterpret_cast<const char*>(data), size), catalog, limits);
  PAWL_ASSERT(result.value.has_value() == result.ok(), "a plan means that there are no errors");
  PAWL_ASSERT(result.ok() || !result.findings.empty(), "a refusal has a reason");
  if (!result.ok()) return 0;
  const dsl::Plan& plan = **result.value;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const dsl::Task& task = plan.tasks[i];
    PAWL_ASSERT(task.index == i && !task.reference.empty(), "tasks are numbered in order and have references");
    PAWL_ASSERT(task.parent == dsl::kNoTask || task.parent < i, "what holds a task comes before it");
    if (const auto* call = std::get_if<dsl::InvokeTask>(&task.body)) PAWL_ASSERT(call->callee < plan.tasks.size(), "a call has its copy");
  }
  (void)dsl::graph(plan);
  return 0;
}
