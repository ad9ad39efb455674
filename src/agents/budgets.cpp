#include "agents/budgets.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

namespace pawl::agents {
namespace {

using models::Amount;
using storage::Row;
using storage::Session;
using storage::Transaction;

constexpr double kNano = 1e9;

// The row of no organization is the installation's default; the organization's own one comes after it.
constexpr std::string_view kLimits =
    "select tokens, cost, updated_at, updated_by, organization_id from model_budgets where organization_id = $1 or organization_id = $2 "
    "order by organization_id";
constexpr std::string_view kNewLimits =
    "insert into model_budgets (organization_id, tokens, cost, updated_at, updated_by) values ($1, $2, $3, $4, $5)";
constexpr std::string_view kUsage =
    "select calls, used_tokens, used_cost, reserved_tokens, reserved_cost, assumed_tokens, assumed_cost from model_usage "
    "where organization_id = $1 and period = $2";
constexpr std::string_view kNewUsage =
    "insert into model_usage (organization_id, period, calls, used_tokens, used_cost, reserved_tokens, reserved_cost, assumed_tokens, "
    "assumed_cost) values ($1, $2, 0, 0, 0, 0, 0, 0, 0) on conflict do nothing";
constexpr std::string_view kReserve =
    "update model_usage set reserved_tokens = reserved_tokens + $1, reserved_cost = reserved_cost + $2 "
    "where organization_id = $3 and period = $4";
constexpr std::string_view kReservation =
    "insert into model_reservations (id, organization_id, period, tokens, cost, created_at) values ($1, $2, $3, $4, $5, $6)";
constexpr std::string_view kSettle =
    "update model_usage set calls = calls + 1, used_tokens = used_tokens + $1, used_cost = used_cost + $2, "
    "assumed_tokens = assumed_tokens + $3, assumed_cost = assumed_cost + $4, reserved_tokens = reserved_tokens - $5, "
    "reserved_cost = reserved_cost - $6 where organization_id = $7 and period = $8";

struct Month {
  TimePoint from;
  TimePoint until;
};

Month month_of(TimePoint now) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(now));
  const auto first = [](std::chrono::year_month month) { return TimePoint(std::chrono::sys_days(month / 1)); };
  const auto month = day.year() / day.month();
  return {first(month), first(month + std::chrono::months(1))};
}

Result<void> read_limits(Session& session, const OrganizationId& organization, BudgetState& state) {
  return session.query(kLimits, {OrganizationId(), organization}, [&](const Row& row) {
    const bool is_own = row.id<OrganizationId>(4) == organization;
    state.source = is_own ? BudgetState::Source::organization : BudgetState::Source::installation;
    state.limits = {};
    if (!row.is_null(0)) state.limits.tokens = row.integer(0);
    if (!row.is_null(1)) state.limits.cost = row.integer(1);
    if (!is_own) return;
    state.updated_at = row.time(2);
    state.updated_by = row.id<UserId>(3);
  });
}

Result<void> read_usage(Session& session, const OrganizationId& organization, TimePoint period, BudgetState& state) {
  return session.query(kUsage, {organization, period}, [&](const Row& row) {
    state.calls = row.integer(0);
    state.used = {row.integer(1), row.integer(2)};
    state.reserved = {row.integer(3), row.integer(4)};
    state.assumed = {row.integer(5), row.integer(6)};
  });
}

Error refused(std::string message) { return {ErrorClass::limited, "llm.budget", std::move(message)}; }

/// Whether the request fits into what is left.
Result<void> check(const BudgetState& state, const models::Claim& claim) {
  if (state.limits.tokens) {
    const auto taken = state.used.tokens + state.reserved.tokens;
    if (claim.most.tokens > *state.limits.tokens - taken) {
      return refused(
          fmt::format("The organization's budget of model calls is spent: {} of {} tokens of this month are used or reserved, and the call "
                      "may take {}.",
                      taken, *state.limits.tokens, claim.most.tokens));
    }
  }
  if (!state.limits.cost) return {};
  if (!claim.is_priced) {
    return refused("What the model costs is not known, and the organization's budget limits the cost: name its price (LLM_PRICES).");
  }
  const auto taken = state.used.cost + state.reserved.cost;
  if (claim.most.cost > *state.limits.cost - taken) {
    const auto dollars = [](std::int64_t cost) { return static_cast<double>(cost) / kNano; };
    return refused(
        fmt::format("The organization's budget of model calls is spent: {} of {} US dollars of this month are used or reserved, and the "
                    "call may take {}.",
                    dollars(taken), dollars(*state.limits.cost), dollars(claim.most.cost)));
  }
  return {};
}

json::Value to_json(const std::optional<BudgetLimits>& limits) {
  if (!limits) return {};
  const auto or_null = [](const std::optional<std::int64_t>& value) { return value ? json::Value(*value) : json::Value(); };
  return json::Value::object({{"tokens", or_null(limits->tokens)}, {"cost_nano", or_null(limits->cost)}});
}

}  // namespace

Result<void> Budgets::start() {
  return database_.write_and_wait([](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute(
        "update model_usage set used_tokens = used_tokens + reserved_tokens, used_cost = used_cost + reserved_cost, "
        "assumed_tokens = assumed_tokens + reserved_tokens, assumed_cost = assumed_cost + reserved_cost, reserved_tokens = 0, "
        "reserved_cost = 0 where reserved_tokens <> 0 or reserved_cost <> 0"));
    PAWL_TRY_VOID(transaction.execute("delete from model_reservations"));
    return {};
  });
}

Result<BudgetState> Budgets::state(const OrganizationId& organization) {
  const auto month = month_of(clock_.now());
  return database_.read([&](Session& session) -> Result<BudgetState> {
    BudgetState state;
    state.from = month.from;
    state.until = month.until;
    PAWL_TRY_VOID(read_limits(session, organization, state));
    PAWL_TRY_VOID(read_usage(session, organization, month.from, state));
    return state;
  });
}

Result<void> Budgets::set(const OrganizationId& organization, const std::optional<BudgetLimits>& limits, const audit::Actor& by) {
  const auto now = clock_.now();
  auto done = database_.write_and_wait([&](Transaction& transaction) -> Result<void> {
    BudgetState before;
    PAWL_TRY_VOID(read_limits(transaction, organization, before));
    PAWL_TRY_VOID(transaction.execute("delete from model_budgets where organization_id = $1", {organization}));
    if (limits) {
      const auto user = by.user.is_nil() ? std::nullopt : std::optional(by.user);
      PAWL_TRY_VOID(transaction.execute(kNewLimits, {organization, limits->tokens, limits->cost, now, user}));
    }
    if (audit_ == nullptr) return {};
    audit::Record record;
    if (!organization.is_nil()) record.organization = organization;
    record.actor = by;
    record.action = "llm.budget_changed";
    record.resource =
        organization.is_nil() ? audit::Resource{"installation", ""} : audit::Resource{"organization", organization.to_string()};
    const bool had = before.source == BudgetState::Source::organization;
    record.details =
        json::Value::object({{"before", to_json(had ? std::optional(before.limits) : std::nullopt)}, {"after", to_json(limits)}});
    return audit_->append(transaction, std::move(record));
  });
  if (audit_ != nullptr && done.has_value()) audit_->committed();
  return done;
}

void Budgets::reserve(const models::Claim& claim, Done done) {
  const auto now = clock_.now();
  const auto period = month_of(now).from;
  const auto grant = std::make_shared<models::Grant>();
  grant->id = models::ReservationId::make(now, random_);
  database_.write(
      [claim, period, now, grant](Transaction& transaction) -> Result<void> {
        PAWL_TRY_VOID(transaction.try_insert(kNewUsage, {claim.organization, period}));
        BudgetState state;
        PAWL_TRY_VOID(read_limits(transaction, claim.organization, state));
        grant->is_limited = state.limits.tokens || state.limits.cost;
        if (grant->is_limited) {
          PAWL_TRY_VOID(read_usage(transaction, claim.organization, period, state));
          PAWL_TRY_VOID(check(state, claim));
        }
        PAWL_TRY_VOID(transaction.queue(kReserve, {claim.most.tokens, claim.most.cost, claim.organization, period}));
        return transaction.queue(kReservation, {grant->id, claim.organization, period, claim.most.tokens, claim.most.cost, now});
      },
      [grant, done = std::move(done)](const Result<void>& outcome) {
        if (outcome.has_error()) return done(outcome.error());
        done(*grant);
      });
}

void Budgets::settle(const models::Grant& grant, std::optional<Amount> used) {
  const auto work = [id = grant.id, used](Transaction& transaction) -> Result<void> {
    std::optional<std::pair<OrganizationId, TimePoint>> whose;
    Amount reserved;
    PAWL_TRY_VOID(
        transaction.query("select organization_id, period, tokens, cost from model_reservations where id = $1", {id}, [&](const Row& row) {
          whose.emplace(row.id<OrganizationId>(0), row.time(1));
          reserved = {row.integer(2), row.integer(3)};
        }));
    if (!whose) return {};  // settled already, or the organization is gone
    const auto taken = used.value_or(reserved);
    const auto assumed = used ? Amount() : reserved;
    PAWL_TRY_VOID(transaction.execute("delete from model_reservations where id = $1", {id}));
    PAWL_TRY_VOID(transaction.execute(
        kSettle, {taken.tokens, taken.cost, assumed.tokens, assumed.cost, reserved.tokens, reserved.cost, whose->first, whose->second}));
    return {};
  };
  // Where it cannot be written the reservation stays, which counts as much as the request can have taken.
  database_.write(work, {});
}

}  // namespace pawl::agents
