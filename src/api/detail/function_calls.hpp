// Single calls of functions: what the declaration of one says, and the document that holds a call of it alone.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "api/detail/context.hpp"
#include "catalog/workflow.hpp"
#include "engine/function.hpp"

namespace pawl::api::detail {

[[nodiscard]] std::string_view effect_name(engine::EffectClass effect);

/// The classes that its calls have: of some it depends on the arguments, so the examples are asked as well.
[[nodiscard]] std::set<engine::EffectClass> effects_of(const engine::Function& function);

/// One that somebody has written; the newest version. Null where there is none.
[[nodiscard]] std::shared_ptr<const engine::UserFunction> user_function(const engine::FunctionRegistry& functions, std::string_view name);

/// What is wrong with the parameters, by where it stands below `at`, a JSON pointer. Error `plugin.invalid_params`.
[[nodiscard]] Result<void> check_parameters(const json::Value& schema, const json::Value& parameters, std::string_view at);

/// Texts with `${` become expressions that give them as they are: what somebody else has written is data.
[[nodiscard]] json::Value without_expressions(const json::Value& value);

/// A document that holds the call alone, which may take so long; zero: as long as the function does.
[[nodiscard]] catalog::Definition document_of_call(const std::string& name, json::Value parameters, std::chrono::seconds time);

}  // namespace pawl::api::detail
