/// A function whose calls are counted and timed for `/metrics`.
#pragma once

#include <memory>

#include "app/figures.hpp"
#include "engine/function.hpp"

namespace pawl::app {

/// `figures` outlives the function.
[[nodiscard]] std::unique_ptr<engine::Function> metered(std::unique_ptr<engine::Function> function, Figures& figures);

}  // namespace pawl::app
