/// What this machine can do, here and now: the figures that ours are divided by.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace pawl::bench {

/// 4 KiB writes to one file in `folder`, each followed by fdatasync; per second.
[[nodiscard]] Result<double> syncs_per_second(const std::string& folder);

/// Rows of `row_bytes` into a table like the journal's (16-byte key and a sequence, without rowid), WAL, `synchronous=FULL`, `batch` rows
/// in each transaction; per second.
[[nodiscard]] Result<double> sqlite_rows_per_second(const std::string& folder, std::uint32_t batch, std::uint32_t row_bytes);

}  // namespace pawl::bench
