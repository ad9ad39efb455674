// Entity tags of objects that many may change (RFC 9110, 8.8.3 and 13.1): `"VERSION-MILLISECONDS-DIGEST"`.
//
// The first two parts name a state of the object: `If-Match` compares them alone, so that a change does not fail because a schedule has
// fired since. The digest is of the reply's bytes: `If-None-Match` compares all of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/detail/context.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "http/request.hpp"

namespace pawl::api::detail {

struct ObjectState {
  std::uint32_t version = 0;
  TimePoint updated_at{};
};

/// What `If-Match` asks for; nothing where it is not sent or `*`. Errors: `request.if_match` (400) for more than one tag,
/// `request.precondition_failed` for one that no object here ever had.
[[nodiscard]] Result<std::optional<ObjectState>> if_match(const http::Request& request);

/// Answers with the object and its tag; a read of what the client has already, with 304.
void reply_tagged(Call& call, int status, const ObjectState& state, std::string body);

/// 412 with the error's sentence; 400 for a malformed field.
void fail_precondition(Call& call, const Error& error);

}  // namespace pawl::api::detail
