#include "gherkin.hpp"

#include <algorithm>
#include <array>

namespace pawl::conformance {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Lines of the text, split once; the parser walks over them.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lines_(lines_of(text)) {}

  Result<Feature> parse() {
    for (; at_ < lines_.size(); ++at_) {
      const auto line = trimmed(lines_[at_]);
      if (line.empty() || line.front() == '#' || line.front() == '@') continue;
      if (take_header(line, "Feature:")) {
        feature_.name = header_;
      } else if (take_header(line, "Background:")) {
        target_ = &background_;
      } else if (take_header(line, "Scenario:") || take_header(line, "Example:")) {
        feature_.scenarios.push_back({header_, static_cast<std::uint32_t>(at_ + 1), background_});
        target_ = &feature_.scenarios.back().steps;
      } else if (target_ != nullptr) {
        PAWL_TRY_VOID(step(line));
      }
      // Free text below `Feature:` is its description.
    }
    return std::move(feature_);
  }

 private:
  bool take_header(std::string_view line, std::string_view keyword) {
    if (!line.starts_with(keyword)) return false;
    header_ = trimmed(line.substr(keyword.size()));
    return true;
  }

  Error wrong(const std::string& what) const {
    return Error(ErrorClass::invalid, "gherkin.syntax", "line " + std::to_string(at_ + 1) + ": " + what);
  }

  Result<void> step(std::string_view line) {
    constexpr std::array<std::string_view, 5> kKeywords{"Given ", "When ", "Then ", "And ", "But "};
    const auto keyword = std::find_if(kKeywords.begin(), kKeywords.end(), [&](auto word) { return line.starts_with(word); });
    if (keyword == kKeywords.end()) return wrong("a step starts with Given, When, Then, And or But");
    GherkinStep step;
    step.keyword = trimmed(*keyword);
    if (step.keyword == "And" || step.keyword == "But") {
      if (target_->empty()) return wrong("the first step cannot be And or But");
      step.keyword = target_->back().keyword;
    }
    step.text = trimmed(line.substr(keyword->size()));
    step.line = static_cast<std::uint32_t>(at_ + 1);
    if (at_ + 1 < lines_.size() && trimmed(lines_[at_ + 1]).starts_with("\"\"\"")) {
      ++at_;
      PAWL_TRY(document, doc_string());
      step.document = std::move(document);
    }
    target_->push_back(std::move(step));
    return {};
  }

  Result<std::string> doc_string() {
    const auto indent = lines_[at_].find_first_not_of(" \t");
    std::string document;
    for (++at_; at_ < lines_.size(); ++at_) {
      auto line = lines_[at_];
      if (trimmed(line).starts_with("\"\"\"")) return document;
      const auto blank = line.find_first_not_of(" \t");
      line.remove_prefix(std::min(indent, std::min(blank, line.size())));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      document.append(line).push_back('\n');
    }
    return wrong("the doc string has no end");
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  std::string header_;
  Feature feature_;
  std::vector<GherkinStep> background_;
  std::vector<GherkinStep>* target_ = nullptr;
};

}  // namespace

Result<Feature> parse_feature(std::string_view text) { return Parser(text).parse(); }

}  // namespace pawl::conformance
