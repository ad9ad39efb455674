/// Whatever the expression and its input: results or an error, soon, within the limits. The first line of the data is the program, the rest
/// the input (JSON, else null).
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "jq/jq.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cut = text.find('\n');
  const std::string_view names[] = {"x"};
  auto program = jq::compile(text.substr(0, cut), names);
  if (program.has_error()) {
    PAWL_ASSERT(program.error().findings.size() == 1 || program.error().code == "jq.syntax", "a compile error has its place");
    return 0;
  }
  json::Value input;
  if (cut != std::string_view::npos) {
    if (auto parsed = json::parse(text.substr(cut + 1)); parsed.has_value()) input = parsed.value();
  }
  static const jq::Program kPrint = jq::compile("tojson | fromjson").value();
  const auto before = json::live_bytes();
  {
    const json::Value variables[] = {input};
    jq::Context context;
    context.variables = variables;
    context.now = TimePoint(Millis(1'700'000'000'000));
    context.limits.fuel = 100'000;
    context.limits.memory_bytes = 64 << 20;
    jq::Evaluation evaluation(program.value(), input, context);
    for (int i = 0; i < 2'000; ++i) {
      auto result = evaluation.next();
      if (result.has_error() || !result.value()) break;
      // Results must be as good as any value.
      if (result.value()->depth() < 500 && i < 20) {
        jq::Context printing;
        printing.limits = context.limits;
        static_cast<void>(jq::first(kPrint, std::move(*result.value()), printing));
      }
    }
  }
  constexpr std::int64_t kConstants = 4096;  // of built-in functions, made at their first use
  PAWL_ASSERT(json::live_bytes() - before < kConstants, "an evaluation gives back what it took");
  return 0;
}
