// What the gate tells the audit trail: every request that changes something, and every one that was not let in.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "api/route.hpp"
#include "audit/audit.hpp"
#include "base/time.hpp"
#include "http/request.hpp"
#include "http/responder.hpp"
#include "identity/principal.hpp"

namespace pawl::api::detail {

[[nodiscard]] audit::Actor actor_of(const identity::Principal& principal);

/// What becomes known of a request while it passes the gate. Written by one thread after the other.
struct Witness {
  identity::Principal principal;
  OrganizationId organization;  ///< nil until it is decided
};

/// The action is `<tag>.<operationId>`, the resource the last id of the path. Of bodies only the id of the run that `proposeRemedy` is
/// about is read. A change that succeeded is answered only when its record is durable; starts of runs and events do not wait for that.
/// Requests that were not let in (401, 403, 429) are recorded too, and failed ones of nobody, at most `kRefusedPerSecond`: the next
/// record then says how many were left out.
class Trail {
 public:
  Trail(audit::Log* log, const Clock& clock) : log_(log), clock_(clock) {}

  /// Whether requests of this row are recorded.
  [[nodiscard]] static bool concerns(const Route& route);
  /// The responder that records the answer on its way; there must be a log.
  [[nodiscard]] http::Responder follow(const Route& route, const http::Request& request, std::shared_ptr<Witness> witness,
                                       http::Responder responder);
  /// False where a record could not be written now: then nothing may be changed.
  [[nodiscard]] bool ready() const { return log_ == nullptr || log_->ready(); }

  static constexpr int kRefusedPerSecond = 20;

 private:
  friend class TrailSink;
  /// Whether this refusal is recorded; `left_out`: how many before it were not.
  [[nodiscard]] bool take_refusal(std::uint64_t& left_out);

  audit::Log* log_;
  const Clock& clock_;
  std::mutex mutex_;
  std::int64_t second_ = 0;     // guarded by mutex_
  int in_second_ = 0;           // guarded by mutex_
  std::uint64_t left_out_ = 0;  // guarded by mutex_
};

}  // namespace pawl::api::detail
