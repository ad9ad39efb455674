/// What is asked of functions that users have written, by those who compile them and those who read them from a folder. Pure.
#pragma once

#include <string_view>

#include "dsl/expression.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// Whether the version `a` (as in `1.10.0`) is newer than `b`: by their numbers, and by their texts where these are the same.
[[nodiscard]] bool is_newer_version(std::string_view a, std::string_view b);

/// The arguments of a call that are written out: an object, or what stands there as a whole. The others are decided when the call is made.
[[nodiscard]] json::Value written_arguments(const Template& arguments);

}  // namespace pawl::dsl
