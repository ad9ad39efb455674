/// The columns that hold values sealed by a `crypto::KeyRing`, and what is done with all of them when a key changes.
///
/// A module that seals a column describes it in its public header; `app/sealed_columns.cpp` lists them all:
///
///     inline constexpr storage::SealedColumn kSealedConfig{
///         .name = "integrations.sealed_config",
///         .key = storage::SealedColumn::Key::blob,
///         .select = "select id, organization_id, sealed_config from integrations where id > $1 and sealed_config is not null order by id
///         limit $2", .update = "update integrations set sealed_config = $1 where id = $2 and sealed_config = $3"};
///
/// All functions block.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "crypto/key_ring.hpp"
#include "storage/database.hpp"

namespace pawl::storage {

struct SealedColumn {
  enum class Key : std::uint8_t { blob, text };
  std::string_view name;    ///< `table.column`, as in `crypto::SealedPlace`
  Key key = Key::blob;      ///< type of the row's key, which is also the place's row
  std::string_view select;  ///< key, organization (null: none), sealed value; keys above $1, at most $2 rows, in their order
  std::string_view update;  ///< $1: the new value, $2: the key, $3: the value that must still be there
};

struct SealedCount {
  std::string column;
  std::uint64_t rows = 0;
  std::map<std::string, std::uint64_t> by_key;  ///< key id (or `damaged`) to rows
  std::uint64_t resealed = 0;
};

/// How many rows stand under which key. Opens nothing.
[[nodiscard]] Result<std::vector<SealedCount>> count_sealed(Database& database, std::span<const SealedColumn> columns);

struct ResealOptions {
  bool dry_run = false;  ///< open everything, change nothing
  std::uint32_t batch = 200;
};
/// Seals every value that stands under a previous key anew, under the current one. First opens *all* values and changes nothing where one
/// does not open: error `keys.cannot_open` names column and row. Each batch is a transaction of its own, and a value that is current is
/// left alone, so it can be stopped and run again. A row that changes meanwhile keeps its newer value.
[[nodiscard]] Result<std::vector<SealedCount>> reseal(Database& database, std::span<const SealedColumn> columns,
                                                      const crypto::KeyRing& ring, const ResealOptions& options = {});

}  // namespace pawl::storage
