/// Who keeps account of what model calls may take and have taken.
///
/// Before each request that may cost something the client reserves the most that it can take; afterwards it says what it took. So the sum
/// of what is used and what is reserved never passes a limit, however many calls are under way: a call that does not fit is not made. What
/// nobody could say (the connection broke, the process died in between) counts as the whole reservation.
///
/// The way down: an organization's budget is asked here, for each request; the budget of an agent, and of the agents that are its tools, is
/// the machine's (engine/machine/agent_budget.cpp), which sets something aside before the turn, and gives the call its `Allowance`.
///
/// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/message.hpp"
#include "models/prices.hpp"

namespace pawl::models {

/// Tokens, and money in billionths of a US dollar.
struct Amount {
  std::int64_t tokens = 0;
  std::int64_t cost = 0;
};

using ReservationId = Id<struct ReservationTag>;

/// The most that a request can take.
struct Claim {
  OrganizationId organization;
  Amount most;
  bool is_priced = true;  ///< false: nobody knows what the model costs, and `most.cost` is 0
};
struct Grant {
  ReservationId id;
  bool is_limited = false;  ///< a limit holds for the organization: the request must keep to what was reserved
};

class Ledger {
 public:
  Ledger() = default;
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  virtual ~Ledger() = default;

  using Done = std::function<void(Result<Grant>)>;
  /// `done` comes once, on any thread, perhaps inside of this call, and with success when the reservation is durable. Error `llm.budget`
  /// (limited): it does not fit.
  virtual void reserve(const Claim& claim, Done done) = 0;
  /// In the order of the calls: what is written after this is durable after it. `used`: nothing where nobody knows; then all of it counts.
  virtual void settle(const Grant& grant, std::optional<Amount> used) = 0;
};

/// Where a request names no `max_tokens` an answer of this many is reserved, and asked for where a limit holds.
constexpr std::int64_t kUsualAnswerTokens = 8'192;
/// An answer of fewer tokens is none: a request that has no room for it is not made.
constexpr std::int64_t kLeastAnswerTokens = 16;

/// The most that a request can take: a token for each byte that is sent (images and files: what providers count for large ones), and the
/// longest answer. `bytes`: of the request as it is encoded.
[[nodiscard]] std::int64_t most_tokens(const Request& request, std::size_t bytes);
/// The most that so many tokens cost, rounded up; nothing where the price is unknown.
[[nodiscard]] std::optional<std::int64_t> most_cost(const Prices& prices, std::string_view model, const Request& request,
                                                    std::int64_t tokens);

/// What one call may take, with all its requests: what an agent has set aside for a turn.
struct Allowance {
  std::optional<std::int64_t> tokens{};
  std::optional<std::int64_t> cost{};    ///< billionths of a US dollar
  std::optional<std::int64_t> prompt{};  ///< who asks knows that no prompt of the call is longer, in tokens
};
/// Cuts the longest answer of `request` to what is left of `allowance` after `spent`, and says the most that the request then can take.
/// Errors (limited): `llm.allowance_tokens`, `llm.allowance_cost`: not even the prompt with a very short answer fits; `llm.unpriced`: the
/// cost is limited, and nobody knows what the model costs.
[[nodiscard]] Result<Amount> fit(const Allowance& allowance, const Amount& spent, const Prices& prices, std::string_view model,
                                 Request& request, std::size_t bytes);
/// What was used; the cost is 0 where nobody knows it.
[[nodiscard]] Amount amount_of(const Prices& prices, std::string_view model, const Usage& usage);

}  // namespace pawl::models
