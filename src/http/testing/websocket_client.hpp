/// A blocking WebSocket client for tests, down to the bits of a frame. Header only; not part of the product.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/testing/raw_client.hpp"

namespace pawl::http::testing {

enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

struct Frame {
  std::uint8_t first = 0;  ///< FIN, RSV and opcode as they stand; 0 when the connection ended
  std::string payload;

  [[nodiscard]] unsigned opcode() const { return first & 0x0FU; }
  /// The code of a close frame; 1005 where it has none.
  [[nodiscard]] unsigned code() const {
    if (payload.size() < 2) return 1005;
    return static_cast<unsigned>(static_cast<unsigned char>(payload[0])) << 8U | static_cast<unsigned char>(payload[1]);
  }
};

/// One frame as a client sends it. `mask` false: as none may be sent.
[[nodiscard]] inline std::string frame(unsigned opcode, std::string_view payload, bool fin = true, bool mask = true) {
  std::string out;
  out += static_cast<char>((fin ? 0x80U : 0U) | opcode);
  const unsigned masked = mask ? 0x80U : 0U;
  if (payload.size() < 126) {
    out += static_cast<char>(masked | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(masked | 126U);
    for (unsigned shift = 8; shift < 16; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xFFU);
  } else {
    out += static_cast<char>(masked | 127U);
    for (unsigned shift = 56; shift < 64; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xFFU);
  }
  if (!mask) return out.append(payload);
  constexpr std::string_view kKey = "\x12\x34\x56\x78";
  out += kKey;
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ kKey[i % 4]);
  return out;
}

class WebSocketClient : public RawClient {
 public:
  using RawClient::RawClient;

  [[nodiscard]] static std::string handshake(std::string_view target, std::string_view more_fields = {}) {
    std::string text = "GET " + std::string(target) +
                       " HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    text += more_fields;
    return text + "\r\n";
  }

  /// The answer to the handshake; 101 where there is a socket now.
  [[nodiscard]] Reply open(std::string_view target, std::string_view more_fields = {}) { return exchange(handshake(target, more_fields)); }

  bool send(std::string_view text) { return write(frame(kText, text)); }

  [[nodiscard]] Frame read_frame() {
    Frame frame;
    const auto head = read_exactly(2);
    if (head.size() < 2) return frame;
    std::size_t size = static_cast<unsigned char>(head[1]) & 0x7FU;
    if (size > 125) {
      std::size_t longer = 0;
      for (const char byte : read_exactly(size == 126 ? 2 : 8)) longer = longer << 8U | static_cast<unsigned char>(byte);
      size = longer;
    }
    frame.payload = read_exactly(size);
    frame.first = static_cast<std::uint8_t>(head[0]);
    return frame;
  }
  /// The next text; empty when something else comes or the connection ends.
  [[nodiscard]] std::string read_text() {
    auto next = read_frame();
    return next.opcode() == kText ? next.payload : std::string();
  }
};

}  // namespace pawl::http::testing
