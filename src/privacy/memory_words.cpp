#include "privacy/memory_words.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::privacy {
namespace {

using json::Value;
using storage::Row;
using storage::Transaction;
using MemoryId = Id<struct ErasedMemoryTag>;

struct Kept {
  MemoryId id;
  std::string messages;
  std::string authors;
};

constexpr std::string_view kWritten =
    "select id, organization_id from agent_memories where user_id = $1 or id in (select memory_id from agent_memory_people where user_id = "
    "$1) order by id";
constexpr std::string_view kErased = "update organizations set memories_erased_at = $2 where id = $1";
/// How long erasing may take, at the very most.
constexpr Millis kGoing = std::chrono::hours(24);
/// Whose it is now: of those who are left and have words in it the one with the lowest id, so the one who came first.
constexpr std::string_view kKeep =
    "update agent_memories set messages = $2, authors = $3, message_count = $4, bytes = $5, user_id = (select p.user_id from "
    "agent_memory_people p where p.memory_id = $1 and p.user_id <> $6 order by p.user_id limit 1) where id = $1";

Value parsed(const std::string& text) {
  auto value = json::parse(text);
  return value.has_value() ? std::move(*value) : Value();
}

/// No provider takes a conversation that begins with an answer, or with what a tool said.
bool may_begin(const Value& message) { return message.get("role") == Value("user") || !message.get("role").is_string(); }

/// What is left of it; nothing where nothing is.
std::optional<std::pair<Value, Value>> without(const Kept& memory, const std::string& person) {
  const auto messages = parsed(memory.messages);
  const auto authors = parsed(memory.authors);
  const auto& of = authors.get("of");
  const auto& people = authors.get("people");
  if (!messages.is_array() || !of.is_array() || of.size() != messages.size() || !people.is_array()) return std::nullopt;
  const auto holds = [&](const Value& set) {
    if (!set.is_array()) return true;  // nobody knows: perhaps
    for (const auto& index : set.items()) {
      const auto place = index.is_integer() ? index.as_integer() : -1;
      if (place < 0 || static_cast<std::size_t>(place) >= people.size()) return true;
      if (people.at(static_cast<std::size_t>(place)) == Value(person)) return true;
    }
    return false;
  };
  auto left = Value::array();
  auto left_of = Value::array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (holds(of.at(i)) || (left.empty() && !may_begin(messages.at(i)))) continue;
    left.push_back(messages.at(i));
    left_of.push_back(of.at(i));
  }
  if (left.empty()) return std::nullopt;
  auto others = Value::array();
  for (const auto& each : people.items()) others.push_back(each == Value(person) ? Value() : each);  // the others keep their indices
  return std::pair(std::move(left), Value::object({{"people", std::move(others)}, {"of", std::move(left_of)}}));
}

}  // namespace

Result<std::vector<OrganizationId>> erase_from_memories(Transaction& transaction, const UserId& user, TimePoint now) {
  std::vector<MemoryId> all;
  std::vector<OrganizationId> organizations;
  PAWL_TRY_VOID(transaction.query(kWritten, {user}, [&](const Row& row) {
    all.push_back(row.id<MemoryId>(0));
    const auto organization = row.id<OrganizationId>(1);
    if (std::find(organizations.begin(), organizations.end(), organization) == organizations.end()) organizations.push_back(organization);
  }));
  for (const auto& id : all) {  // one after the other: together they may be 256 MiB
    Kept memory{id, {}, {}};
    PAWL_TRY_VOID(transaction.query("select messages, authors from agent_memories where id = $1", {id}, [&](const Row& row) {
      memory.messages = row.text(0);
      memory.authors = row.text(1);
    }));
    const auto left = without(memory, user.to_string());
    if (!left) {
      PAWL_TRY_VOID(transaction.execute("delete from agent_memories where id = $1", {id}));
      continue;
    }
    const auto messages = json::to_text(left->first);
    PAWL_TRY_VOID(transaction.execute(kKeep, {id, messages, json::to_text(left->second), static_cast<std::int64_t>(left->first.size()),
                                              static_cast<std::int64_t>(messages.size()), user}));
  }
  PAWL_TRY_VOID(transaction.execute("delete from agent_memory_people where user_id = $1", {user}));
  // Until this is committed a run that begins now still reads the words: so no time that is known now is late enough.
  for (const auto& organization : organizations) PAWL_TRY_VOID(transaction.execute(kErased, {organization, now + kGoing}));
  return organizations;
}

Result<void> memories_are_erased(storage::Database& database, const Clock& clock, const std::vector<OrganizationId>& organizations) {
  if (organizations.empty()) return {};
  return database.write_and_wait([&organizations, now = clock.now()](Transaction& transaction) -> Result<void> {
    for (const auto& organization : organizations) PAWL_TRY_VOID(transaction.execute(kErased, {organization, now}));
    return {};
  });
}

Value own_messages(const Value& messages, const Value& authors, const UserId& person, bool alone) {
  auto own = Value::array();
  if (!messages.is_array()) return own;
  const auto& of = authors.get("of");
  const auto& people = authors.get("people");
  const auto is_noted = of.is_array() && of.size() == messages.size() && people.is_array();
  const Value wanted(person.to_string());
  const auto is_own = [&](const Value& set) {
    if (!set.is_array()) return alone;
    for (const auto& index : set.items()) {
      const auto place = index.is_integer() ? index.as_integer() : -1;
      if (place < 0 || static_cast<std::size_t>(place) >= people.size() || people.at(static_cast<std::size_t>(place)) != wanted)
        return false;
    }
    return !set.empty();
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (is_noted ? is_own(of.at(i)) : alone) own.push_back(messages.at(i));
  }
  return own;
}

}  // namespace pawl::privacy
