#include "audit/detail/chain.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "audit/detail/packed.hpp"

namespace pawl::audit::detail {
namespace {

using storage::Parameter;

constexpr std::string_view kFormat = "pawl audit record 1";

/// Length and bytes of each field, so that no text can imitate the border between two fields.
class Canonical {
 public:
  Canonical() { out_.reserve(512); }
  void number(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) out_.push_back(static_cast<char>((bits >> static_cast<unsigned>(shift)) & 0xffU));
  }
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    out_.append(value);
  }
  void nothing() { number(-1); }
  void digest(const crypto::Digest& value) { text(bytes_of(value)); }
  void id(const Uuid& value) { text({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()}); }
  template <class AnyId>
  void optional_id(const std::optional<AnyId>& value) {
    if (value) {
      id(value->uuid);
    } else {
      nothing();
    }
  }
  void id_or_nothing(const Uuid& value) {
    if (value.is_nil()) {
      nothing();
    } else {
      id(value);
    }
  }
  [[nodiscard]] const std::string& bytes() const { return out_; }
  static std::string_view bytes_of(const crypto::Digest& value) { return {reinterpret_cast<const char*>(value.data()), value.size()}; }

 private:
  std::string out_;
};

Parameter blob(const crypto::Digest& digest) { return Parameter::blob(Canonical::bytes_of(digest)); }

Parameter optional_id(const Uuid& id) { return id.is_nil() ? Parameter(nullptr) : Parameter(id); }

/// All zeros where the column is not 32 bytes.
crypto::Digest digest_of(std::string_view bytes) {
  crypto::Digest digest{};
  if (bytes.size() == digest.size()) std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

std::int64_t number(std::uint64_t sequence) { return static_cast<std::int64_t>(sequence); }

}  // namespace

crypto::Digest hash_of(const Entry& entry, const std::optional<crypto::Digest>& address_digest) {
  Canonical text;
  text.text(kFormat);
  text.number(number(entry.sequence));
  text.digest(entry.previous);
  text.number(entry.at.time_since_epoch().count());
  text.optional_id(entry.organization);
  text.text(to_text(entry.actor.kind));
  text.id_or_nothing(entry.actor.user.uuid);
  text.id_or_nothing(entry.actor.api_key.uuid);
  text.text(entry.action);
  text.text(entry.resource.type);
  text.text(entry.resource.id);
  text.text(to_text(entry.outcome));
  text.text(entry.network);
  if (address_digest) {
    text.digest(*address_digest);
  } else {
    text.nothing();
  }
  text.text(entry.request_id);
  text.optional_id(entry.run);
  text.text(entry.task);
  if (entry.duration) {
    text.text("duration");
    text.number(entry.duration->count());
  } else {
    text.nothing();
  }
  text.text(entry.details);
  return crypto::hash(text.bytes());
}

crypto::Digest address_digest_of(std::string_view salt, std::string_view address) {
  Canonical text;
  text.text(salt);
  text.text(address);
  return crypto::hash(text.bytes());
}

std::string network_of(const std::string& address) {
  in6_addr six{};
  in_addr four{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (inet_pton(AF_INET6, address.c_str(), &six) == 1) {
    if (!IN6_IS_ADDR_V4MAPPED(&six)) {
      std::memset(&six.s6_addr[6], 0, 10);
      return std::string(inet_ntop(AF_INET6, &six, out.data(), out.size())) + "/48";
    }
    std::memcpy(&four, &six.s6_addr[12], 4);
  } else if (inet_pton(AF_INET, address.c_str(), &four) != 1) {
    return {};
  }
  four.s_addr &= htonl(0xffffff00U);
  return std::string(inet_ntop(AF_INET, &four, out.data(), out.size())) + "/24";
}

crypto::Digest record_mac(const crypto::Key& key, const crypto::Digest& hash) {
  Canonical text;
  text.text("record");
  text.digest(hash);
  return crypto::keyed_hash(key, text.bytes());
}

std::string mark_of(const crypto::Key& key, const crypto::Digest& hash) {
  Canonical text;
  text.text("mark");
  text.digest(hash);
  const auto whole = crypto::keyed_hash(key, text.bytes());
  return std::string(Canonical::bytes_of(whole).substr(0, kMark));
}

crypto::Digest head_mac(const crypto::Key& key, const Head& head) {
  Canonical text;
  text.text("head");
  text.number(number(head.sequence));
  text.digest(head.hash);
  return crypto::keyed_hash(key, text.bytes());
}

crypto::Digest checkpoint_mac(const crypto::Key& key, const Head& removed_up_to, TimePoint at) {
  Canonical text;
  text.text("checkpoint");
  text.number(number(removed_up_to.sequence));
  text.digest(removed_up_to.hash);
  text.number(at.time_since_epoch().count());
  return crypto::keyed_hash(key, text.bytes());
}

// ---- head and checkpoint ----------------------------------------------------------------------------------------------------------

Result<std::optional<StoredHead>> read_head(storage::Session& session) {
  std::optional<StoredHead> found;
  PAWL_TRY_VOID(session.query("select seq, hash, mac from audit_head where id = 1", {}, [&](const storage::Row& row) {
    found = StoredHead{{static_cast<std::uint64_t>(row.integer(0)), digest_of(row.blob(1))}, digest_of(row.blob(2))};
  }));
  return found;
}

Result<std::optional<Checkpoint>> read_checkpoint(storage::Session& session) {
  std::optional<Checkpoint> found;
  PAWL_TRY_VOID(session.query("select seq, hash, at, mac from audit_checkpoint where id = 1", {}, [&](const storage::Row& row) {
    found = Checkpoint{{static_cast<std::uint64_t>(row.integer(0)), digest_of(row.blob(1))}, row.time(2), digest_of(row.blob(3))};
  }));
  return found;
}

Result<void> write_checkpoint(storage::Transaction& transaction, const Checkpoint& checkpoint) {
  PAWL_TRY_VOID(transaction.execute(
      "insert into audit_checkpoint (id, seq, hash, at, mac) values (1, $1, $2, $3, $4) on conflict (id) do update set "
      "seq = excluded.seq, hash = excluded.hash, at = excluded.at, mac = excluded.mac",
      {number(checkpoint.removed_up_to.sequence), blob(checkpoint.removed_up_to.hash), checkpoint.at, blob(checkpoint.mac)}));
  return {};
}

namespace {

/// The stored head, locked until the end of the transaction. SQLite has one writer at a time and needs no lock.
Result<std::optional<Head>> locked_head(storage::Transaction& transaction) {
  constexpr std::string_view kSqlite = "select seq, hash from audit_head where id = 1";
  constexpr std::string_view kPostgresql = "select seq, hash from audit_head where id = 1 for update";
  std::optional<Head> found;
  const auto statement = transaction.dialect() == storage::Dialect::postgresql ? kPostgresql : kSqlite;
  PAWL_TRY_VOID(transaction.query(statement, {}, [&](const storage::Row& row) {
    found = Head{static_cast<std::uint64_t>(row.integer(0)), digest_of(row.blob(1))};
  }));
  return found;
}

}  // namespace

Result<Head> lock_head(storage::Transaction& transaction, const crypto::Key& key, const Head& known) {
  PAWL_TRY(stored, locked_head(transaction));
  Head head = stored.value_or(Head{});
  if (stored && known.sequence != 0 && head.sequence == known.sequence && head.hash == known.hash) return head;
  // The newest record, or where there is none the checkpoint, says the same unless somebody was here.
  Head newest;
  PAWL_TRY_VOID(transaction.query("select seq, hash from audit_records order by seq desc limit 1", {}, [&](const storage::Row& row) {
    newest = {static_cast<std::uint64_t>(row.integer(0)), digest_of(row.blob(1))};
  }));
  if (newest.sequence == 0 && !stored) {
    PAWL_TRY(checkpoint, read_checkpoint(transaction));
    if (checkpoint) newest = checkpoint->removed_up_to;
  }
  if (newest.sequence > head.sequence) head = newest;
  if (!stored) PAWL_TRY_VOID(set_head(transaction, key, head));
  return head;
}

Result<void> set_head(storage::Transaction& transaction, const crypto::Key& key, const Head& head) {
  const auto mac = head_mac(key, head);
  PAWL_TRY_VOID(transaction.queue(
      "insert into audit_head (id, seq, hash, mac) values (1, $1, $2, $3) on conflict (id) do update set seq = excluded.seq, "
      "hash = excluded.hash, mac = excluded.mac",
      {number(head.sequence), blob(head.hash), blob(mac)}));
  return {};
}

// ---- records ------------------------------------------------------------------------------------------------------------------

namespace {

/// Fewer than this stay rows of their own, which anybody can read in the table.
constexpr std::size_t kWorthPacking = 4;

/// What the records of a row have in common.
auto common(const Entry& entry) {
  return std::tie(entry.organization, entry.actor.kind, entry.actor.user, entry.actor.api_key, entry.network, entry.address);
}

void continue_chain(Head& head, Stored& stored) {
  auto& entry = stored.entry;
  entry.sequence = head.sequence + 1;
  entry.previous = head.hash;
  entry.hash = hash_of(entry, stored.address_digest);
  head = {entry.sequence, entry.hash};
}

Parameter address_digest(const Stored& stored) { return stored.address_digest ? blob(*stored.address_digest) : Parameter(nullptr); }

Result<void> insert_address(storage::Transaction& transaction, const Head& head, const Stored& stored) {
  if (!stored.salt) return {};
  // A row that is there already belongs to nobody: the number is new.
  PAWL_TRY_VOID(transaction.queue(
      "insert into audit_addresses (seq, salt, address) values ($1, $2, $3) on conflict (seq) do update set salt = excluded.salt, "
      "address = excluded.address",
      {number(head.sequence), Parameter::blob(*stored.salt), stored.entry.address}));
  return {};
}

Result<void> insert_one(storage::Transaction& transaction, const crypto::Key& key, Head& head, Stored& stored) {
  continue_chain(head, stored);
  const auto& entry = stored.entry;
  const auto mac = record_mac(key, entry.hash);
  const auto duration = entry.duration ? Parameter(entry.duration->count()) : Parameter(nullptr);
  PAWL_TRY_VOID(transaction.queue(
      "insert into audit_records (seq, at, organization_id, actor, actor_user, actor_key, action, resource_type, resource_id, outcome, "
      "network, address_digest, request_id, run_id, task, duration, details, previous, hash, mac) "
      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
      {number(entry.sequence),
       entry.at,
       entry.organization,
       to_text(entry.actor.kind),
       optional_id(entry.actor.user.uuid),
       optional_id(entry.actor.api_key.uuid),
       entry.action,
       entry.resource.type,
       entry.resource.id,
       to_text(entry.outcome),
       entry.network,
       address_digest(stored),
       entry.request_id,
       entry.run,
       entry.task,
       duration,
       entry.details,
       blob(entry.previous),
       blob(entry.hash),
       blob(mac)}));
  return insert_address(transaction, head, stored);
}

/// How many of `records` went in.
Result<std::size_t> insert_packed(storage::Transaction& transaction, const crypto::Key& key, Head& head,
                                  std::span<std::shared_ptr<Stored>> records) {
  const auto& first = *records.front();
  const auto previous = head.hash;
  Packer packer;
  std::string marks;
  TimePoint earliest = first.entry.at;
  TimePoint latest = earliest;
  std::size_t count = 0;
  for (; count < records.size() && packer.add(records[count]->entry); ++count) {
    auto& stored = *records[count];
    continue_chain(head, stored);
    marks += mark_of(key, stored.entry.hash);
    earliest = std::min(earliest, stored.entry.at);
    latest = std::max(latest, stored.entry.at);
  }
  const auto body = packer.take();
  const auto mac = record_mac(key, head.hash);
  PAWL_TRY_VOID(transaction.queue(
      "insert into audit_records (seq, at, organization_id, actor, actor_user, actor_key, network, address_digest, previous, hash, mac, "
      "records, earliest, marks, body, action, resource_type, resource_id, outcome, request_id, task, details) "
      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, '', '', '', '', '', '', '')",
      {number(head.sequence), latest, first.entry.organization, to_text(first.entry.actor.kind), optional_id(first.entry.actor.user.uuid),
       optional_id(first.entry.actor.api_key.uuid), first.entry.network, address_digest(first), blob(previous), blob(head.hash), blob(mac),
       static_cast<std::int64_t>(count), earliest, Parameter::blob(marks), Parameter::blob(body)}));
  PAWL_TRY_VOID(insert_address(transaction, head, first));
  return count;
}

/// One salt for all of a row: they are the same person's.
void salt_address(std::span<std::shared_ptr<Stored>> records) {
  if (records.front()->entry.address.empty()) return;
  const auto salt = crypto::random_token(16);
  const auto digest = address_digest_of(salt, records.front()->entry.address);
  for (const auto& stored : records) {
    stored->salt = salt;
    stored->address_digest = digest;
  }
}

}  // namespace

Result<void> insert_all(storage::Transaction& transaction, const crypto::Key& key, Head& head, std::span<std::shared_ptr<Stored>> records) {
  if (records.size() >= kWorthPacking) {
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& one, const auto& two) { return common(one->entry) < common(two->entry); });
  }
  while (!records.empty()) {
    const auto other = std::find_if(records.begin(), records.end(),
                                    [&](const auto& each) { return common(each->entry) != common(records.front()->entry); });
    auto alike = records.first(static_cast<std::size_t>(other - records.begin()));
    records = records.subspan(alike.size());
    while (!alike.empty()) {
      auto count = std::size_t{1};
      if (alike.size() < kWorthPacking) {
        salt_address(alike.first(1));
        PAWL_TRY_VOID(insert_one(transaction, key, head, *alike.front()));
      } else {
        salt_address(alike);
        PAWL_TRY(packed, insert_packed(transaction, key, head, alike));
        count = packed;
      }
      alike = alike.subspan(count);
    }
  }
  return {};
}

namespace {

/// What all records of a row have from its columns.
Stored read_common(const storage::Row& row) {
  Stored stored;
  auto& entry = stored.entry;
  entry.at = row.time(1);
  if (!row.is_null(2)) entry.organization = row.id<OrganizationId>(2);
  entry.actor = {parse_actor(row.text(3)).value_or(Actor::Kind::program), row.id<UserId>(4), row.id<ApiKeyId>(5)};
  entry.network = row.text(10);
  if (!row.is_null(11)) stored.address_digest = digest_of(row.blob(11));
  if (!row.is_null(20)) {
    stored.salt = std::string(row.blob(20));
    entry.address = row.text(21);
  }
  return stored;
}

/// What we do not write was put there by somebody else.
bool is_odd(const storage::Row& row, const Entry& entry) {
  return !parse_actor(row.text(3)) || (!row.is_null(4) && entry.actor.user.is_nil()) || (!row.is_null(5) && entry.actor.api_key.is_nil());
}

/// The columns that the body stands for say nothing.
bool is_empty_beside_body(const storage::Row& row) {
  const auto empty = [&](int column) { return row.text(column).empty(); };
  return empty(6) && empty(7) && empty(8) && empty(9) && empty(12) && row.is_null(13) && empty(14) && row.is_null(15) && empty(16);
}

void read_packed(const storage::Row& row, const Stored& common, StoredRow& out) {
  const auto sequence = static_cast<std::uint64_t>(row.integer(0));
  const auto count = static_cast<std::uint64_t>(row.integer(22));
  auto entries = count > 1 && count <= sequence ? unpack(row.blob(25), count) : std::nullopt;
  out.marks = row.blob(24);
  if (!entries) {
    out.whole = false;
    auto& unreadable = out.records.emplace_back(common).entry;
    unreadable.sequence = sequence;
    unreadable.action = "audit.unreadable";
    unreadable.details = "{}";
    return;
  }
  Head head{sequence - count, digest_of(row.blob(17))};
  TimePoint earliest = entries->front().at;
  TimePoint latest = earliest;
  for (auto& entry : *entries) {
    entry.organization = common.entry.organization;
    entry.actor = common.entry.actor;
    entry.network = common.entry.network;
    entry.address = common.entry.address;
    earliest = std::min(earliest, entry.at);
    latest = std::max(latest, entry.at);
    continue_chain(head, out.records.emplace_back(Stored{std::move(entry), common.address_digest, common.salt}));
  }
  out.whole = is_empty_beside_body(row) && row.time(1) == latest && row.time(23) == earliest && out.marks.size() == count * kMark;
}

void read_single(const storage::Row& row, const Stored& common, StoredRow& out) {
  auto& entry = out.records.emplace_back(common).entry;
  const auto outcome = parse_outcome(row.text(9));
  entry.sequence = static_cast<std::uint64_t>(row.integer(0));
  entry.action = row.text(6);
  entry.resource = {std::string(row.text(7)), std::string(row.text(8))};
  entry.outcome = outcome.value_or(Outcome::success);
  entry.request_id = row.text(12);
  if (!row.is_null(13)) entry.run = row.id<RunId>(13);
  entry.task = row.text(14);
  if (!row.is_null(15)) entry.duration = Millis(row.integer(15));
  entry.details = row.text(16);
  entry.previous = digest_of(row.blob(17));
  entry.hash = out.hash;
  out.whole = outcome.has_value() && row.integer(22) == 1 && row.is_null(23) && row.is_null(24);
}

}  // namespace

StoredRow read_row(const storage::Row& row) {
  StoredRow out;
  out.hash = digest_of(row.blob(18));
  out.mac = digest_of(row.blob(19));
  const auto common = read_common(row);
  if (row.is_null(25)) {
    read_single(row, common, out);
  } else {
    read_packed(row, common, out);
  }
  if (is_odd(row, common.entry)) out.whole = false;
  if (!out.whole) out.records.front().entry.hash = {};  // no hash fits
  return out;
}

std::string to_hex(const crypto::Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(digest.size() * 2, '0');
  std::size_t at = 0;
  for (const auto byte : digest) {
    text[at++] = kDigits[byte >> 4U];
    text[at++] = kDigits[byte & 0xfU];
  }
  return text;
}

}  // namespace pawl::audit::detail
