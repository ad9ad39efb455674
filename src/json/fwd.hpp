/// Forward declaration of the JSON value.
#pragma once

namespace pawl::json {
class Value;
struct Member;
}  // namespace pawl::json
