/// Which name was probably meant.
#pragma once

#include <string_view>

namespace pawl::jq::detail {

/// True where two names differ by at most two edits, and by less than half of their letters.
[[nodiscard]] bool near_name(std::string_view a, std::string_view b);

}  // namespace pawl::jq::detail
