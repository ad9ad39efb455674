#include "models/ledger.hpp"

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

Amount amount_of(const Prices& prices, std::string_view model, const Usage& usage) {
  const Usage said{.input = bounded(usage.input),
                   .output = bounded(usage.output),
                   .cached = bounded(usage.cached),
                   .cache_write = bounded(usage.cache_write)};
  return {.tokens = said.input + said.output, .cost = nano(prices.cost(model, said).value_or(0))};
}

}  // namespace pawl::models
