// Beast's parser core, writing straight into our Request: no field container of Beast's, no stream, no composed operation. Chunked bodies
// are ours (detail/chunks.hpp).
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/detail/chunks.hpp"
#include "http/request.hpp"

namespace pawl::http::detail {

struct ParserLimits {
  std::size_t header_bytes;
  std::size_t header_fields;
};

class RequestParser final : private boost::beast::http::basic_parser<true> {
  using Base = boost::beast::http::basic_parser<true>;

 public:
  enum class Outcome : std::uint8_t {
    need_more,
    header_done,  ///< the header is complete and stands in `request()`; call `set_body_limit`, then `feed` on
    done,         ///< the message is complete
    malformed,
    unknown_method,
    unknown_coding,       ///< a transfer coding beside `chunked`
    unsupported_body,     ///< a content coding
    unknown_expectation,  ///< of the `Expect` field
    bad_version,
    header_too_large,
    body_too_large,
  };
  struct Fed {
    Outcome outcome;
    std::size_t consumed;
  };

  RequestParser(Request& request, ParserLimits limits);

  /// Takes bytes from the front of `data`. Returns once with `header_done`, even when the body is there already or there is none: the
  /// caller decides between header and body, then calls again (with an empty view where no byte is left).
  [[nodiscard]] Fed feed(std::string_view data);

  // After header_done.
  void set_body_limit(std::size_t bytes) {
    body_bytes_left_ = bytes;
    chunks_.set_limits(bytes, limits_.header_bytes);
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const;
  [[nodiscard]] bool has_body() const { return !Base::is_done(); }
  [[nodiscard]] bool keep_alive() const { return Base::keep_alive(); }
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  [[nodiscard]] bool asks_for_upgrade() const { return asks_for_upgrade_; }
  [[nodiscard]] unsigned host_fields() const { return host_fields_; }
  [[nodiscard]] bool started() const { return Base::got_some(); }

 private:
  void refuse(Outcome why, boost::beast::error_code& ec);
  [[nodiscard]] Fed feed_chunks(std::string_view data, std::size_t consumed);
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int version, error_code& ec) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field field, string_view name, string_view value, error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override;
  std::size_t on_body_impl(string_view body, error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  Request& request_;
  ParserLimits limits_;
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_left_ = 0;
  unsigned host_fields_ = 0;
  bool header_reported_ = false;
  bool expects_continue_ = false;
  bool asks_for_upgrade_ = false;
  bool transfer_encoding_ = false;
  bool other_coding_ = false;  ///< a Transfer-Encoding field that is not `chunked` alone
  bool chunked_ = false;
  ChunkDecoder chunks_;
  Outcome refusal_ = Outcome::malformed;  ///< why a callback set an error
};

}  // namespace pawl::http::detail
