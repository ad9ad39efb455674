/// What agents remember of a person who is erased (agents/memories.hpp).
#pragma once

#include "base/error.hpp"
#include "base/ids.hpp"
#include "storage/database.hpp"

namespace pawl::privacy {

/// Of each memory that the person's runs have written: the messages that hold their words go, and with them those of which nobody noted
/// whose they are; what others have said stays, under a writer who is left. A memory of which nothing stays goes. `agent_memory_people`
/// knows the person no more.
[[nodiscard]] Result<void> erase_from_memories(storage::Transaction& transaction, const UserId& user);

}  // namespace pawl::privacy
