/// Reads texts out of small XML answers whose elements have no attributes, as those of S3. Not a parser of XML in general. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::functions {

/// What stands between `<name>` and the next `</name>`, as it is written; all of them in order, at most `limit`.
[[nodiscard]] std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name, std::size_t limit = 10'000);
/// Text of the first one, with its entities resolved.
[[nodiscard]] std::optional<std::string> xml_text(std::string_view xml, std::string_view name);
/// `text` fit to stand between tags.
[[nodiscard]] std::string xml_escape(std::string_view text);

}  // namespace pawl::functions
