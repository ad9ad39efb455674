/// The chain in the database: how a record is hashed, signed, written and read. Private to the module.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.hpp"
#include "storage/database.hpp"

namespace pawl::audit::detail {

/// A record with what the database keeps of its address.
struct Stored {
  Entry entry;
  std::optional<crypto::Digest> address_digest;
  std::optional<std::string> salt;  ///< present as long as the address is
};

/// A row of `audit_records`: one record, or several of one actor, organization and address.
struct StoredRow {
  std::vector<Stored> records;  ///< never empty, in order; `previous` and `hash` of several are computed from the row's `previous` on
  crypto::Digest hash{};        ///< as it stands there; the last record's, unless somebody was here
  crypto::Digest mac{};
  std::string marks;  ///< `kMark` bytes for each record; empty where there is one
  bool whole = true;  ///< false: the row is not one that we write
};

/// Everything that a record says, each part with its length, in a fixed order: no two records have the same text.
[[nodiscard]] crypto::Digest hash_of(const Entry& entry, const std::optional<crypto::Digest>& address_digest);
[[nodiscard]] crypto::Digest address_digest_of(std::string_view salt, std::string_view address);
/// The address without its host part: `192.0.2.0/24`, `2001:db8:1::/48`; empty for what is not an address.
[[nodiscard]] std::string network_of(const std::string& address);

struct Head {
  std::uint64_t sequence = 0;  ///< 0: no record yet
  crypto::Digest hash{};
};
struct Checkpoint {
  Head removed_up_to;
  TimePoint at{};
  crypto::Digest mac{};
};
[[nodiscard]] crypto::Digest record_mac(const crypto::Key& key, const crypto::Digest& hash);
/// The first bytes of a signature: enough to say which record of a row was altered, once the row's own signature says that one was.
inline constexpr std::size_t kMark = 4;
[[nodiscard]] std::string mark_of(const crypto::Key& key, const crypto::Digest& hash);
[[nodiscard]] crypto::Digest head_mac(const crypto::Key& key, const Head& head);
[[nodiscard]] crypto::Digest checkpoint_mac(const crypto::Key& key, const Head& removed_up_to, TimePoint at);

/// Where the next record joins. Takes the row lock that keeps other writers (other processes on a shared database) out until the end of the
/// transaction. Where somebody has tampered with the head, the newest record counts: the chain goes on, and `verify` finds it. `known`: as
/// this process left it, committed or not; where it is still there, nobody was.
[[nodiscard]] Result<Head> lock_head(storage::Transaction& transaction, const crypto::Key& key, const Head& known = {});
[[nodiscard]] Result<void> set_head(storage::Transaction& transaction, const crypto::Key& key, const Head& head);
/// Completes the records (sequence, previous, hash, address) as the successors of `head`, writes them, and moves `head` on. Those of one
/// organization, actor and address come together into rows, in the order in which they are given; sorts `records` accordingly.
[[nodiscard]] Result<void> insert_all(storage::Transaction& transaction, const crypto::Key& key, Head& head,
                                      std::span<std::shared_ptr<Stored>> records);

/// The head as it is in the table; nothing where there is none.
struct StoredHead {
  Head head;
  crypto::Digest mac{};
};
[[nodiscard]] Result<std::optional<StoredHead>> read_head(storage::Session& session);
[[nodiscard]] Result<std::optional<Checkpoint>> read_checkpoint(storage::Session& session);
[[nodiscard]] Result<void> write_checkpoint(storage::Transaction& transaction, const Checkpoint& checkpoint);

/// The columns that `read_row` expects, over `audit_records r left join audit_addresses a`.
#define PAWL_AUDIT_SELECT                                                                                                              \
  "select r.seq, r.at, r.organization_id, r.actor, r.actor_user, r.actor_key, r.action, r.resource_type, r.resource_id, r.outcome, "   \
  "r.network, r.address_digest, r.request_id, r.run_id, r.task, r.duration, r.details, r.previous, r.hash, r.mac, a.salt, a.address, " \
  "r.records, r.earliest, r.marks, r.body "                                                                                            \
  "from audit_records r left join audit_addresses a on a.seq = r.seq "
/// What cannot be read (an unknown word, a digest of another length, a body that is not ours) becomes one record whose hash differs.
[[nodiscard]] StoredRow read_row(const storage::Row& row);

[[nodiscard]] std::string to_hex(const crypto::Digest& digest);

}  // namespace pawl::audit::detail
