#include "app/sealed_columns.hpp"

#include <array>

#include "integrations/integrations.hpp"

namespace pawl::app {

std::span<const storage::SealedColumn> sealed_columns() {
  static constexpr std::array kColumns = {integrations::kSealedConfig};
  return kColumns;
}

}  // namespace pawl::app
