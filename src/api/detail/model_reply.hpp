// What all routes have in common that ask a model: what it may see, what is told of its answer, and the shapes of both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/detail/context.hpp"
#include "api/shape.hpp"
#include "models/assistant.hpp"

namespace pawl::api::detail {

/// Where the process asks no models.
[[nodiscard]] Error no_models();

/// A member that is a text; empty where it is none.
[[nodiscard]] std::string text_of(const json::Value& object, std::string_view name);

/// Without what looks like a secret and without every secret that is known: models never see any.
[[nodiscard]] json::Value without_secrets(const Context& context, const json::Value& value);

/// `provider` and `model` of the body.
[[nodiscard]] models::Asker asker_of(const Call& call);

/// What all answers of a model say, under the names of the prior system where it has them.
[[nodiscard]] json::Value told(const models::Answer& answer);

[[nodiscard]] json::Value findings_json(const Findings& findings);

/// What is known of a failed run: the task that failed, its error and input, and what ran before. `wanted`: name or reference of a task.
[[nodiscard]] json::Value failure_of(const engine::RunView& run, std::string_view wanted);

using Members = std::vector<Shape::Member>;

/// `told` and the members of its own.
[[nodiscard]] Shape reply_shape(std::string_view name, Members own);
/// A body that may name provider and model.
[[nodiscard]] Shape with_whom(std::string_view name, Members members);

}  // namespace pawl::api::detail
