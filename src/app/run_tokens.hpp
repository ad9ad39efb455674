/// What models say in runs, while they say it, as live events.
///
/// `run.tokens`: `{run_id, reference, iteration, attempt, sequence, kind, text?, index?, id?, name?}`, for `run:<id>`, transient
/// (live/hub.hpp). `docs/live.md` says what the members mean.
#pragma once

#include "live/hub.hpp"
#include "models/llm_function.hpp"

namespace pawl::app {

[[nodiscard]] live::Announcement tokens_of(const engine::Invocation& call, const models::Piece& piece);
/// Both outlive what is made.
[[nodiscard]] models::Followers followers_of(live::Hub& hub, const Clock& clock);

}  // namespace pawl::app
