// The built interface, put into the program by CMake (CMakeLists.txt of this module). Empty with -DPAWL_WEB=OFF.
#pragma once

#include <span>

#include "web/embedded.hpp"

namespace pawl::web::detail {

[[nodiscard]] std::span<const EmbeddedFile> interface_files();

}  // namespace pawl::web::detail
