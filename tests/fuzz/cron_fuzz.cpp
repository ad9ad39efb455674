/// Whatever the text: a schedule that comes, or a sentence that says why not. The first line is the expression; the rest names the time
/// from which it is asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.hpp"
#include "dsl/cron.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pawl;
  using dsl::Cron;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto cut = text.find('\n');
  const auto parsed = Cron::parse(text.substr(0, cut));
  if (parsed.has_error()) {
    PAWL_ASSERT(parsed.error().code == "dsl.cron" && !parsed.error().message.empty(), "a refusal has a reason");
    return 0;
  }
  std::uint32_t offset = 0;
  for (const char c : cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1))
    offset = offset * 31 + static_cast<unsigned char>(c);
  Cron::LocalTime time{std::chrono::seconds(offset)};  // 1970 to 2106
  for (int i = 0; i < 5; ++i) {
    const auto next = parsed->next(time);
    PAWL_ASSERT(next.has_value(), "what never comes was refused");
    PAWL_ASSERT(*next > time && parsed->matches(*next), "the next time lies ahead and fits");
    // None of those between fits: all of the first ones, and some further on.
    const auto gap = (*next - time).count();
    for (std::int64_t step = 1, between = 1; between < gap; between += step) {
      PAWL_ASSERT(!parsed->matches(time + std::chrono::seconds(between)), "none is passed over");
      if (between >= 120) step = 1 + gap / 50;
    }
    time = *next;
  }
  return 0;
}
