// Who listens, for the hub: whatever stays open ends with the permission it was opened with.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "api/detail/context.hpp"
#include "live/hub.hpp"

namespace pawl::api::detail {

/// The caller, in the organization that the request acts in.
[[nodiscard]] live::Subscriber subscriber_of(const Call& call);

/// Takes a place among the caller's open streams, and lets the hub end this one: the caller signed out or is no member any more, the key
/// was revoked, the token has expired.
class Watch final : public live::Receiver {
 public:
  void begin(std::shared_ptr<http::EventStream> stream) {
    const std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
    if (ended_) stream_->close();
  }
  bool subscribed(const std::vector<std::string>&, std::string_view) override { return true; }
  bool event(const live::EventPtr&) override { return true; }
  bool reset(std::string_view) override { return true; }
  void end(live::End) override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (stream_) stream_->close();
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<http::EventStream> stream_;
  bool ended_ = false;
};

}  // namespace pawl::api::detail
