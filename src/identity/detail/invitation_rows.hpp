// SQL of invitations. Open: neither accepted nor revoked, and its time is not over.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "crypto/crypto.hpp"
#include "identity/organization_service.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

[[nodiscard]] Result<void> insert_invitation(storage::Transaction& transaction, const Invitation& invitation,
                                             const crypto::Digest& token_hash);
/// Writes sender and expiry, and replaces the token.
[[nodiscard]] Result<void> renew_invitation(storage::Transaction& transaction, const Invitation& invitation,
                                            const crypto::Digest& token_hash);
/// One that was neither accepted nor revoked; its time may be over.
[[nodiscard]] Result<std::optional<Invitation>> find_invitation(storage::Session& session, const OrganizationId& organization,
                                                                const InvitationId& id);
[[nodiscard]] Result<std::optional<Invitation>> find_open_by_token(storage::Session& session, const crypto::Digest& token_hash,
                                                                   TimePoint now);
[[nodiscard]] Result<std::vector<Invitation>> load_open_invitations(storage::Session& session, const OrganizationId& organization,
                                                                    TimePoint now, std::uint32_t limit);
[[nodiscard]] Result<bool> revoke_invitation(storage::Transaction& transaction, const OrganizationId& organization, const InvitationId& id,
                                             TimePoint now);
[[nodiscard]] Result<void> revoke_open(storage::Transaction& transaction, const OrganizationId& organization, std::string_view email,
                                       TimePoint now);
/// False where somebody was faster.
[[nodiscard]] Result<bool> mark_accepted(storage::Transaction& transaction, const InvitationId& id, const UserId& user, TimePoint now);

}  // namespace pawl::identity::detail
