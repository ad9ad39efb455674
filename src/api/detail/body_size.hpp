// How much JSON a body may hold beside its bytes: it is read on an io thread, where a small member costs as much as a long text.
#pragma once

#include <cstddef>
#include <string_view>

namespace pawl::api::detail {

/// Members and items, on all levels together.
inline constexpr std::size_t kMaxBodyValues = 100'000;

/// Whether a JSON text has more values than that. Of other texts the answer means nothing.
[[nodiscard]] bool has_too_many_values(std::string_view json);

}  // namespace pawl::api::detail
