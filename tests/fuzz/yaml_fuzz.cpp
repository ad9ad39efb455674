/// Whatever the text: a document, or findings that say where. What was read can be written as JSON and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "yaml/yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const auto result = yaml::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  PAWL_ASSERT(result.ok() || !result.findings.empty(), "a refusal has a reason");
  for (const Finding& finding : result.findings) PAWL_ASSERT(finding.line > 0 && !finding.rule.empty(), "a finding has its place and rule");
  if (!result.value) return 0;
  PAWL_ASSERT(result.value->value.depth() <= 64, "the depth is limited");
  PAWL_ASSERT(result.value->position("").line > 0, "the root has a place");
  return 0;
}
