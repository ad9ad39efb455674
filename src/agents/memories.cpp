#include "agents/memories.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/machine/machine.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {
namespace {

using storage::Row;
using storage::Session;
using storage::Transaction;

constexpr std::int64_t kMostOfOrganization = 10'000;

// The messages of a list only where nobody has counted them yet.
#define PAWL_MEMORY(messages)                         \
  "select id, organization_id, scope, key, " messages \
  ", untrusted, run_id, user_id, created_at, updated_at, expires_at, message_count, bytes from agent_memories "
constexpr std::string_view kByKey =
    PAWL_MEMORY("messages") "where organization_id = $1 and scope = $2 and key = $3 and (expires_at is null or expires_at > $4)";
constexpr std::string_view kById =
    PAWL_MEMORY("messages") "where organization_id = $1 and id = $2 and (expires_at is null or expires_at > $3)";
constexpr std::string_view kList = PAWL_MEMORY("case when message_count is null then messages end")
    "where organization_id = $1 and ($2 is null or id < $2) and (expires_at is null or expires_at > $3) order by id desc limit $4";
#undef PAWL_MEMORY
constexpr std::string_view kWrite =
    "insert into agent_memories (id, organization_id, scope, key, messages, untrusted, run_id, user_id, created_at, updated_at, "
    "expires_at, message_count, bytes, authors) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13) on conflict (organization_id, scope, key) do update set "
    "messages = excluded.messages, untrusted = excluded.untrusted, run_id = excluded.run_id, "
    "updated_at = excluded.updated_at, expires_at = excluded.expires_at, message_count = excluded.message_count, bytes = excluded.bytes, "
    "authors = excluded.authors";
constexpr std::string_view kBefore =
    "select id, messages, authors from agent_memories where organization_id = $1 and scope = $2 and key = $3";
constexpr std::string_view kPeople = "select user_id from agent_memory_people where memory_id = $1 order by user_id";
constexpr std::string_view kPerson =
    "insert into agent_memory_people (memory_id, user_id) select id, $1 from agent_memories "
    "where organization_id = $2 and scope = $3 and key = $4 on conflict do nothing";
constexpr std::string_view kOthers =
    "select count(*), cast(coalesce(sum(coalesce(bytes, length(messages))), 0) as bigint) from agent_memories "
    "where organization_id = $1 and not (scope = $2 and key = $3)";

json::Value array_of(std::string_view text) {
  auto value = json::parse(text);
  return value.has_value() && value->is_array() ? std::move(*value) : json::Value::array();
}

Memory memory_of(const Row& row) {
  Memory memory;
  memory.id = row.id<MemoryId>(0);
  memory.organization = row.id<OrganizationId>(1);
  memory.scope = row.text(2);
  memory.key = row.text(3);
  memory.messages = array_of(row.text(4));
  memory.untrusted = array_of(row.text(5));
  memory.run = row.id<RunId>(6);
  memory.user = row.id<UserId>(7);
  memory.created_at = row.time(8);
  memory.updated_at = row.time(9);
  memory.expires_at = row.optional_time(10);
  memory.message_count = row.is_null(11) ? memory.messages.size() : static_cast<std::size_t>(row.integer(11));
  memory.bytes = row.is_null(12) ? row.text(4).size() : static_cast<std::size_t>(row.integer(12));
  return memory;
}

/// Whose words the messages of a memory hold.
class Authors {
 public:
  using Set = std::vector<std::size_t>;  // sorted indices into `people`

  /// `everybody`: whoever has ever written it, for messages of which nobody noted more.
  static Authors read(std::string_view text, std::size_t messages, const std::vector<UserId>& everybody) {
    Authors authors;
    const auto noted = json::parse(text);
    const auto parsed = noted.has_value() ? *noted : json::Value();
    const auto& people = parsed.get("people").is_array() ? parsed.get("people") : json::Value::array();
    for (const auto& id : people.items()) {
      authors.people_.push_back(id.is_string() ? UserId::parse(id.as_string()).value_or(UserId()) : UserId());
    }
    const auto& of = parsed.get("of");
    Set all;
    for (const auto& person : everybody) all.push_back(authors.index_of(person));
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < messages; ++i) {
      const auto known = of.is_array() && of.size() == messages && of.at(i).is_array();
      Set set;
      if (known) {
        for (const auto& index : of.at(i).items()) {
          if (index.is_integer() && index.as_integer() >= 0 && static_cast<std::size_t>(index.as_integer()) < authors.people_.size())
            set.push_back(static_cast<std::size_t>(index.as_integer()));
        }
      }
      authors.of_.push_back(known ? std::move(set) : all);
    }
    return authors;
  }

  /// Of what replaces the `old` messages: those that were there keep their authors; the others are of `writers`, and, where they may repeat
  /// what had been said, of everybody who had said something.
  [[nodiscard]] Authors next(const json::Value& old, const json::Value& messages, const std::vector<UserId>& writers) const {
    Authors made;
    made.people_ = people_;
    std::unordered_map<std::string, std::vector<std::size_t>> places;  // in order
    for (std::size_t i = 0; i < old.size(); ++i) places[json::to_text(old.at(i))].push_back(i);
    Set own;
    for (const auto& writer : writers) own.push_back(made.index_of(writer));
    std::sort(own.begin(), own.end());
    Set heard = own;
    for (const auto& set : of_) heard.insert(heard.end(), set.begin(), set.end());
    std::sort(heard.begin(), heard.end());
    heard.erase(std::unique(heard.begin(), heard.end()), heard.end());
    std::size_t from = 0;  // what is left out goes at the beginning, so the rest is still in order
    for (const auto& message : messages.items()) {
      const auto same = places.find(json::to_text(message));
      if (same != places.end()) {
        const auto place = std::lower_bound(same->second.begin(), same->second.end(), from);
        if (place != same->second.end()) {
          from = *place + 1;
          made.of_.push_back(of_[*place]);
          continue;
        }
      }
      made.of_.push_back(may_repeat(message) ? heard : own);
    }
    return made;
  }

  [[nodiscard]] std::string text() const {
    auto people = json::Value::array();
    for (const auto& person : people_) people.push_back(person.to_string());
    auto of = json::Value::array();
    for (const auto& set : of_) {
      auto indices = json::Value::array();
      for (const auto index : set) indices.push_back(static_cast<std::int64_t>(index));
      of.push_back(std::move(indices));
    }
    return json::to_text(json::Value::object({{"people", std::move(people)}, {"of", std::move(of)}}));
  }

 private:
  std::size_t index_of(const UserId& person) {
    const auto found = std::find(people_.begin(), people_.end(), person);
    if (found != people_.end()) return static_cast<std::size_t>(found - people_.begin());
    people_.push_back(person);
    return people_.size() - 1;
  }
  static bool may_repeat(const json::Value& message) {
    if (message.get("role") != json::Value("user")) return true;
    const auto& content = message.get("content");
    return content.is_string() && content.as_string().starts_with(engine::kSummedUp);
  }

  std::vector<UserId> people_;
  std::vector<Set> of_;
};

/// Of a memory that is about to be written, from what is there now.
Result<std::string> authors_of(Session& session, const Memory& memory, const std::vector<UserId>& writers) {
  std::optional<MemoryId> before;
  auto old = json::Value::array();
  std::string noted;
  PAWL_TRY_VOID(session.query(kBefore, {memory.organization, memory.scope, memory.key}, [&](const Row& row) {
    before = row.id<MemoryId>(0);
    old = array_of(row.text(1));
    noted = row.text(2);
  }));
  std::vector<UserId> everybody;
  if (before) {
    PAWL_TRY_VOID(session.query(kPeople, {*before}, [&](const Row& row) { everybody.push_back(row.id<UserId>(0)); }));
  }
  return Authors::read(noted, old.size(), everybody).next(old, memory.messages, writers).text();
}

/// Each once.
std::vector<UserId> writers_of(const Memory& memory) {
  auto writers = memory.starters;
  if (!memory.user.is_nil()) writers.push_back(memory.user);
  std::sort(writers.begin(), writers.end());
  writers.erase(std::unique(writers.begin(), writers.end()), writers.end());
  return writers;
}

Error not_found() { return {ErrorClass::not_found, "memory.not_found", "There is no memory of this id."}; }

}  // namespace

Result<std::optional<Memory>> Memories::find(const OrganizationId& organization, std::string_view scope, std::string_view key) {
  const auto now = clock_.now();
  return database_.read([&](Session& session) -> Result<std::optional<Memory>> {
    std::optional<Memory> found;
    PAWL_TRY_VOID(session.query(kByKey, {organization, scope, key, now}, [&](const Row& row) { found = memory_of(row); }));
    return found;
  });
}

void Memories::write(Memory memory, std::function<void(Result<void>)> done) {
  const auto now = clock_.now();
  memory.id = MemoryId::make(now, random_);
  const auto kept = std::make_shared<const Memory>(std::move(memory));
  database_.write(
      [kept, now, most_bytes = most_bytes_](Transaction& transaction) -> Result<void> {
        PAWL_TRY_VOID(
            // Not the one that is written: the run may have read it before its end, and repeat what others had said.
            transaction.execute("delete from agent_memories where organization_id = $1 and expires_at is not null and expires_at <= $2 and "
                                "not (scope = $3 and key = $4)",
                                {kept->organization, now, kept->scope, kept->key}));
        const auto messages = json::to_text(kept->messages);
        const auto untrusted = json::to_text(kept->untrusted);
        std::int64_t others = 0;
        std::int64_t bytes = 0;
        PAWL_TRY_VOID(transaction.query(kOthers, {kept->organization, kept->scope, kept->key}, [&](const Row& row) {
          others = row.integer(0);
          bytes = row.integer(1);
        }));
        if (others >= kMostOfOrganization) {
          return Error(ErrorClass::limited, "memory.too_many", "The organization keeps as many memories of agents as it may: 10,000.");
        }
        if (static_cast<std::uint64_t>(bytes) + messages.size() > most_bytes) {
          return Error(ErrorClass::limited, "memory.quota",
                       fmt::format("With this the organization's memories of agents would have {} bytes, and it may keep {} "
                                   "at most: forget some first (DELETE /api/llm/memories/...).",
                                   static_cast<std::uint64_t>(bytes) + messages.size(), most_bytes));
        }
        const auto user = kept->user.is_nil() ? std::nullopt : std::optional(kept->user);
        const auto writers = writers_of(*kept);
        for (const auto& writer : writers) {
          // A run may go on after the person who started it was erased, for somebody who retried it, too: what it says of them is not to
          // come back.
          bool is_there = false;
          PAWL_TRY_VOID(transaction.query("select id from users where id = $1", {writer}, [&](const Row&) { is_there = true; }));
          if (!is_there) {
            return Error(ErrorClass::conflict, "memory.starter_gone", "Whoever started the run has been erased: nothing of it is kept.");
          }
        }
        bool words_gone = false;
        PAWL_TRY_VOID(transaction.query("select memories_erased_at from organizations where id = $1", {kept->organization},
                                        [&](const Row& row) { words_gone = !row.is_null(0) && row.time(0) >= kept->since; }));
        if (words_gone) {
          return Error(ErrorClass::conflict, "memory.words_gone",
                       "Somebody whose words were in memories of the organization was erased while the run went on: it may hold them "
                       "still, so nothing of it is kept.");
        }
        PAWL_TRY(authors, authors_of(transaction, *kept, writers));
        PAWL_TRY_VOID(transaction.execute(
            kWrite, {kept->id, kept->organization, kept->scope, kept->key, messages, untrusted, kept->run, user, now, kept->expires_at,
                     static_cast<std::int64_t>(kept->messages.size()), static_cast<std::int64_t>(messages.size()), authors}));
        for (const auto& writer : writers) {
          PAWL_TRY_VOID(transaction.execute(kPerson, {writer, kept->organization, kept->scope, kept->key}));
        }
        return {};
      },
      std::move(done));
}

Result<MemoryPage> Memories::list(const OrganizationId& organization, std::uint32_t limit, std::optional<MemoryId> before) {
  const auto now = clock_.now();
  return database_.read([&](Session& session) -> Result<MemoryPage> {
    MemoryPage page;
    PAWL_TRY_VOID(
        session.query(kList, {organization, before, now, limit + 1}, [&](const Row& row) { page.memories.push_back(memory_of(row)); }));
    if (page.memories.size() > limit) {
      page.memories.pop_back();
      page.next = page.memories.back().id;
    }
    return page;
  });
}

Result<Memory> Memories::get(const OrganizationId& organization, const MemoryId& id) {
  const auto now = clock_.now();
  return database_.read([&](Session& session) -> Result<Memory> {
    std::optional<Memory> found;
    PAWL_TRY_VOID(session.query(kById, {organization, id, now}, [&](const Row& row) { found = memory_of(row); }));
    if (!found) return not_found();
    return std::move(*found);
  });
}

Result<OrganizationId> Memories::owner(const MemoryId& id) {
  return database_.read([&](Session& session) -> Result<OrganizationId> {
    std::optional<OrganizationId> found;
    PAWL_TRY_VOID(session.query("select organization_id from agent_memories where id = $1", {id},
                                [&](const Row& row) { found = row.id<OrganizationId>(0); }));
    if (!found) return not_found();
    return *found;
  });
}

Result<void> Memories::remove(const OrganizationId& organization, const MemoryId& id) {
  return database_.write_and_wait([&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(gone, transaction.execute("delete from agent_memories where organization_id = $1 and id = $2", {organization, id}));
    if (gone == 0) return not_found();
    return {};
  });
}

}  // namespace pawl::agents
