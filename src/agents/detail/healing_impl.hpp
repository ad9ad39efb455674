// What proposing (healing.cpp) and applying (healing_apply.cpp) share.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "agents/healing.hpp"

namespace pawl::agents {

namespace detail {

/// What an approval is bound to.
[[nodiscard]] std::string digest_of(const json::Value& proposal);
[[nodiscard]] std::string text_of(const json::Value& object, std::string_view name);

}  // namespace detail

struct Healing::Impl : std::enable_shared_from_this<Healing::Impl> {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)), remedies(d.database) {}

  /// The document that asks and applies, kept for the organization. Blocks.
  [[nodiscard]] Result<catalog::ExecutablePtr> healing_executable(const OrganizationId& organization);

  /// In the run that asked, once a person has decided. On the pool.
  void settle(const engine::Invocation& call, engine::Done done);
  void watch(const RunId& run);
  void record_end(const RunId& run, bool worked, TimePoint at);

  Dependencies d;
  Remedies remedies;
  mutable std::mutex mutex;
  std::set<RunId> watched;  // guarded by mutex: results whose end is waited for
};

}  // namespace pawl::agents
