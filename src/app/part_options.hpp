/// What the configuration means for each part: where its data is, which keys sign, what it may reach and how much.
#pragma once

#include <string>

#include "audit/audit.hpp"
#include "audit/redact.hpp"
#include "base/error.hpp"
#include "config/config.hpp"
#include "limits/rate_limiter.hpp"
#include "net/curl_outbound.hpp"
#include "privacy/retention.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// The data folder that a configuration means.
[[nodiscard]] std::string data_folder(const config::Config& config);
/// The database that it means.
[[nodiscard]] storage::DatabaseOptions database_options(const config::Config& config);

/// Where audit records are signed from: SECRET_KEY, else the key file of the data folder; behind it the earlier ones, which verify.
/// `make`: the file is made where it is missing. Error `audit.key` where there is none.
[[nodiscard]] Result<audit::Keys> audit_keys(const config::Config& config, bool make);
/// `audit.jsonl` in the data folder, unless the configuration names another.
[[nodiscard]] std::string audit_file(const config::Config& config);
[[nodiscard]] privacy::RetentionOptions retention_options(const config::Config& config);

/// What all keys of the installation are made of: SECRET_KEY, else the key file of `folder`, which is made where it is missing.
[[nodiscard]] Result<std::string> installation_secret(const config::Config& config, const std::string& folder);
/// `allow_private`: also where the configuration does not say so, for a command on a person's own machine.
[[nodiscard]] Result<net::CurlOptions> outbound_options(const config::Config& config, bool allow_private);
[[nodiscard]] limits::Limits limits_of(const config::Config& config);
/// What must never be shown or kept, whoever happens to say it.
[[nodiscard]] audit::Needles needles_of(const config::Config& config);

}  // namespace pawl::app
