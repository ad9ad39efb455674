/// An `Outbound` that answers from a script, for tests and the simulator: no thread, no socket, no clock.
///
///     ScriptedOutbound outbound;
///     outbound.on("GET", "http://a/x", [](const OutboundRequest&) { return OutboundResponse{.status = 200, .body = "hi"}; });
///     outbound.start({.url = "http://a/x"}, done);
///     outbound.deliver();   // now `done` runs
///
/// Not thread-safe: everything on one thread.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "net/outbound.hpp"

namespace pawl::net {

class ScriptedOutbound final : public Outbound {
 public:
  using Answer = std::function<Result<OutboundResponse>(const OutboundRequest&)>;

  /// The newest matching rule answers. An empty method matches any; a URL that ends with `*` matches by its beginning.
  void on(std::string method, std::string url, Answer answer);
  /// Without a rule that matches a request ends with `net.connect`.

  RequestHandle start(OutboundRequest request, Done done) override;
  void cancel(RequestHandle handle) override;

  /// Answers what has been started so far, in order; returns how many. What the callbacks start waits for the next call.
  std::size_t deliver();
  /// Answers the request at `index` of those waiting (the simulator chooses the order).
  void deliver_one(std::size_t index);
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  /// Every request ever started, in order.
  [[nodiscard]] const std::vector<OutboundRequest>& requests() const noexcept { return requests_; }

 private:
  struct Rule {
    std::string method;
    std::string url;
    Answer answer;
  };
  struct Waiting {
    RequestHandle handle = 0;
    OutboundRequest request;
    Done done;
    bool cancelled = false;
  };
  void answer(Waiting waiting);

  std::vector<Rule> rules_;
  std::deque<Waiting> waiting_;
  std::vector<OutboundRequest> requests_;
  RequestHandle next_ = 1;
};

}  // namespace pawl::net
