/// What a backup consists of, as text: one line for each thing, and at the end a digest of all lines before.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "storage/database.hpp"
#include "storage/detail/hashed_file.hpp"

namespace pawl::storage::detail {

inline constexpr std::string_view kManifestName = "MANIFEST";

struct Manifest {
  struct Table {
    std::string name;
    std::vector<std::string> columns;
    std::int64_t rows = 0;
  };
  TimePoint made_at{};
  Dialect dialect = Dialect::sqlite;
  std::map<std::uint32_t, std::string> migrations;  ///< SHA-256 by version
  std::vector<Table> tables;                        ///< of PostgreSQL; each after those that it refers to
  std::map<std::string, FileDigest> files;          ///< by path below the backup's folder

  [[nodiscard]] std::string to_text() const;
  /// Error `backup.damaged`, `backup.unsupported`.
  [[nodiscard]] static Result<Manifest> parse(std::string_view text);
};

}  // namespace pawl::storage::detail
