/// Building URLs: percent-encoding, query strings, RFC 6570 templates. Parsing is libcurl's (the same parser that connects).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pawl::net {

/// Everything but RFC 3986's unreserved characters becomes `%XX`: fit for one path segment or one query name or value.
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Nothing for a malformed escape. `+` stays.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// `a=1&b=x%20y`; empty for no parameters.
[[nodiscard]] std::string build_query(const std::vector<std::pair<std::string, std::string>>& parameters);
/// Appends parameters to a URL that may have a query and a fragment already.
[[nodiscard]] std::string with_query(std::string_view url, const std::vector<std::pair<std::string, std::string>>& parameters);

/// Host of an http or https URL, lower case, as it would be connected to (IPv6 in brackets); empty for anything else.
[[nodiscard]] std::string host_of(const std::string& url);

/// Value of a template variable; nothing: undefined, which expands to nothing.
using TemplateLookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Expands an RFC 6570 template up to level 3: `{var}`, lists `{a,b}`, and the operators `+ # . / ; ? &`. Text outside of braces is taken
/// as it stands. Error `net.invalid_template`: an unclosed or empty expression, a bad name, a modifier of level 4 (`*`, `:n`).
[[nodiscard]] Result<std::string> expand_template(std::string_view text, const TemplateLookup& lookup);
/// The variable names of a template in order of appearance, each once. Same errors.
[[nodiscard]] Result<std::vector<std::string>> template_variables(std::string_view text);

}  // namespace pawl::net
