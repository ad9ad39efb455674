/// Makes what a work is given out of a connection.
#pragma once

#include "storage/database.hpp"

namespace pawl::storage::detail {

struct Transactions {
  [[nodiscard]] static Transaction on(Connection& connection, std::uint64_t commits) { return {connection, commits}; }
};

}  // namespace pawl::storage::detail
