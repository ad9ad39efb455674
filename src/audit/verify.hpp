/// Is the audit trail what was written? Walks all of it, a page at a time, and names the first record that is not.
///
/// | done to it | found by |
/// | --- | --- |
/// | a column of a record altered | its hash |
/// | ... and its hash computed anew | its signature, since the key is not in the database; the link of the next record |
/// | a record removed, inserted, or moved | numbers without gaps, links, signatures |
/// | the newest records removed | the signed head; with that set back too, the file |
/// | the oldest records removed | the signed checkpoint that retention leaves |
/// | a line of the file altered, removed, or added | comparison with the database, line by line |
/// | SECRET_KEY changed, and the earlier one not given | reported as `unknown_key`, from which record to which: whole, but nobody vouches
///   for them |
/// | an address removed | it may be missing only where the person was erased, which is a record itself |
///
/// What it cannot find: the newest records removed from the database *and* the file, with the head that stood there before put back. For
/// that, note `head` from time to time in a place of somebody else (it is in every report), and give it as `expected`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "storage/database.hpp"

namespace pawl::audit {

struct VerifyOptions {
  Keys keys;
  std::filesystem::path file{};  ///< empty: the database alone
  /// Noted earlier: this record must exist with this hash (hexadecimal), unless retention has removed it since.
  std::optional<std::uint64_t> expected_sequence{};
  std::string expected_hash{};
  std::function<bool()> stop{};  ///< asked before every page; true: error `audit.stopped`
};

/// What is wrong with one record.
struct Problem {
  std::uint64_t sequence = 0;  ///< of the first bad record; 0: no record in particular
  /// `altered`, `forged`, `unknown_key`, `missing`, `inserted`, `link`, `truncated`, `head`, `checkpoint`, `address`, `file`, `expected`
  std::string kind;
  std::string detail;  ///< a sentence
};

struct VerifyReport {
  bool ok = false;
  std::uint64_t records = 0;     ///< looked at
  std::uint64_t first = 0;       ///< the oldest that is kept; 0: none
  std::uint64_t last = 0;        ///< the newest
  std::uint64_t removed = 0;     ///< by retention, up to and with this one
  std::uint64_t file_lines = 0;  ///< compared
  std::string head;              ///< hash of the newest, hexadecimal
  std::optional<Problem> problem;
};

/// Blocking, for a worker thread; memory does not grow with the chain. Reads while others append: what comes later than the start is not
/// looked at. An error means that it could not be read; a problem found is in the report.
[[nodiscard]] Result<VerifyReport> verify(storage::Database& database, const VerifyOptions& options);

}  // namespace pawl::audit
