// The files of `docs_page/`, put into the program by CMake (CMakeLists.txt of this module).
#pragma once

#include <string_view>

namespace pawl::api::detail {

/// Empty where there is no such file.
[[nodiscard]] std::string_view embedded_page(std::string_view name);

}  // namespace pawl::api::detail
