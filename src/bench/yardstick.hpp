/// What this machine can do, here and now: the figures that ours are divided by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace pawl::bench {

/// 4 KiB writes to one file in `folder`, each followed by fdatasync; per second.
[[nodiscard]] Result<double> syncs_per_second(const std::string& folder);

/// Rows of `row_bytes` into a table like the journal's (16-byte key and a sequence, without rowid), WAL, `synchronous=FULL`, `batch` rows
/// in each transaction; per second.
[[nodiscard]] Result<double> sqlite_rows_per_second(const std::string& folder, std::uint32_t batch, std::uint32_t row_bytes);

/// Starting this program (a path and its arguments) with an empty environment and waiting for its end; median of `times`, in milliseconds.
[[nodiscard]] Result<double> spawn_ms(const std::vector<std::string>& arguments, std::uint32_t times);

/// A table of ten rows in a file of SQLite, for who wants to ask it.
[[nodiscard]] Result<void> make_table(const std::string& path);
/// Opening that file, asking for its rows and closing it; median of `times`, in milliseconds.
[[nodiscard]] Result<double> query_ms(const std::string& path, std::uint32_t times);

}  // namespace pawl::bench
