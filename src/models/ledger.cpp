#include "models/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pawl::models {
namespace {

constexpr double kNano = 1e9;
constexpr double kMillion = 1e6;
// Of one request: more than any takes, and so little that no sum of them leaves its type, whatever a document or a provider names.
constexpr std::int64_t kMostTokens = 1'000'000'000'000;
constexpr double kMostCost = 1e15;
constexpr std::int64_t kFrameTokens = 512;  // what providers put around instructions and tools
// What providers count for one: a large image in the most detail, and a document of some hundred pages of which only the address is known.
constexpr std::int64_t kImageTokens = 50'000;
constexpr std::int64_t kLinkedFileTokens = 400'000;
constexpr std::int64_t kFileTokens = 50'000;
constexpr std::int64_t kTokensPerFileByte = 4;  // pages are counted as text and as images, and the bytes are compressed

std::int64_t bounded(std::int64_t tokens) { return std::clamp<std::int64_t>(tokens, 0, kMostTokens); }

std::int64_t answer_of(const Request& request) { return bounded(request.max_tokens.value_or(kUsualAnswerTokens)); }

std::int64_t nano(double dollars) { return static_cast<std::int64_t>(std::ceil(std::clamp(dollars * kNano, 0.0, kMostCost))); }

std::int64_t media_tokens(const Part& part) {
  if (part.kind == Part::Kind::text) return 0;
  if (part.kind == Part::Kind::image) return kImageTokens;
  return part.data.empty() ? kLinkedFileTokens : kFileTokens + kTokensPerFileByte * static_cast<std::int64_t>(part.data.size());
}

}  // namespace

std::int64_t most_tokens(const Request& request, std::size_t bytes) {
  auto most = kFrameTokens + static_cast<std::int64_t>(bytes) + answer_of(request);
  for (const auto& message : request.messages) {
    for (const auto& part : message.parts) most += media_tokens(part);
  }
  return most;
}

std::optional<std::int64_t> most_cost(const Prices& prices, std::string_view model, const Request& request, std::int64_t tokens) {
  const auto price = prices.price(model);
  if (!price) return std::nullopt;
  const auto output = answer_of(request);
  const auto input = std::max({price->input, price->cached, price->cache_write});
  return nano((static_cast<double>(tokens - output) * input + static_cast<double>(output) * price->output) / kMillion);
}

Result<Amount> fit(const Allowance& allowance, const Amount& spent, const Prices& prices, std::string_view model, Request& request,
                   std::size_t bytes) {
  const auto refused = [](const char* code, std::string message) { return Error(ErrorClass::limited, code, std::move(message)); };
  auto prompt = most_tokens(request, bytes) - answer_of(request);
  if (allowance.prompt) prompt = std::min(prompt, bounded(*allowance.prompt));
  auto answer = answer_of(request);
  if (allowance.tokens) {
    const auto left = *allowance.tokens - spent.tokens;
    if (left < prompt + kLeastAnswerTokens) {
      return refused("llm.allowance_tokens",
                     fmt::format("{} tokens are left of what the call may take, and the next request may take {} before its answer.",
                                 std::max<std::int64_t>(0, left), prompt));
    }
    answer = std::min(answer, left - prompt);
  }
  const auto price = prices.price(model);
  if (allowance.cost) {
    if (!price) {
      return refused("llm.unpriced",
                     fmt::format("What {} costs is not known, so its cost cannot be limited: name its price (LLM_PRICES).", model));
    }
    const auto left = *allowance.cost - spent.cost;
    const auto dearest = [&](std::int64_t tokens) {
      const auto input = std::max({price->input, price->cached, price->cache_write});
      return nano((static_cast<double>(prompt) * input + static_cast<double>(tokens) * price->output) / kMillion);
    };
    if (dearest(kLeastAnswerTokens) > left) {
      return refused("llm.allowance_cost",
                     fmt::format("{} US dollars are left of what the call may cost, and the next request to {} may cost {}.",
                                 static_cast<double>(std::max<std::int64_t>(0, left)) / kNano, model,
                                 static_cast<double>(dearest(kLeastAnswerTokens)) / kNano));
    }
    // The longest answer that can be paid: money grows with tokens, so it is found by halving.
    auto paid = kLeastAnswerTokens;
    auto most = std::max(answer, paid);
    while (paid < most) {
      const auto half = paid + (most - paid + 1) / 2;
      if (dearest(half) <= left) {
        paid = half;
      } else {
        most = half - 1;
      }
    }
    answer = std::min(answer, paid);
    request.max_tokens = answer;
    return Amount{.tokens = prompt + answer, .cost = dearest(answer)};
  }
  request.max_tokens = answer;
  return Amount{.tokens = prompt + answer, .cost = most_cost(prices, model, request, prompt + answer).value_or(0)};
}

Amount amount_of(const Prices& prices, std::string_view model, const Usage& usage) {
  const Usage said{.input = bounded(usage.input),
                   .output = bounded(usage.output),
                   .cached = bounded(usage.cached),
                   .cache_write = bounded(usage.cache_write)};
  return {.tokens = said.input + said.output, .cost = nano(prices.cost(model, said).value_or(0))};
}

}  // namespace pawl::models
