// A configuration on its way in and out: checked, split into its public and its secret part, masked.
#pragma once

#include <string_view>

#include "integrations/connector.hpp"
#include "integrations/integrations.hpp"

namespace pawl::integrations::detail {

/// Masks in `wish` become what `stored` has; the rest stays. A mask for what is not stored stays a mask, which `check` finds.
[[nodiscard]] json::Value without_masks(const Connector& connector, json::Value wish, const json::Value& stored);
/// A finding for each secret that `wish` keeps by its mask although something that decides where it is sent, or for whom, is another than
/// in `stored`: else whoever may change an integration could have its secret sent to an address of their own.
[[nodiscard]] Findings moved_secrets(const Connector& connector, const json::Value& wish, const json::Value& stored);
/// Everything wrong with a name and a configuration. Pointers begin with `/name` or `/config`; no value is repeated.
[[nodiscard]] Findings check(const Connector& connector, std::string_view name, const json::Value& config);

struct Parts {
  json::Value shown;   ///< without the secret fields
  json::Value secret;  ///< the secret fields alone
};
[[nodiscard]] Parts split(const Connector& connector, const json::Value& config);
/// The public part with masks for the secrets that there are.
[[nodiscard]] json::Value masked(const Parts& parts);
[[nodiscard]] json::Value joined(const Parts& parts);

}  // namespace pawl::integrations::detail
