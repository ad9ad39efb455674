/// The bodies of several records as one compressed text, for rows that hold more than one (migration 0017). Private to the module.
///
/// Layout, under zstd: for each record its time (milliseconds after the record before it, zigzag varint; the first one's since 1970), then
/// action, resource type, resource id, outcome, request id, run (16 bytes or none), task, duration (varint plus one, zero: none) and
/// details, each text with its length as a varint before it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.hpp"

namespace pawl::audit::detail {

/// Records of one row at most, and what they may come to before compression: a reader of a row holds that in memory.
inline constexpr std::size_t kMaxPackedRecords = 1000;
inline constexpr std::size_t kMaxPackedBytes = 4U << 20U;

class Packer {
 public:
  /// False where the row is full: the record belongs into the next one.
  [[nodiscard]] bool add(const Entry& entry);
  [[nodiscard]] std::string take();

 private:
  std::string text_;
  std::size_t count_ = 0;
  TimePoint last_{};
};

/// `count` entries with the fields above and nothing else; nothing where `body` is not the work of `Packer`.
[[nodiscard]] std::optional<std::vector<Entry>> unpack(std::string_view body, std::size_t count);

}  // namespace pawl::audit::detail
