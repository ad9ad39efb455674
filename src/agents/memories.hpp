/// What agents keep between runs (`memory.stored`): a conversation under a key, within a scope of an organization.
///
/// A scope is a workflow (`namespace/name`) or, empty, all of the organization's. What is written replaces what was there; of two runs that
/// write under one key at once the later one counts. Every memory says which run wrote it, who had started that, and what in it nobody
/// vouches for. Expired ones are not read and go with the retention of one-time data.
///
/// A memory is of whoever wrote it first, and each of its messages of whoever started the run that added it. What a model said, a tool
/// answered or a summary holds may repeat what others had said before: it is theirs as well. Where somebody is erased their messages go,
/// and the others' stay (privacy/memory_words.hpp). A run that was under way then may hold their words still, in what it recalled, said or
/// passed on: nothing of it is kept any more.
///
/// An organization keeps at most 10,000, and so many bytes of messages as the limit says. What would be more is refused; nothing that is
/// kept goes for it. Who lowers the limit below what is there deletes nothing: the next write is refused.
///
/// Every function names the organization. They block, but `write`, whose `done` comes on the writer thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::agents {

using MemoryId = Id<struct MemoryTag>;

struct Memory {
  MemoryId id;
  OrganizationId organization;
  std::string scope;
  std::string key;
  json::Value messages;  ///< array; null in a list
  std::size_t message_count = 0;
  std::size_t bytes = 0;           ///< of the messages as JSON
  json::Value untrusted;           ///< array: where what came from that nobody vouches for
  RunId run;                       ///< that wrote it
  UserId user;                     ///< who started the run that wrote it first; nil: no person
  std::vector<UserId> starters{};  ///< of what is written: all who had a part in the start of that run, `user` is one of them anyway
  TimePoint since{};               ///< of what is written: when that run began, or the oldest of those whose words it began with
  TimePoint created_at{};
  TimePoint updated_at{};
  std::optional<TimePoint> expires_at{};
};
struct MemoryPage {
  std::vector<Memory> memories;  ///< the newest first
  std::optional<MemoryId> next;
};

class Memories {
 public:
  static constexpr std::uint64_t kMostBytes = 256U << 20U;
  /// `most_bytes`: of an organization's messages (`AGENT_MEMORY_QUOTA`).
  Memories(storage::Database& database, const Clock& clock, Random& random, std::uint64_t most_bytes = kMostBytes)
      : database_(database), clock_(clock), random_(random), most_bytes_(most_bytes) {}

  /// Nothing: there is none, or it has expired.
  [[nodiscard]] Result<std::optional<Memory>> find(const OrganizationId& organization, std::string_view scope, std::string_view key);
  /// Id, times and sizes are set here. Errors `memory.too_many`, `memory.quota` (limited), `memory.starter_gone`, `memory.words_gone`
  /// (conflict: somebody was erased after `since`).
  void write(Memory memory, std::function<void(Result<void>)> done);
  [[nodiscard]] Result<MemoryPage> list(const OrganizationId& organization, std::uint32_t limit, std::optional<MemoryId> before);
  /// Errors `memory.not_found`.
  [[nodiscard]] Result<Memory> get(const OrganizationId& organization, const MemoryId& id);
  /// The organization that it belongs to, for whoever decides about rights. Errors `memory.not_found`.
  [[nodiscard]] Result<OrganizationId> owner(const MemoryId& id);
  [[nodiscard]] Result<void> remove(const OrganizationId& organization, const MemoryId& id);

 private:
  storage::Database& database_;
  const Clock& clock_;
  Random& random_;
  std::uint64_t most_bytes_;
};

}  // namespace pawl::agents
