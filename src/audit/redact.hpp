/// Takes secrets out of what is about to be shown or kept: by the name they stand under, and by what they are.
///
/// By name: a member called `password`, `api_key`, `Authorization`, `session-token` ... loses its value, whatever that is. By content:
/// every secret that the redactor was told of is found inside of any text, as it is and in its base64 (all three alignments, both
/// alphabets), hexadecimal, URL-encoded and JSON-escaped forms. Secrets shorter than `kShortestSecret` are not looked for: they would
/// blacken ordinary words.
///
/// A `Redactor` knows the secrets of the installation; `Needles` are those of one run. Both are immutable once made: thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace pawl::audit {

inline constexpr std::string_view kRedacted = "[redacted]";
inline constexpr std::size_t kShortestSecret = 6;

/// Secret values, with all the forms in which they may turn up.
class Needles {
 public:
  Needles() = default;
  /// Every string (and number of enough digits) within `secrets`, at any depth.
  [[nodiscard]] static Needles of(const json::Value& secrets);
  void add(std::string_view secret);
  [[nodiscard]] bool empty() const { return forms_.empty(); }
  /// The text with every occurrence replaced by `[redacted]`; `found` tells whether there was one.
  [[nodiscard]] std::string replace(std::string_view text, bool& found) const;
  [[nodiscard]] bool occur_in(std::string_view text) const;

 private:
  void add_form(std::string form);
  [[nodiscard]] std::size_t match(std::string_view text, std::size_t at) const;
  std::vector<std::string> forms_;       // longest first
  std::array<bool, 256> first_bytes_{};  // that a form begins with
};

/// Whether values under this name are hidden: compared without case, `-` and `_`.
[[nodiscard]] bool is_secret_name(std::string_view name);

struct RedactOptions {
  bool by_name = true;
  bool mask_emails = false;    ///< `anna@example.com` becomes `a***@example.com`
  std::size_t max_text = 0;    ///< longer texts are cut; 0: no limit
  std::size_t max_items = 0;   ///< of an array or object; 0: no limit
  std::size_t max_depth = 32;  ///< deeper values are replaced
};

class Redactor {
 public:
  explicit Redactor(Needles installation = {}) : installation_(std::move(installation)) {}
  /// A copy without secrets; shares what has none. `extra`: the secrets of this very run.
  [[nodiscard]] json::Value value(const json::Value& value, const RedactOptions& options = {}, const Needles* extra = nullptr) const;
  [[nodiscard]] std::string text(std::string_view text, const RedactOptions& options = {}, const Needles* extra = nullptr) const;

 private:
  [[nodiscard]] json::Value walk(const json::Value& value, const RedactOptions& options, const Needles* extra, std::size_t depth) const;
  Needles installation_;
};

}  // namespace pawl::audit
