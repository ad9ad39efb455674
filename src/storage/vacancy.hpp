/// Whether a PostgreSQL database is free for an engine, for one that waits until it is.
///
///     storage::Vacancy vacancy(options);
///     for (auto free = vacancy.look(); free.has_error() || !*free; free = vacancy.look()) { ... rest for a moment ... }
///     auto database = storage::Database::open(options);  // `storage.locked`: somebody else was quicker
///
/// Asks on a connection of its own that it keeps, and holds nothing in between: neither a lock nor a snapshot that would keep PostgreSQL
/// from cleaning up. A look costs one statement. Belongs to one thread at a time.
#pragma once

#include <chrono>
#include <memory>

#include "storage/database.hpp"

namespace pawl::storage {

class Vacancy {
 public:
  /// `options.url` names a PostgreSQL.
  explicit Vacancy(DatabaseOptions options);
  ~Vacancy();
  Vacancy(const Vacancy&) = delete;
  Vacancy& operator=(const Vacancy&) = delete;

  /// Blocks for one answer; where there is no server, for as long as connecting may take. After an outage the answer is no for a few
  /// seconds: the engine that worked on the database has lost its connection as well, and has the right to go on. Errors
  /// `storage.unavailable` (the next look connects anew); at the first look `storage.pooler`.
  [[nodiscard]] Result<bool> look();

 private:
  [[nodiscard]] Result<bool> ask();

  const DatabaseOptions options_;
  std::unique_ptr<detail::Connection> connection_;
  bool was_connected_ = false;
  std::chrono::steady_clock::time_point not_before_{};
};

}  // namespace pawl::storage
