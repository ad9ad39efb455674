/// Whatever the bytes: one outcome, the same whole or in pieces; and a path that nobody can read in two ways.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "http/detail/parser.hpp"
#include "http/detail/target.hpp"

namespace {

using namespace pawl;
using Outcome = http::detail::RequestParser::Outcome;

struct Parsed {
  Outcome outcome = Outcome::need_more;
  http::Request request;
  std::size_t consumed = 0;
};

/// Feeds pieces of `step` bytes, keeping what the parser did not take, as the connection does.
void parse(std::string_view bytes, std::size_t step, Parsed& parsed) {
  http::detail::RequestParser parser(parsed.request, {1024, 16});
  std::string pending;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    pending += bytes.substr(at, step);
    for (;;) {
      const auto fed = parser.feed(pending);
      PAWL_ASSERT(fed.consumed <= pending.size(), "the parser takes what is there");
      pending.erase(0, fed.consumed);
      parsed.consumed += fed.consumed;
      parsed.outcome = fed.outcome;
      if (fed.outcome == Outcome::need_more) break;
      if (fed.outcome != Outcome::header_done) return;
      parser.set_body_limit(256);
    }
  }
}

void check_target(const http::Request& request) {
  std::string path;
  http::NameValues query;
  std::string_view authority;
  if (http::detail::parse_target(request.target, path, query, authority) != nullptr || path == "*") return;
  PAWL_ASSERT(path.starts_with('/'), "a path begins with a slash");
  PAWL_ASSERT(path.find("//") == std::string::npos, "no empty segment");
  PAWL_ASSERT((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos, "no dot segment");
  PAWL_ASSERT(path.find_first_of(std::string_view("\0;\\\r\n", 5)) == std::string::npos, "no byte that means something elsewhere");
  PAWL_ASSERT(std::count(path.begin(), path.end(), '/') <= std::count(request.target.begin(), request.target.end(), '/') + 1,
              "decoding makes no slash");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Parsed whole;
  Parsed slow;
  parse(bytes, std::max<std::size_t>(size, 1), whole);
  parse(bytes, 1, slow);
  PAWL_ASSERT((whole.outcome == Outcome::done) == (slow.outcome == Outcome::done), "pieces change nothing");
  if (whole.outcome != Outcome::done) return 0;
  PAWL_ASSERT(whole.consumed == slow.consumed, "the next request begins at the same byte");
  PAWL_ASSERT(whole.request.body == slow.request.body && whole.request.body.size() <= 256, "the same body, within its limit");
  PAWL_ASSERT(whole.request.headers.size() <= 16, "the number of fields is limited");
  check_target(whole.request);
  return 0;
}
