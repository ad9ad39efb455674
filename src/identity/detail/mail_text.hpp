// Other people's input in mails.
#pragma once

#include <string>
#include <string_view>

namespace pawl::identity::detail {

/// A name as it may stand in a mail: one line, not too long, and no address that a mail program would make a link of.
[[nodiscard]] std::string shown(std::string_view name);

}  // namespace pawl::identity::detail
