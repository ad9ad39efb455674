/// Collects findings and gives each its place in the text.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "json/value.hpp"
#include "yaml/yaml.hpp"

namespace pawl::dsl::detail {

class Reporter {
 public:
  /// `document` without positions (an empty map) where the source was data already. `text` is the source of the positions.
  Reporter(const yaml::Document& document, std::string_view text, std::uint32_t max_findings);

  void error(const std::string& pointer, const char* rule, std::string message, std::string suggestion = {});
  void warning(const std::string& pointer, const char* rule, std::string message, std::string suggestion = {});
  /// At the member's key instead of its value.
  void key_error(const std::string& pointer, const char* rule, std::string message, std::string suggestion = {});
  /// Within the text value at `pointer`, `offset` bytes from its beginning.
  void text_error(const std::string& pointer, std::size_t offset, const char* rule, std::string message, std::string suggestion = {});
  /// As made elsewhere, with a pointer: `missing-property` and `unknown-property` go to the key.
  void take(Finding finding);
  /// As it is, with its own line and column.
  void keep(Finding finding);

  /// While muted nothing is recorded: parts that are compiled again for each of their uses report once, where they stand.
  class Mute {
   public:
    Mute(Reporter& reporter, bool active) : reporter_(reporter), active_(active) { reporter_.muted_ += active_ ? 1U : 0U; }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;
    ~Mute() { reporter_.muted_ -= active_ ? 1U : 0U; }

   private:
    Reporter& reporter_;
    bool active_;
  };

  /// The first error that was not recorded, and another in its place: for parts whose faults are told elsewhere.
  [[nodiscard]] std::optional<Finding> exchange_unreported(std::optional<Finding> other) {
    return std::exchange(unreported_, std::move(other));
  }
  [[nodiscard]] bool full() const { return findings_.size() >= max_findings_; }
  /// In document order.
  [[nodiscard]] Findings finish();

 private:
  /// False while muted or full; an error is remembered all the same, so that nothing faulty passes for sound.
  [[nodiscard]] bool wants(const Finding& finding);
  void add(Finding finding, yaml::Position at);
  [[nodiscard]] yaml::Position locate(const std::string& pointer, std::size_t offset) const;

  const yaml::Document& document_;
  std::string_view text_;
  std::uint32_t max_findings_;
  std::uint32_t muted_ = 0;
  Findings findings_;
  std::optional<Finding> unreported_;  // the first error that was not recorded
  std::set<std::string> known_;        // what was reported: the same problem is reported once
};

}  // namespace pawl::dsl::detail
