#include "http/detail/parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <limits>

namespace pawl::http::detail {
namespace beast_http = boost::beast::http;

namespace {

constexpr std::size_t kBodyReserveAtMost = 256 * 1024;  // a Content-Length is a claim, not yet memory

std::optional<Method> to_method(beast_http::verb verb) {
  switch (verb) {
    case beast_http::verb::get: return Method::get;
    case beast_http::verb::head: return Method::head;
    case beast_http::verb::post: return Method::post;
    case beast_http::verb::put: return Method::put;
    case beast_http::verb::patch: return Method::patch;
    case beast_http::verb::delete_: return Method::delete_;
    case beast_http::verb::options: return Method::options;
    default: return std::nullopt;
  }
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

RequestParser::RequestParser(Request& request, ParserLimits limits) : request_(request), limits_(limits) {
  // Beast checks its limit per call; the sum over calls is checked in feed(). Body limits are ours too, because the route decides them
  // later.
  Base::header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(limits.header_bytes, std::numeric_limits<std::uint32_t>::max())));
  Base::body_limit(boost::none);
  Base::eager(false);
}

RequestParser::Fed RequestParser::feed(std::string_view data) {
  std::size_t consumed = 0;
  for (;;) {
    if (Base::is_header_done() && !header_reported_) {
      header_reported_ = true;
      return {Outcome::header_done, consumed};
    }
    if (chunked_) return feed_chunks(data.substr(consumed), consumed);
    if (Base::is_done()) return {Outcome::done, consumed};
    if (data.size() == consumed) return {Outcome::need_more, consumed};
    error_code failure;
    const bool in_header = !Base::is_header_done();
    const std::size_t taken = Base::put(boost::asio::const_buffer(data.data() + consumed, data.size() - consumed), failure);
    consumed += taken;
    if (in_header) {
      header_bytes_ += taken;
      const std::size_t pending = Base::is_header_done() ? 0 : data.size() - consumed;
      if (header_bytes_ + pending > limits_.header_bytes) return {Outcome::header_too_large, consumed};
    }
    if (!failure) continue;
    if (failure == beast_http::error::need_more) return {Outcome::need_more, consumed};
    if (failure == beast_http::error::header_limit) return {Outcome::header_too_large, consumed};
    if (failure == beast_http::error::bad_version) return {Outcome::bad_version, consumed};
    return {refusal_, consumed};
  }
}

RequestParser::Fed RequestParser::feed_chunks(std::string_view data, std::size_t consumed) {
  std::size_t taken = 0;
  const auto outcome = chunks_.feed(data, request_.body, taken);
  consumed += taken;
  switch (outcome) {
    case ChunkDecoder::Outcome::need_more: return {Outcome::need_more, consumed};
    case ChunkDecoder::Outcome::done: return {Outcome::done, consumed};
    case ChunkDecoder::Outcome::malformed: return {Outcome::malformed, consumed};
    case ChunkDecoder::Outcome::too_large: return {Outcome::body_too_large, consumed};
  }
  return {Outcome::malformed, consumed};
}

std::optional<std::uint64_t> RequestParser::content_length() const {
  const auto length = Base::content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

void RequestParser::on_request_impl(beast_http::verb verb, string_view, string_view target, int version, error_code& ec) {
  const auto method = to_method(verb);
  if (!method) {
    refusal_ = Outcome::unknown_method;
    ec = beast_http::error::bad_method;
    return;
  }
  request_.method = *method;
  request_.version = version;
  request_.target.assign(target.data(), target.size());
  request_.headers.reserve(8, 256);
}

void RequestParser::on_field_impl(beast_http::field field, string_view name, string_view value, error_code& ec) {
  if (request_.headers.size() == limits_.header_fields) {
    refusal_ = Outcome::header_too_large;
    ec = beast_http::error::header_limit;
    return;
  }
  switch (field) {
    case beast_http::field::host:
      ++host_fields_;
      request_.host.assign(value.data(), value.size());
      break;
    case beast_http::field::expect:
      if (!equals_ignoring_case(view(value), "100-continue")) return refuse(Outcome::unknown_expectation, ec);
      expects_continue_ = true;
      break;
    case beast_http::field::transfer_encoding:
      other_coding_ = other_coding_ || transfer_encoding_ || !equals_ignoring_case(view(value), "chunked");
      transfer_encoding_ = true;
      break;
    case beast_http::field::content_encoding:
      if (!equals_ignoring_case(view(value), "identity")) return refuse(Outcome::unsupported_body, ec);
      break;
    case beast_http::field::upgrade: asks_for_upgrade_ = true; break;
    default: break;
  }
  request_.headers.add(view(name), view(value));
}

void RequestParser::refuse(Outcome why, error_code& ec) {
  refusal_ = why;
  ec = beast_http::error::bad_value;
}

void RequestParser::on_header_impl(error_code& ec) {
  // Any transfer coding but a final `chunked` leaves the message's length in doubt, and with it where the next request begins
  // (RFC 9112 section 6.3). HTTP/1.0 has no transfer codings.
  if (transfer_encoding_ && (!Base::chunked() || request_.version < 11)) ec = beast_http::error::bad_transfer_encoding;
  // One before it would have to be undone: a handler must not get compressed bytes as if they were the body.
  else if (other_coding_)
    return refuse(Outcome::unknown_coding, ec);
  chunked_ = Base::chunked();
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) {
  if (length) request_.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kBodyReserveAtMost)));
}

std::size_t RequestParser::on_body_impl(string_view body, error_code& ec) {
  if (body.size() > body_bytes_left_) {
    refusal_ = Outcome::body_too_large;
    ec = beast_http::error::body_limit;
    return 0;
  }
  body_bytes_left_ -= body.size();
  request_.body.append(body.data(), body.size());
  return body.size();
}

}  // namespace pawl::http::detail
