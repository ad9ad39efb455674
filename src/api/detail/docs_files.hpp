// The files of `docs_page/`, put into the program by CMake (CMakeLists.txt of this module).
#pragma once

#include <span>

#include "web/embedded.hpp"

namespace pawl::api::detail {

[[nodiscard]] std::span<const web::EmbeddedFile> docs_files();

}  // namespace pawl::api::detail
