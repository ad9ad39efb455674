/// Regular expressions (Oniguruma, Perl syntax as in jq), with bounds on what a match may cost.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct re_pattern_buffer;

namespace pawl::jq::detail {

class Runtime;

/// One compiled pattern.
struct Regex {
  Regex() = default;
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  ~Regex();

  re_pattern_buffer* compiled = nullptr;
  std::vector<std::string> names;  // of the groups, empty for those without one; the first is group 1
  bool global = false;
};

/// The patterns that an evaluation has used, so that `map(test("..."))` compiles once. Bounded.
class RegexCache {
 public:
  /// Nothing, and `runtime` failed, for a bad pattern or bad flags.
  [[nodiscard]] const Regex* find(Runtime& runtime, std::string_view pattern, std::string_view flags);

 private:
  static constexpr std::size_t kMostPatterns = 32;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<Regex>> patterns_;
};

}  // namespace pawl::jq::detail
