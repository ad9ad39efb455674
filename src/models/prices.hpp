/// What calls cost, from a table (`prices.yaml`, part of the program). What the table does not know has no cost.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/message.hpp"

namespace pawl::models {

class Prices {
 public:
  /// Nothing is known.
  Prices() = default;
  /// The table of the program.
  [[nodiscard]] static Prices built_in();
  /// Lines of `text` (YAML, as `prices.yaml`) come before those that are there. Error `llm.prices`.
  [[nodiscard]] Result<void> add(std::string_view text);

  /// US dollars for the tokens of `model` (`openai/gpt-4o`); nothing where the price is unknown.
  [[nodiscard]] std::optional<double> cost(std::string_view model, const Usage& usage) const;
  /// Dollars for a million tokens of input and output: the upper bound of a call that a budget wants to reserve.
  struct Price {
    double input = 0;
    double cached = 0;
    double cache_write = 0;
    double output = 0;
  };
  [[nodiscard]] std::optional<Price> price(std::string_view model) const;

 private:
  struct Line {
    std::string model;
    Price price;
  };
  std::vector<Line> lines_;
};

}  // namespace pawl::models
