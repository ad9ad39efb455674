#include "audit/verify.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "audit/detail/chain.hpp"
#include "audit/detail/line_file.hpp"

namespace pawl::audit {

using detail::Stored;
using detail::StoredRow;

namespace {

constexpr std::int64_t kPage = 200;  // rows

bool signed_by_one(const Keys& keys, const crypto::Digest& mac, const auto& sign) {
  return std::any_of(keys.begin(), keys.end(), [&](const crypto::Key& key) { return crypto::equal(sign(key), mac); });
}

/// The sequence that a line claims, from its fixed beginning; 0 where it is not one of ours.
std::uint64_t sequence_of_line(std::string_view line) {
  constexpr std::string_view kName = "\"sequence\":";
  const auto at = line.find(kName);
  if (at == std::string_view::npos || at > 100) return 0;
  std::uint64_t sequence = 0;
  for (const char c : line.substr(at + kName.size(), 20)) {
    if (c < '0' || c > '9') break;
    sequence = sequence * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return sequence;
}

class Walk {
 public:
  Walk(storage::Database& database, const VerifyOptions& options) : database_(database), options_(options) {}

  Result<VerifyReport> run() {
    PAWL_TRY_VOID(read_frame());
    if (!report_.problem) PAWL_TRY_VOID(walk_records());
    if (!report_.problem) check_end();
    if (!report_.problem) check_keys();
    if (!report_.problem && !options_.file.empty()) PAWL_TRY_VOID(walk_file());
    report_.ok = !report_.problem;
    return report_;
  }

 private:
  void found(std::uint64_t sequence, std::string kind, std::string detail) {
    if (!report_.problem) report_.problem = Problem{sequence, std::move(kind), std::move(detail)};
  }

  /// Head and checkpoint as they are at the start, in one view.
  Result<void> read_frame() {
    return database_.read([&](storage::Session& session) -> Result<void> {
      PAWL_TRY(head, detail::read_head(session));
      PAWL_TRY(checkpoint, detail::read_checkpoint(session));
      take_frame(head, checkpoint);
      return session.query("select max(seq), min(seq) from audit_records", {}, [&](const storage::Row& row) {
        newest_ = static_cast<std::uint64_t>(row.integer(0));
        // The walk begins with 1; lists and counts show what stands before it all the same.
        if (!row.is_null(1) && row.integer(1) < 1) found(0, "inserted", "a record has a number that is never given out");
      });
    });
  }

  void take_frame(const std::optional<detail::StoredHead>& head, const std::optional<detail::Checkpoint>& checkpoint) {
    if (checkpoint) {
      link_ = checkpoint->removed_up_to;
      report_.removed = link_.sequence;
      if (!signed_by_one(options_.keys, checkpoint->mac,
                         [&](const crypto::Key& key) { return detail::checkpoint_mac(key, checkpoint->removed_up_to, checkpoint->at); })) {
        checkpoint_signed_ = false;
      }
    }
    if (!head) return found(0, "head", "the head of the chain is missing");
    head_ = head->head;
    if (!signed_by_one(options_.keys, head->mac, [&](const crypto::Key& key) { return detail::head_mac(key, head->head); })) {
      head_signed_ = false;
    }
  }

  [[nodiscard]] Result<void> go_on() const {
    if (options_.stop && options_.stop()) return Error(ErrorClass::unavailable, "audit.stopped", "The look at the trail was ended.");
    return {};
  }

  Result<void> walk_records() {
    for (;;) {
      PAWL_TRY_VOID(go_on());
      std::int64_t count = 0;
      PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
        return session.query(PAWL_AUDIT_SELECT "where r.seq > $1 and r.seq <= $2 order by r.seq limit $3",
                             {static_cast<std::int64_t>(after_), static_cast<std::int64_t>(std::max(newest_, head_.sequence)), kPage},
                             [&](const storage::Row& row) {
                               ++count;
                               after_ = static_cast<std::uint64_t>(row.integer(0));
                               if (!report_.problem) check_row(detail::read_row(row));
                             });
      }));
      if (report_.problem || count < kPage) return {};
    }
  }

  void check_row(const StoredRow& row) {
    const auto& first = row.records.front().entry;
    if (report_.first == 0) report_.first = first.sequence;
    if (first.sequence <= link_.sequence) return found(first.sequence, "inserted", "the record has a number that was given out already");
    if (first.sequence != link_.sequence + 1) {
      return found(link_.sequence + 1, "missing", "the record is not there; the next one is " + std::to_string(first.sequence));
    }
    if (!row.whole) return found(first.sequence, "altered", "the record's content is not one that this program writes");
    if (row.records.size() == 1 && detail::hash_of(first, row.records.front().address_digest) != first.hash) {
      return found(first.sequence, "altered", "the record's content does not fit its hash");
    }
    if (first.previous != link_.hash) return found(first.sequence, "link", "the record does not follow from the one before it");
    check_signature(row);
    for (const auto& stored : row.records) {
      if (!report_.problem) check(stored);
    }
  }

  void check_signature(const StoredRow& row) {
    const auto& last = row.records.back().entry;
    const auto signature = [&](const crypto::Key& key) { return detail::record_mac(key, row.hash); };
    const auto key = std::find_if(options_.keys.begin(), options_.keys.end(),
                                  [&](const crypto::Key& each) { return crypto::equal(signature(each), row.mac); });
    const bool complete = last.hash == row.hash;
    last_is_foreign_ = key == options_.keys.end();
    if (!complete || (!last_is_foreign_ && row.records.size() > 1)) {
      const auto fitting = longest_marked(row);
      if (fitting < row.records.size()) {
        return found(row.records[fitting].entry.sequence, "altered", "the record's content does not fit what was signed");
      }
      if (!complete) return found(last.sequence, "altered", "the record's content does not fit its hash");
    }
    if (!last_is_foreign_) {
      current_has_signed_ = current_has_signed_ || key == options_.keys.begin();
      return;
    }
    const auto first = row.records.front().entry.sequence;
    // The key changes from one record to the next and never back: once the present one has signed, no other does.
    if (current_has_signed_) {
      const auto fitting = std::min(longest_marked(row), row.records.size() - 1);
      return found(row.records[fitting].entry.sequence, "forged", "the record is not signed with this installation's key");
    }
    if (first_foreign_ == 0) first_foreign_ = first;
    last_foreign_ = last.sequence;
  }

  /// How many of a row's records, from the first on, have the marks that one of the keys gives them; of a single record, which has none: 0.
  std::size_t longest_marked(const StoredRow& row) const {
    std::size_t longest = 0;
    for (const auto& key : options_.keys) {
      std::size_t count = 0;
      while (count < row.records.size() && std::string_view(row.marks).substr(count * detail::kMark, detail::kMark) ==
                                               detail::mark_of(key, row.records[count].entry.hash)) {
        ++count;
      }
      longest = std::max(longest, count);
    }
    return longest;
  }

  void check(const Stored& stored) {
    const auto& entry = stored.entry;
    ++report_.records;
    check_address(stored);
    if (options_.expected_sequence == entry.sequence && options_.expected_hash != detail::to_hex(entry.hash)) {
      found(entry.sequence, "expected", "the record has another hash than the one noted earlier");
    }
    link_ = {entry.sequence, entry.hash};
    report_.last = entry.sequence;
  }

  void check_address(const Stored& stored) {
    const auto& entry = stored.entry;
    if (entry.action == kErased && entry.outcome == Outcome::success) erased_later_.insert(entry.resource.id);
    if (!stored.address_digest) {
      if (stored.salt) found(entry.sequence, "address", "the record has an address that it was not written with");
      return;
    }
    if (!stored.salt) {
      missing_addresses_.try_emplace(entry.actor.user.to_string(), entry.sequence);
      return;
    }
    if (detail::address_digest_of(*stored.salt, entry.address) != *stored.address_digest) {
      found(entry.sequence, "address", "the record's address is not the one that it was written with");
    }
  }

  void check_end() {
    report_.head = detail::to_hex(link_.hash);
    if (!head_signed_ && !last_is_foreign_ && report_.records > 0) {
      found(head_.sequence, "head", "the head of the chain is not signed with this installation's key");
    }
    for (const auto& [user, sequence] : missing_addresses_) {
      if (!erased_later_.contains(user)) found(sequence, "address", "the record's address is gone, and its person was never erased");
    }
    if (head_.sequence != link_.sequence || head_.hash != link_.hash) {
      found(std::min(head_.sequence, link_.sequence) + 1, "truncated",
            "the head of the chain says that record " + std::to_string(head_.sequence) + " is the newest; the table ends with " +
                std::to_string(link_.sequence));
    }
    if (options_.expected_sequence && *options_.expected_sequence > link_.sequence) {
      found(link_.sequence + 1, "expected", "the chain ends before the record noted earlier");
    }
  }

  /// What is whole but signed with a key that was not given: by an earlier SECRET_KEY, which this cannot tell from a forgery.
  void check_keys() {
    const bool foreign_first = first_foreign_ != 0 && first_foreign_ == report_.first;
    if (!checkpoint_signed_ && !foreign_first) {
      return found(report_.removed, "checkpoint", "the checkpoint that retention left is not signed with this installation's key");
    }
    if (first_foreign_ != 0) {
      found(first_foreign_, "unknown_key",
            "records " + std::to_string(first_foreign_) + " to " + std::to_string(last_foreign_) +
                " are whole, but signed with a key that was not given: written under an earlier SECRET_KEY (give it in "
                "SECRET_KEY_PREVIOUS), or forged");
    } else if (!head_signed_) {
      found(head_.sequence, "head", "the head of the chain is not signed with this installation's key");
    }
  }

  // ---- the file ---------------------------------------------------------------------------------------------------------------

  /// Next line of the database, page by page.
  Result<std::optional<std::pair<std::uint64_t, std::string>>> next_record() {
    if (page_.empty() && !page_end_) {
      PAWL_TRY_VOID(go_on());
      PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
        return session.query(PAWL_AUDIT_SELECT "where r.seq > $1 and r.seq <= $2 order by r.seq limit $3",
                             {static_cast<std::int64_t>(paged_), static_cast<std::int64_t>(report_.last), kPage},
                             [&](const storage::Row& row) {
                               for (const auto& stored : detail::read_row(row).records) {
                                 paged_ = stored.entry.sequence;
                                 page_.emplace_back(paged_, to_line(stored.entry));
                               }
                             });
      }));
      page_end_ = page_.empty();
    }
    if (page_.empty()) return std::optional<std::pair<std::uint64_t, std::string>>();
    auto next = std::move(page_.front());
    page_.pop_front();
    return std::optional(std::move(next));
  }

  Result<void> walk_file() {
    std::optional<Error> failed;
    std::uint64_t before = 0;
    PAWL_TRY_VOID(detail::read_lines(options_.file, [&](std::string_view line) {
      const auto sequence = sequence_of_line(line);
      if (sequence == 0) {
        found(before + 1, "file", "the line of the file after record " + std::to_string(before) + " is not a record");
      } else if (before != 0 && sequence != before + 1) {
        found(before + 1, "file", "the file goes from record " + std::to_string(before) + " to " + std::to_string(sequence));
      }
      before = sequence;
      if (report_.problem) return false;
      if (sequence <= report_.removed) return true;  // retention took it from the database; the file may still have it
      // Younger than the start of this walk, or taken from the database. The head tells: it was read first.
      if (sequence > report_.last) {
        if (sequence <= head_.sequence) return true;
        return beyond(sequence, failed);
      }
      auto record = next_record();
      if (record.has_error()) {
        failed = record.error();
        return false;
      }
      // A file that began later than the chain (a new path) is compared from its first line on.
      while (report_.file_lines == 0 && *record && (*record)->first < sequence) {
        record = next_record();
        if (record.has_error()) {
          failed = record.error();
          return false;
        }
      }
      ++report_.file_lines;
      if (!*record || (*record)->second != line) {
        found(sequence, "file", "the file's line for this record differs from the database");
        return false;
      }
      return true;
    }));
    if (failed) return *failed;
    return {};
  }

  /// A line beyond the newest record that this walk knows: fine if it was appended meanwhile.
  bool beyond(std::uint64_t sequence, std::optional<Error>& failed) {
    bool there = false;
    const auto read = database_.read([&](storage::Session& session) {
      return session.query("select 1 from audit_records where seq >= $1 limit 1", {static_cast<std::int64_t>(sequence)},
                           [&](const storage::Row&) { there = true; });
    });
    if (read.has_error()) {
      failed = read.error();
    } else if (!there) {
      found(sequence, "truncated", "the file has this record and the database has not");
    }
    return false;  // what follows is younger still
  }

  static constexpr std::string_view kErased = "data.erased";

  storage::Database& database_;
  const VerifyOptions& options_;
  VerifyReport report_;
  detail::Head head_;
  detail::Head link_;
  bool head_signed_ = true;
  bool checkpoint_signed_ = true;
  bool current_has_signed_ = false;  // a record so far
  bool last_is_foreign_ = false;     // the last record that was looked at is signed with none of the keys
  std::uint64_t first_foreign_ = 0;
  std::uint64_t last_foreign_ = 0;
  std::uint64_t newest_ = 0;
  std::uint64_t after_ = 0;
  std::map<std::string, std::uint64_t> missing_addresses_;  // by user, the first record
  std::set<std::string, std::less<>> erased_later_;
  std::deque<std::pair<std::uint64_t, std::string>> page_;
  std::uint64_t paged_ = 0;
  bool page_end_ = false;
};

}  // namespace

Result<VerifyReport> verify(storage::Database& database, const VerifyOptions& options) {
  // Retention may have removed what the walk was about to read: then the checkpoint has moved, and the walk begins anew.
  constexpr int kAttempts = 5;
  for (int attempt = 1;; ++attempt) {
    PAWL_TRY(report, Walk(database, options).run());
    if (report.ok || attempt == kAttempts) return report;
    std::uint64_t removed = 0;
    PAWL_TRY_VOID(database.read([&](storage::Session& session) {
      return session.query("select seq from audit_checkpoint where id = 1", {},
                           [&](const storage::Row& row) { removed = static_cast<std::uint64_t>(row.integer(0)); });
    }));
    if (removed == report.removed) return report;
  }
}

}  // namespace pawl::audit
