/// What the routes of signing in (`auth.cpp`) and of one's own account (`account.cpp`) have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/detail/context.hpp"
#include "api/detail/user_reply.hpp"
#include "api/json_writer.hpp"
#include "identity/accounts.hpp"

namespace pawl::api::detail {

inline constexpr std::size_t kMaxEmail = 254;
inline constexpr std::size_t kMaxToken = 512;
inline constexpr std::size_t kMaxCode = 64;

/// Passwords are slow on purpose, so these handlers have a small pool of their own: sign-ins never hold up the others.
template <Handler kHandler>
void with_password(Context& context, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.auth_pool->try_post([&context, shared] { kHandler(context, std::move(*shared)); });
  if (taken) return;
  shared->fail({ErrorClass::unavailable, "auth.busy", "Too many people are signing in at this moment; try again in a few seconds."});
}

inline identity::Accounts& accounts(Context& context) { return *context.d.accounts; }

inline identity::Client client_of(const Call& call) {
  return {call.request.remote_address, std::string(call.request.header("User-Agent"))};
}

/// None where an API key calls.
[[nodiscard]] inline std::optional<SessionId> own_session(const Call& call) {
  if (call.principal.kind != identity::Principal::Kind::user) return std::nullopt;
  return call.principal.session;
}

/// A member of the body; empty where it is left out.
[[nodiscard]] inline std::string text_of(const Call& call, std::string_view name) {
  const auto& member = call.body.get(name);
  return member.is_string() ? std::string(member.as_string()) : std::string();
}

inline void reply_message(Call& call, std::string_view message) {
  std::string out;
  { ObjectWriter(out).text("message", message); }
  call.reply(200, std::move(out));
}

[[nodiscard]] inline Shape user_shape() { return Shape::object("User", user_members()); }
[[nodiscard]] inline Shape message_shape() { return Shape::object("Message", {{"message", Shape::text("It is done.", 500)}}); }
[[nodiscard]] inline Shape password_shape() {
  return Shape::secret(1024).described("At least 10 characters, none of the commonest, not the address.");
}

}  // namespace pawl::api::detail
