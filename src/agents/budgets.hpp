/// What an organization's model calls may take in a month (UTC), and what they have taken: the ledger of the model client, in the database.
///
/// Every request reserves before it is made and settles afterwards. Both are writes of the one writer, in the order of the calls: a request
/// is made when its reservation is durable, and whatever follows from its answer is durable after its settlement. So after `kill -9` each
/// request of the process either is settled with what it took, or is still reserved with the most that it could take; `start` counts the
/// latter as used, since the provider may have been paid. Nothing is lost, and nothing counts twice: a call that is made again is another
/// one, for the provider too.
///
/// The limit that holds is the organization's own, else the installation's default: that of the nil organization. A lower limit than what
/// is used already refuses every further request.
///
/// All state is in the database: as many of these as one likes say the same.
#pragma once

#include <cstdint>
#include <optional>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/ledger.hpp"
#include "storage/database.hpp"

namespace pawl::agents {

/// Of a month; nothing: no limit.
struct BudgetLimits {
  std::optional<std::int64_t> tokens{};
  std::optional<std::int64_t> cost{};  ///< billionths of a US dollar
};

struct BudgetState {
  enum class Source : std::uint8_t { none, installation, organization };
  BudgetLimits limits;
  Source source = Source::none;  ///< whose limits they are
  TimePoint from{};              ///< of the period
  TimePoint until{};
  std::int64_t calls = 0;   ///< requests that were settled
  models::Amount used;      ///< `assumed` included
  models::Amount reserved;  ///< by requests that are under way
  models::Amount assumed;   ///< of `used`: counted in full since nobody knows what it was
  std::optional<TimePoint> updated_at{};
  UserId updated_by;  ///< nil: the installation's own key
};

class Budgets final : public models::Ledger {
 public:
  /// `audit` may be null. All outlive this object, which outlives the model client.
  Budgets(storage::Database& database, audit::Log* audit, const Clock& clock, Random& random)
      : database_(database), audit_(audit), clock_(clock), random_(random) {}

  /// Once, before any request: counts what an earlier process had reserved as used. Blocks, as do `state` and `set`.
  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<BudgetState> state(const OrganizationId& organization);
  /// Sets the organization's own limits; nothing: the installation's default holds again. Of the nil organization: that default. It is in
  /// the audit trail by the same transaction.
  [[nodiscard]] Result<void> set(const OrganizationId& organization, const std::optional<BudgetLimits>& limits, const audit::Actor& by);

  void reserve(const models::Claim& claim, Done done) override;
  void settle(const models::Grant& grant, std::optional<models::Amount> used) override;

 private:
  storage::Database& database_;
  audit::Log* audit_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace pawl::agents
