/// Refresh tokens: what keeps a session alive. Opaque to clients; each one works once and is exchanged for the next.
///
/// A token names its session and its place in the row of that session's tokens (the *generation*), carries 32 secret bytes, and a MAC
/// that shows that we wrote it. The database has a hash of the current token only. So three cases can be told apart:
/// - the current token: is exchanged;
/// - one that we wrote earlier: somebody else has used it already, or a thief uses it now. The session is revoked;
/// - anything else: refused, and nothing happens to the session that it names.
///
/// The next token is computed from the one before it, the session's random salt and a server key. So two requests that use the same token
/// at the same moment (two tabs of a browser) get the same next token, not two that revoke each other. Who has a token but not the server's
/// key can compute nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "identity/token_keys.hpp"

namespace pawl::identity {

struct RefreshToken {
  SessionId session;
  std::uint32_t generation = 0;
  std::string secret;  ///< 32 bytes
};

/// `pawr_` and base64url.
[[nodiscard]] std::string to_text(const TokenKeys& keys, const RefreshToken& token);
/// Nothing unless we wrote it.
[[nodiscard]] std::optional<RefreshToken> read_refresh_token(const TokenKeys& keys, std::string_view text, TimePoint now);
/// The first token of a session.
[[nodiscard]] RefreshToken first_refresh_token(const SessionId& session);
[[nodiscard]] RefreshToken next_refresh_token(const TokenKeys& keys, const RefreshToken& token, std::string_view salt);
/// What the database keeps instead of a token (also of one-time links and backup codes).
[[nodiscard]] std::string token_hash(std::string_view text);

}  // namespace pawl::identity
