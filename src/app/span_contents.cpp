#include "app/span_contents.hpp"

#include <algorithm>
#include <utility>

namespace pawl::app {
namespace {

constexpr std::string_view kModel = "llm";
constexpr audit::RedactOptions kShown{.max_text = 16U << 10U, .max_depth = 64};

/// `.../turn/3/tool/0`: a call that a model asked for, and no step of it. Not within a function of a catalog (`/call/NAME:VERSION/`): what
/// that was given may be a secret of the run, and its calls do not know those.
bool is_tool_call(std::string_view reference) {
  const auto last = reference.rfind('/');
  return last != std::string_view::npos && reference.substr(0, last).ends_with("/tool") &&
         reference.find("/turn/") != std::string_view::npos && reference.find("/call/") == std::string_view::npos;
}

}  // namespace

bool SpanContents::is_told(const engine::Invocation& call, std::string_view function) {
  return !call.dry_run && (function == kModel || is_tool_call(call.reference));
}

engine::Done SpanContents::keeping(observe::SpanId span, const engine::Invocation& call, std::string_view function, engine::Done done) {
  return [this, span, is_model = function == kModel, arguments = call.arguments, secrets = call.secrets,
          done = std::move(done)](engine::Outcome outcome) {
    const auto needles = audit::Needles::of(secrets);
    const auto clean = [&](const json::Value& value) { return redactor_.value(value, kShown, &needles); };
    models::Attributes content;
    if (!is_model) {
      content = models::content_of_tool(arguments, outcome.ok() ? outcome.output : outcome.error, clean);
    } else {
      content = models::content_of_request(arguments, clean);
      if (outcome.ok()) {
        auto reply = models::content_of_reply(outcome.output, clean);
        content.insert(content.end(), std::make_move_iterator(reply.begin()), std::make_move_iterator(reply.end()));
      }
    }
    keep(span, std::move(content));
    done(std::move(outcome));
  };
}

void SpanContents::keep(observe::SpanId span, models::Attributes attributes) {
  Entry entry{std::move(attributes), 0};
  for (const auto& [name, value] : entry.attributes) entry.bytes += name.size() + value.size();
  const std::lock_guard lock(mutex_);
  if (entry.bytes > most_bytes_ || kept_.contains(span)) return;
  bytes_ += entry.bytes;
  kept_.emplace(span, std::move(entry));
  order_.push_back(span);
  while (!order_.empty()) {
    const auto oldest = kept_.find(order_.front());
    if (oldest != kept_.end() && bytes_ <= most_bytes_) break;
    if (oldest != kept_.end()) {
      bytes_ -= oldest->second.bytes;
      kept_.erase(oldest);
    }
    order_.pop_front();
  }
}

models::Attributes SpanContents::take(observe::SpanId span) {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(span);
  if (found == kept_.end()) return {};
  bytes_ -= found->second.bytes;
  auto attributes = std::move(found->second.attributes);
  kept_.erase(found);
  return attributes;
}

}  // namespace pawl::app
