// Compression of replies (RFC 9110, 8.4 and 12.5.3): gzip by zlib, for routes that allow it.
//
// What is worth it: known text types, from 1 KiB on. A reply that is sent on an io thread is compressed there only while that takes well
// under a millisecond; a larger one goes as it is, since others wait for the thread. Event streams never come here. Which routes allow it
// is for them to say (`RouteOptions::compress`): a reply that shows a secret beside what the client sent must not be compressed, its
// length would tell about the secret (BREACH).
#pragma once

#include <string_view>

#include "http/response.hpp"

namespace pawl::http::detail {

/// Whether `Accept-Encoding` takes gzip.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

/// Replaces the body where that makes it shorter, and says so in the header; a strong `ETag` gets the ending `-gzip`, since the bytes are
/// others. `on_io_thread`: within the smaller limit.
void compress(Response& response, bool on_io_thread);

}  // namespace pawl::http::detail
