/// The part of Gherkin that the Open Workflow conformance kit uses: features, scenarios, steps with an optional doc string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pawl::conformance {

struct GherkinStep {
  std::string keyword;   ///< Given, When, Then; And and But carry the keyword before them
  std::string text;      ///< without the keyword
  std::string document;  ///< the doc string, indentation of its opening quotes removed
  std::uint32_t line = 0;
};

struct Scenario {
  std::string name;
  std::uint32_t line = 0;
  std::vector<GherkinStep> steps;
};

struct Feature {
  std::string name;
  std::vector<Scenario> scenarios;
};

/// Error `gherkin.syntax` names the line. A `Background` is put in front of every scenario.
[[nodiscard]] Result<Feature> parse_feature(std::string_view text);

}  // namespace pawl::conformance
