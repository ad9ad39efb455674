#include "models/prices.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "models/detail/embedded.hpp"
#include "yaml/yaml.hpp"

namespace pawl::models {
namespace {

constexpr double kMillion = 1e6;

Error bad(std::string message) { return {ErrorClass::invalid, "llm.prices", std::move(message)}; }

bool stands_for(std::string_view pattern, std::string_view model) {
  if (!pattern.ends_with('*')) return pattern == model;
  return model.starts_with(pattern.substr(0, pattern.size() - 1));
}

double dollars(double price, std::int64_t tokens) { return price * static_cast<double>(tokens) / kMillion; }

}  // namespace

Prices Prices::built_in() {
  Prices prices;
  const auto added = prices.add(detail::embedded_file("prices.yaml"));
  PAWL_ASSERT(added.has_value(), "the table of prices of the program is one");
  return prices;
}

Result<void> Prices::add(std::string_view text) {
  auto document = yaml::parse(text);
  if (!document.ok()) return bad(document.findings.empty() ? "not YAML" : document.findings.front().message);
  const auto& list = document.value->value.get("prices");
  if (!list.is_array()) return bad("`prices` is an array");
  std::vector<Line> lines;
  for (const auto& item : list.items()) {
    const auto& model = item.get("model");
    const auto figure = [&](std::string_view name, double fallback) {
      const auto& value = item.get(name);
      return value.is_number() ? value.as_double() : fallback;
    };
    const double input = figure("input", -1);
    const Price price{
        .input = input, .cached = figure("cached", input), .cache_write = figure("cache_write", input), .output = figure("output", -1)};
    if (!model.is_string() || model.empty() || std::min({price.input, price.cached, price.cache_write, price.output}) < 0) {
      return bad("a line needs `model`, `input` and `output`, and no price is below nothing");
    }
    lines.push_back({std::string(model.as_string()), price});
  }
  lines_.insert(lines_.begin(), lines.begin(), lines.end());
  return {};
}

std::optional<Prices::Price> Prices::price(std::string_view model) const {
  const Line* best = nullptr;
  for (const auto& line : lines_) {
    if (stands_for(line.model, model) && (best == nullptr || line.model.size() > best->model.size())) best = &line;
  }
  return best == nullptr ? std::nullopt : std::optional(best->price);
}

std::optional<double> Prices::cost(std::string_view model, const Usage& usage) const {
  const auto found = price(model);
  if (!found) return std::nullopt;
  const auto plain = std::max<std::int64_t>(0, usage.input - usage.cached - usage.cache_write);
  return dollars(found->input, plain) + dollars(found->cached, usage.cached) + dollars(found->cache_write, usage.cache_write) +
         dollars(found->output, usage.output);
}

}  // namespace pawl::models
