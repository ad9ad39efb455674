#include "http/detail/chunks.hpp"

#include <algorithm>

namespace pawl::http::detail {
namespace {

constexpr unsigned kMostDigits = 15;  // 2^60 bytes: no overflow, and beyond every limit

int hex_digit(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

}  // namespace

ChunkDecoder::Outcome ChunkDecoder::feed(std::string_view data, std::string& body, std::size_t& consumed) {
  std::size_t at = 0;
  auto outcome = state_ == State::done ? Outcome::done : Outcome::need_more;
  while (at < data.size() && outcome == Outcome::need_more) {
    if (state_ != State::data) {
      outcome = take(data[at++]);
      continue;
    }
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size_, data.size() - at));
    body.append(data.substr(at, bytes));
    at += bytes;
    size_ -= bytes;
    if (size_ == 0) state_ = State::data_cr;
  }
  consumed = at;
  return outcome;
}

ChunkDecoder::Outcome ChunkDecoder::take(char letter) {
  switch (state_) {
    case State::size: return take_size(letter);
    case State::extension: return take_text(letter, State::size_end);
    case State::size_end: return expect(letter, '\n', size_ == 0 ? State::trailer_start : State::data);
    case State::data_cr: return expect(letter, '\r', State::data_lf);
    case State::data_lf: size_ = 0; return expect(letter, '\n', State::size);
    case State::trailer_start:
      if (letter == '\r') return expect(letter, '\r', State::last_end);
      state_ = State::trailer;
      return take_text(letter, State::trailer_end);
    case State::trailer: return take_text(letter, State::trailer_end);
    case State::trailer_end: return expect(letter, '\n', State::trailer_start);
    case State::last_end: return expect(letter, '\n', State::done);
    case State::data:
    case State::done: break;
  }
  return Outcome::malformed;
}

ChunkDecoder::Outcome ChunkDecoder::take_size(char letter) {
  if (const int digit = hex_digit(letter); digit >= 0) {
    if (++digits_ > kMostDigits) return Outcome::malformed;
    size_ = size_ * 16 + static_cast<unsigned>(digit);
    return Outcome::need_more;
  }
  if (digits_ == 0 || (letter != ';' && letter != '\r')) return Outcome::malformed;
  digits_ = 0;
  if (size_ > body_left_) return Outcome::too_large;
  body_left_ -= static_cast<std::size_t>(size_);
  state_ = letter == ';' ? State::extension : State::size_end;
  return Outcome::need_more;
}

ChunkDecoder::Outcome ChunkDecoder::take_text(char letter, State at_end) {
  if (letter == '\r') return expect(letter, '\r', at_end);
  const auto byte = static_cast<unsigned char>(letter);
  if ((byte < 0x20 && letter != '\t') || byte == 0x7F || other_left_ == 0) return Outcome::malformed;
  --other_left_;
  return Outcome::need_more;
}

ChunkDecoder::Outcome ChunkDecoder::expect(char letter, char expected, State next) {
  if (letter != expected) return Outcome::malformed;
  state_ = next;
  return next == State::done ? Outcome::done : Outcome::need_more;
}

}  // namespace pawl::http::detail
