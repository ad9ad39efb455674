/// zip and tar (plain, gzip, xz, zstd) by libarchive, for the function `archive`. Blocking.
///
/// An archive is somebody else's file. Before the first byte is written all its entries are read: a name that leads out of the folder, a
/// link, a device, or more than the limits refuses the whole archive. While unpacking, real bytes are counted: headers lie.
/// Around the archive there is one compression at most. Files appear through `Place`. Errors: `archive.format`, `archive.entry` (denied),
/// `archive.too_large`, `archive.cancelled`, `archive.timeout`, those of contained_path.hpp.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {

enum class ArchiveFormat : std::uint8_t { zip, tar, tar_gz, tar_xz, tar_zst };
/// By its name (`zip`, `tar.gz`) or by the end of a path. Nothing: none of them.
[[nodiscard]] std::optional<ArchiveFormat> archive_format(std::string_view name);

struct ArchiveLimits {
  std::uint32_t max_entries = 10'000;
  std::uint64_t max_bytes = 1ULL << 30U;  ///< of all entries, unpacked
  std::uint64_t max_ratio = 200;          ///< unpacked to packed; small archives are not asked
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct ArchiveEntry {
  std::string name;
  std::string kind;  ///< `file`, `folder`, `link`, `other`
  std::uint64_t size = 0;
  TimePoint modified{};
  bool executable = false;
  std::string problem;  ///< why it would not be unpacked; empty: it would
};
[[nodiscard]] Result<std::vector<ArchiveEntry>> list_archive(const Place& archive, const ArchiveLimits& limits,
                                                             const std::atomic<bool>& cancelled);

enum class Existing : std::uint8_t { fail, skip, replace };
struct Unpacked {
  std::uint32_t files = 0;
  std::uint32_t skipped = 0;
  std::uint64_t bytes = 0;
};
[[nodiscard]] Result<Unpacked> extract_archive(const Place& archive, const Place& folder, Existing existing, const ArchiveLimits& limits,
                                               const std::atomic<bool>& cancelled);

/// A file that goes into an archive under a name.
struct Packing {
  Place place;
  std::string name;
  bool folder = false;
};
struct PackingList {
  std::vector<Packing> items;
  std::vector<std::string> skipped;  ///< links and special files
};
/// All that lies at and below the places, sorted; `except` is the archive itself.
[[nodiscard]] Result<PackingList> list_for_packing(const std::vector<Place>& places, const Place& except, const ArchiveLimits& limits,
                                                   const std::atomic<bool>& cancelled);
struct Packed {
  std::uint32_t entries = 0;
  std::uint64_t bytes = 0;  ///< of the files
  std::uint64_t size = 0;   ///< of the archive
  bool created = false;
};
[[nodiscard]] Result<Packed> create_archive(const Place& archive, ArchiveFormat format, const std::vector<Packing>& items, bool replace,
                                            const ArchiveLimits& limits, const std::atomic<bool>& cancelled);

}  // namespace pawl::functions
