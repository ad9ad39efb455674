/// Rows of the table that `settings()` puts behind its own.
#pragma once

#include <vector>

#include "config/config.hpp"

namespace pawl::config {

[[nodiscard]] std::vector<Setting> mail_settings();
[[nodiscard]] std::vector<Setting> provider_settings();

}  // namespace pawl::config
