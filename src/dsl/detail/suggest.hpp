/// "Did you mean": the nearest of a set of names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::dsl::detail {

/// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours; case counts little), or nothing where none
/// is near.
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string_view> candidates);
[[nodiscard]] std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

/// `a`, `b` or `c`.
[[nodiscard]] std::string list_names(std::span<const std::string_view> names);

}  // namespace pawl::dsl::detail
