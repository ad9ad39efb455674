#include "api/detail/user_reply.hpp"

namespace pawl::api::detail {

void write_user(ObjectWriter& object, const identity::User& user) {
  object.text("id", user.id.to_string());
  object.text("email", user.email);
  object.text("name", user.name);
  object.boolean("is_active", user.active);
  object.boolean("is_superuser", user.superuser);
  object.boolean("email_verified", user.email_verified_at.has_value());
  object.boolean("totp_enabled", user.totp_enabled);
  object.time("created_at", user.created_at);
  object.time("last_login_at", user.last_login_at);
}

std::vector<Shape::Member> user_members() {
  return {{"id", Shape::id()},
          {"email", Shape::email("ada@example.org")},
          {"name", Shape::text("Ada")},
          {"is_active", Shape::boolean(true)},
          {"is_superuser", Shape::boolean(false)},
          {"email_verified", Shape::boolean(true)},
          {"totp_enabled", Shape::boolean(false)},
          {"created_at", Shape::time()},
          {"last_login_at", Shape::time().or_null()}};
}

}  // namespace pawl::api::detail
