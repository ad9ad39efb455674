/// The chain in the database: how a record is hashed, signed, written and read. Private to the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/audit.hpp"
#include "storage/database.hpp"

namespace pawl::audit::detail {

/// A row of `audit_records` with its address, where it still has one.
struct Stored {
  Entry entry;
  std::optional<crypto::Digest> address_digest;
  std::optional<std::string> salt;  ///< present as long as the address is
  crypto::Digest mac{};
};

/// Every column but `hash` and `mac`, each with its length, in a fixed order: no two records have the same text.
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
[[nodiscard]] crypto::Digest head_mac(const crypto::Key& key, const Head& head);
[[nodiscard]] crypto::Digest checkpoint_mac(const crypto::Key& key, const Head& removed_up_to, TimePoint at);

/// Where the next record joins. Takes the row lock that keeps other writers (other processes on a shared database) out until the end of the
/// transaction. Where somebody has tampered with the head, the newest record counts: the chain goes on, and `verify` finds it. `known`: as
/// this process left it, committed or not; where it is still there, nobody was.
[[nodiscard]] Result<Head> lock_head(storage::Transaction& transaction, const crypto::Key& key, const Head& known = {});
[[nodiscard]] Result<void> set_head(storage::Transaction& transaction, const crypto::Key& key, const Head& head);
/// Completes `stored` (sequence, previous, hash, mac) as the successor of `head`, writes it, and moves `head` on.
[[nodiscard]] Result<void> insert_next(storage::Transaction& transaction, const crypto::Key& key, Head& head, Stored& stored);

/// The head as it is in the table; nothing where there is none.
struct StoredHead {
  Head head;
  crypto::Digest mac{};
};
[[nodiscard]] Result<std::optional<StoredHead>> read_head(storage::Session& session);
[[nodiscard]] Result<std::optional<Checkpoint>> read_checkpoint(storage::Session& session);
[[nodiscard]] Result<void> write_checkpoint(storage::Transaction& transaction, const Checkpoint& checkpoint);

/// The columns that `read_row` expects, over `audit_records r left join audit_addresses a`.
#define PAWL_AUDIT_SELECT                                                                                                             \
  "select r.seq, r.at, r.organization_id, r.actor, r.actor_user, r.actor_key, r.action, r.resource_type, r.resource_id, r.outcome, "  \
  "r.network, r.address_digest, r.request_id, r.run_id, r.task, r.duration, r.details, r.previous, r.hash, r.mac, a.salt, a.address " \
  "from audit_records r left join audit_addresses a on a.seq = r.seq "
/// What cannot be read (an unknown word, a digest of another length) becomes something whose hash differs.
[[nodiscard]] Stored read_row(const storage::Row& row);

[[nodiscard]] std::string to_hex(const crypto::Digest& digest);

}  // namespace pawl::audit::detail
