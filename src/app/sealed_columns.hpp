/// Every column of the schema that holds sealed values: what `pawl keys rotate` seals anew.
#pragma once

#include <span>

#include "storage/sealed_columns.hpp"

namespace pawl::app {

/// A column called `sealed_...` that is missing here is found by a test.
[[nodiscard]] std::span<const storage::SealedColumn> sealed_columns();

}  // namespace pawl::app
