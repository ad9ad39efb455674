/// Concurrency keys: how many runs of one key are active at a time in an organization, who waits, and who is next.
///
/// A run with a key takes a place when it starts and gives it back when its end is durable; between the two it counts, whether it works,
/// waits or is suspended. Where no place is free its policy decides: `queue` waits as a run in phase `pending`, `skip` does not start,
/// `replace` has the others of the key cancelled and waits for their ends. The waiting ones are let in by priority, then in order of their
/// ids, which is the order of arrival. Keys of organizations have nothing to do with each other, so no organization waits for another one.
///
/// What is durable: a run that waits is an open run like any other (`RunQueued` is its first event), and a row in `run_places` says for
/// which key; the gate itself is memory and comes back from those rows. A child (`run: workflow`) works in its parent's place and takes
/// none of its own, so no run can wait for a place that its own child or parent holds. Dry runs take none either.
///
/// Thread-safe: the shards share one gate. No call blocks for longer than a look into a map.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "json/value.hpp"

namespace pawl::engine {

/// Runs that may wait for one key; a further start is refused.
inline constexpr std::size_t kMaxWaitingPerKey = 10'000;
inline constexpr std::int64_t kMaxConcurrency = 1000;
inline constexpr std::int64_t kMaxPriority = 100;  ///< and the least is its negative

/// What a start may ask for.
struct Concurrency {
  enum class Policy : std::uint8_t { queue, skip, replace };
  std::string key;          ///< empty: the workflow's own
  std::uint32_t limit = 1;  ///< the run is let in while fewer than this are active
  Policy policy = Policy::queue;
};
[[nodiscard]] std::string_view to_text(Concurrency::Policy policy);
[[nodiscard]] std::optional<Concurrency::Policy> concurrency_policy(std::string_view text);

/// `concurrency` of a document's metadata (`{limit, policy?, key?}`), which holds for every start that does not name its own.
[[nodiscard]] std::optional<Concurrency> concurrency_of(const json::Value& metadata);

/// A run's claim to a place.
struct Seat {
  OrganizationId organization;
  std::string key;  ///< as given, or what stands for the workflow's own: starts with a space, which no given key holds
  std::uint32_t limit = 1;
  std::int32_t priority = 0;
};
[[nodiscard]] Seat seat_of(const OrganizationId& organization, const WorkflowId& workflow, const Concurrency& concurrency,
                           std::int32_t priority);

class ConcurrencyGate {
 public:
  struct Decision {
    enum class Entry : std::uint8_t { admitted, waits, refused, full };
    Entry entry = Entry::admitted;
    std::vector<RunId> replaced;        ///< to be cancelled
    std::optional<RunId> in_the_way{};  ///< of a refusal: one that is active
  };
  [[nodiscard]] Decision enter(const RunId& run, const Seat& seat, Concurrency::Policy policy);
  /// The run has ended, or is not there: who is let in now. Harmless for one that has no place.
  [[nodiscard]] std::vector<RunId> leave(const RunId& run);

  /// After a restart: `restore` of every row, then once `fill`: who is let in now.
  void restore(const RunId& run, const Seat& seat, bool admitted);
  [[nodiscard]] std::vector<RunId> fill();

  /// One sentence for people: what a waiting run waits for. Empty where it does not wait.
  [[nodiscard]] std::string waiting_reason(const RunId& run) const;

  struct Statistics {
    std::uint64_t active = 0;
    std::uint64_t waiting = 0;
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Waiting {
    std::int32_t priority = 0;
    RunId run;
    std::uint32_t limit = 1;
    friend bool operator<(const Waiting& a, const Waiting& b) { return a.priority != b.priority ? a.priority > b.priority : a.run < b.run; }
  };
  using Key = std::pair<OrganizationId, std::string>;
  struct Line {
    std::set<RunId> active;
    std::set<Waiting> waiting;
  };
  struct Place {
    Key key;
    Waiting waiting;
  };
  void let_in(Line& line, std::vector<RunId>& admitted);

  mutable std::mutex mutex_;
  std::map<Key, Line> lines_;
  std::unordered_map<RunId, Place> places_;
};

}  // namespace pawl::engine
