// What workflows have handled, as it may be shown: without the secrets that the installation knows.
#pragma once

#include "api/detail/context.hpp"
#include "engine/engine.hpp"

namespace pawl::api::detail {

/// Inputs, outputs, errors and log lines lose every known secret, in whatever form it turns up. Names do not matter: a workflow may have an
/// output called `token`.
[[nodiscard]] json::Value shown(const Context& context, const json::Value& value);
[[nodiscard]] engine::RunView::TaskView shown(const Context& context, engine::RunView::TaskView task);
[[nodiscard]] engine::RunView shown(const Context& context, engine::RunView run);

}  // namespace pawl::api::detail
