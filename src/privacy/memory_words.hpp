/// Whose words memories of agents hold (agents/memories.hpp): what of them goes with a person who is erased, and what is in the export.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::privacy {

/// Of each memory that the person's runs have written: the messages that hold their words go, and with them those of which nobody noted
/// whose they are; what others have said stays, under a writer who is left. A memory of which nothing stays goes. `agent_memory_people`
/// knows the person no more.
///
/// Runs that are under way may hold the words: the organizations, which are returned, keep nothing of those from now on, for a day.
/// `memories_are_erased` says that the words are gone, as soon as that is committed: then it is runs that began before.
[[nodiscard]] Result<std::vector<OrganizationId>> erase_from_memories(storage::Transaction& transaction, const UserId& user, TimePoint now);
[[nodiscard]] Result<void> memories_are_erased(storage::Database& database, const Clock& clock,
                                               const std::vector<OrganizationId>& organizations);

/// Of `messages` those that hold the words of `person` and of nobody else. `authors` as in `agent_memories`; `alone`: nobody else has ever
/// written it, so what nobody noted the author of is theirs.
[[nodiscard]] json::Value own_messages(const json::Value& messages, const json::Value& authors, const UserId& person, bool alone);

}  // namespace pawl::privacy
