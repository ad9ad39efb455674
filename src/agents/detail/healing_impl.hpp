// What proposing (healing.cpp) and applying (healing_apply.cpp) share.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agents/healing.hpp"

namespace pawl::agents {

namespace detail {

/// What an approval is bound to.
[[nodiscard]] std::string digest_of(const json::Value& proposal);
[[nodiscard]] std::string text_of(const json::Value& object, std::string_view name);

}  // namespace detail

struct Healing::Impl : std::enable_shared_from_this<Healing::Impl> {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)), remedies(d.database, d.audit) {}

  /// The document that asks and applies, kept for the organization. Blocks.
  [[nodiscard]] Result<catalog::ExecutablePtr> healing_executable(const OrganizationId& organization);

  /// In the run that asked, once a person has decided. On the pool.
  void settle(const engine::Invocation& call, engine::Done done);
  void watch(const RunId& run);
  void record_end(const RunId& run, bool worked, TimePoint at);

  /// From now on the end of the run that asks settles the remedy.
  void watch_asking(const Remedy& remedy);
  /// Whether somebody sees to an unsettled remedy: whoever drafts it or applies it now, or the run that asks.
  [[nodiscard]] bool is_tended(const Remedy& remedy) const;
  /// Nobody tends it any more: it is failed, or found to be applied. On the pool; `applying` is settled a moment later.
  void settle_left(const OrganizationId& organization, const RemedyId& id, std::string_view why);
  /// The run that asked has ended. From any thread.
  void asking_ended(const RunId& run);

  /// Says that somebody works on the remedy, as long as it lives.
  class Tending {
   public:
    Tending(std::shared_ptr<Impl> healing, const RemedyId& id);
    Tending(const Tending&) = delete;
    Tending& operator=(const Tending&) = delete;
    ~Tending();

   private:
    std::shared_ptr<Impl> healing_;
    RemedyId id_;
  };

  Dependencies d;
  Remedies remedies;
  mutable std::mutex mutex;
  std::set<RunId> watched;                                      // guarded by mutex: results whose end is waited for
  std::map<RunId, std::pair<OrganizationId, RemedyId>> asking;  // guarded by mutex: runs that ask
  std::multiset<RemedyId> tended;                               // guarded by mutex: drafted or applied right now
};

}  // namespace pawl::agents
