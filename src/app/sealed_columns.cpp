#include "app/sealed_columns.hpp"

#include <array>

#include "catalog/catalog.hpp"
#include "integrations/integrations.hpp"
#include "mail/outbox.hpp"
#include "notify/channels.hpp"

namespace pawl::app {

std::span<const storage::SealedColumn> sealed_columns() {
  static constexpr storage::SealedColumn kTotpSeeds{
      .name = "users.sealed_totp_seed",
      .key = storage::SealedColumn::Key::blob,
      .select = "select id, null, sealed_totp_seed from users where id > $1 and sealed_totp_seed is not null order by id limit $2",
      .update = "update users set sealed_totp_seed = $1 where id = $2 and sealed_totp_seed = $3"};
  static constexpr std::array kColumns = {integrations::kSealedConfig, kTotpSeeds, catalog::kSealedToken, mail::kSealedBody,
                                          notify::kSealedChannel};
  return kColumns;
}

}  // namespace pawl::app
