#include "net/scripted_outbound.hpp"

#include <utility>

#include "base/assert.hpp"

namespace pawl::net {

void ScriptedOutbound::on(std::string method, std::string url, Answer answer) {
  rules_.push_back({std::move(method), std::move(url), std::move(answer)});
}

RequestHandle ScriptedOutbound::start(OutboundRequest request, Done done) {
  requests_.push_back(request);
  waiting_.push_back({next_, std::move(request), std::move(done)});
  return next_++;
}

void ScriptedOutbound::cancel(RequestHandle handle) {
  for (auto& waiting : waiting_) {
    if (waiting.handle == handle) waiting.cancelled = true;
  }
}

std::size_t ScriptedOutbound::deliver() {
  const std::size_t count = waiting_.size();
  for (std::size_t i = 0; i < count; ++i) deliver_one(0);
  return count;
}

void ScriptedOutbound::deliver_one(std::size_t index) {
  PAWL_ASSERT(index < waiting_.size(), "no such request waits");
  auto waiting = std::move(waiting_[index]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
  answer(std::move(waiting));
}

void ScriptedOutbound::answer(Waiting waiting) {
  if (waiting.cancelled) return waiting.done(Error(ErrorClass::unavailable, "net.cancelled", "The request was cancelled."));
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (!rule->method.empty() && rule->method != waiting.request.method) continue;
    const bool matches = rule->url.ends_with('*')
                             ? waiting.request.url.starts_with(std::string_view(rule->url).substr(0, rule->url.size() - 1))
                             : waiting.request.url == rule->url;
    if (!matches) continue;
    auto result = rule->answer(waiting.request);
    if (result && result->effective_url.empty()) result->effective_url = waiting.request.url;
    if (result && waiting.request.on_body && result->status >= 200 && result->status < 300) {
      const auto body = std::exchange(result->body, {});
      if (!body.empty()) waiting.request.on_body(body);
    }
    return waiting.done(std::move(result));
  }
  waiting.done(Error(ErrorClass::unavailable, "net.connect", "No rule of the script answers " + waiting.request.url + "."));
}

}  // namespace pawl::net
