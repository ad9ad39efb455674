/// What models and tools were told and said, for their spans (`PAWL_TRACE_CONTENT`): kept from the answer of a call until its span is
/// written, which is when the run has taken the answer.
///
/// Nothing of it is a known secret: those of the installation and of the run are taken out, and values under the names of secrets. It is
/// bounded: where spans do not come (a call that nobody waited for any more), the oldest go.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "audit/redact.hpp"
#include "engine/function.hpp"
#include "models/trace_content.hpp"
#include "observe/trace.hpp"

namespace pawl::app {

class SpanContents {
 public:
  /// `redactor` outlives it.
  explicit SpanContents(const audit::Redactor& redactor, std::size_t most_bytes = 32U << 20U)
      : redactor_(redactor), most_bytes_(most_bytes) {}

  /// Is this a call whose content is told: of a model, or of a tool by a model?
  [[nodiscard]] static bool is_told(const engine::Invocation& call, std::string_view function);
  /// `done`, which first keeps what the call carried. It works on the thread that answers.
  [[nodiscard]] engine::Done keeping(observe::SpanId span, const engine::Invocation& call, std::string_view function, engine::Done done);
  /// Once.
  [[nodiscard]] models::Attributes take(observe::SpanId span);

 private:
  struct Entry {
    models::Attributes attributes;
    std::size_t bytes = 0;
  };
  void keep(observe::SpanId span, models::Attributes attributes);

  const audit::Redactor& redactor_;
  const std::size_t most_bytes_;
  std::mutex mutex_;  // of what follows
  std::unordered_map<observe::SpanId, Entry> kept_;
  std::deque<observe::SpanId> order_;  // the oldest first; some are gone
  std::size_t bytes_ = 0;
};

}  // namespace pawl::app
