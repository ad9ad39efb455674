#include "engine/records.hpp"

#include <zstd.h>

#include <memory>

#include "engine/codec.hpp"

namespace pawl::engine {
namespace {

constexpr std::uint8_t kVersion = 1;
// Below this size a frame's own header eats what compression gains.
constexpr std::size_t kWorthCompressing = 192;
constexpr int kLevel = 1;
constexpr std::size_t kMaxUnpacked = 1U << 30U;

enum Packing : std::uint8_t { packing_plain = 0, packing_zstd = 1 };

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// Version, packing, then `bytes`, compressed where that makes them shorter.
std::string pack(std::string_view bytes) {
  std::string out;
  if (bytes.size() >= kWorthCompressing) {
    thread_local const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
    out.resize(2 + ZSTD_compressBound(bytes.size()));
    const auto size = ZSTD_compressCCtx(context.get(), out.data() + 2, out.size() - 2, bytes.data(), bytes.size(), kLevel);
    if (ZSTD_isError(size) == 0 && size < bytes.size()) {
      out.resize(2 + size);
      out[0] = kVersion;
      out[1] = packing_zstd;
      out.shrink_to_fit();
      return out;
    }
    out.clear();
  }
  out.reserve(2 + bytes.size());
  out.push_back(kVersion);
  out.push_back(packing_plain);
  out.append(bytes);
  return out;
}

Result<std::string> unpack(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[0] != kVersion) return damaged("unknown version");
  const auto content = bytes.substr(2);
  if (bytes[1] == packing_plain) return std::string(content);
  if (bytes[1] != packing_zstd) return damaged("unknown packing");
  const auto size = ZSTD_getFrameContentSize(content.data(), content.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxUnpacked) return damaged("compressed size");
  std::string out(static_cast<std::size_t>(size), '\0');
  const auto got = ZSTD_decompress(out.data(), out.size(), content.data(), content.size());
  if (ZSTD_isError(got) != 0 || got != out.size()) return damaged("compressed data");
  return out;
}

}  // namespace

std::string encode_snapshot(const SnapshotRecord& snapshot) {
  std::string bytes;
  Encoder out(bytes);
  out.number(snapshot.updates);
  out.signed_number(snapshot.at.time_since_epoch().count());
  out.value(snapshot.input);
  out.value(snapshot.data);
  return pack(bytes);
}

Result<SnapshotRecord> decode_snapshot(std::string_view bytes) {
  PAWL_TRY(unpacked, unpack(bytes));
  Decoder in(unpacked);
  SnapshotRecord snapshot;
  snapshot.updates = in.number();
  snapshot.at = TimePoint(Millis(in.signed_number()));
  snapshot.input = in.value();
  snapshot.data = in.value();
  if (in.failed() || !in.at_end()) return damaged("snapshot");
  return snapshot;
}

std::string encode_beginning(const json::Value& trigger, std::string_view events) {
  std::string bytes;
  Encoder out(bytes);
  out.byte(kVersion);
  out.value(trigger);
  bytes.append(events);
  return bytes;
}

Result<Beginning> decode_beginning(std::string_view bytes) {
  Decoder in(bytes);
  Beginning beginning;
  if (in.byte() != kVersion) return damaged("unknown version");
  beginning.trigger = in.value();
  if (in.failed()) return damaged("beginning");
  beginning.events = in.rest();
  return beginning;
}

std::string encode_journal(std::string_view events) {
  std::string bytes;
  bytes.reserve(events.size() + 1);
  bytes.push_back(kVersion);
  bytes.append(events);
  return bytes;
}

Result<std::string> decode_journal(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != kVersion) return damaged("unknown version");
  return std::string(bytes.substr(1));
}

std::string encode_history(const History& history) {
  std::string bytes;
  Encoder out(bytes);
  out.value(history.trigger);
  out.value(history.result);
  out.text(history.snapshot);
  bytes.append(history.events);
  return pack(bytes);
}

Result<History> decode_history(std::string_view bytes) {
  PAWL_TRY(unpacked, unpack(bytes));
  Decoder in(unpacked);
  History history;
  history.trigger = in.value();
  history.result = in.value();
  history.snapshot = in.text();
  if (in.failed()) return damaged("history");
  history.events = in.rest();
  return history;
}

std::int64_t run_key(const RunId& id) {
  constexpr std::uint64_t kEpoch = 1'577'836'800'000;  // 2020-01-01
  const auto& b = id.uuid.bytes;
  std::uint64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = (millis << 8U) | b[i];
  // 12 bits after the version, 10 after the variant.
  const std::uint64_t tail = (static_cast<std::uint64_t>(b[6] & 0x0fU) << 18U) | (static_cast<std::uint64_t>(b[7]) << 10U) |
                             (static_cast<std::uint64_t>(b[8] & 0x3fU) << 4U) | (b[9] >> 4U);
  return static_cast<std::int64_t>((((millis - kEpoch) & ((1ULL << 41U) - 1)) << 22U) | tail);
}

}  // namespace pawl::engine
