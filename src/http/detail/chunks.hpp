// The chunked transfer coding (RFC 9112 section 7.1), strictly. Our own, because Beast's chunk parser (1.81) has an assertion that a client
// can reach: tests/fuzz/http_fuzz.cpp found it within seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::http::detail {

class ChunkDecoder {
 public:
  enum class Outcome : std::uint8_t { need_more, done, malformed, too_large };

  /// At most `body_bytes` of data, and as many bytes of chunk extensions and trailers together as `other_bytes`. Both are read and thrown
  /// away: nothing after the header may change what the header said.
  void set_limits(std::size_t body_bytes, std::size_t other_bytes) {
    body_left_ = body_bytes;
    other_left_ = other_bytes;
  }

  /// Takes bytes from the front of `data`, appending what they carry to `body`; `consumed` says how many. All of them unless done.
  [[nodiscard]] Outcome feed(std::string_view data, std::string& body, std::size_t& consumed);

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_end,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer,
    trailer_end,
    last_end,
    done
  };
  [[nodiscard]] Outcome take(char letter);
  [[nodiscard]] Outcome take_size(char letter);
  [[nodiscard]] Outcome take_text(char letter, State at_end);
  [[nodiscard]] Outcome expect(char letter, char expected, State next);

  State state_ = State::size;
  std::uint64_t size_ = 0;  ///< of the chunk; then what is left of it
  unsigned digits_ = 0;
  std::size_t body_left_ = 0;
  std::size_t other_left_ = 0;
};

}  // namespace pawl::http::detail
