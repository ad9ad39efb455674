// A user in replies: what the own account and the administrators' list both say.
#pragma once

#include <vector>

#include "api/json_writer.hpp"
#include "api/shape.hpp"
#include "identity/user.hpp"

namespace pawl::api::detail {

void write_user(ObjectWriter& object, const identity::User& user);
/// The shape's members of what `write_user` writes.
[[nodiscard]] std::vector<Shape::Member> user_members();

}  // namespace pawl::api::detail
