/// What models say in runs, while they say it, as live events.
///
/// `run.tokens`: `{run_id, reference, iteration, attempt, sequence, kind, text?, index?, id?, name?}`, for `run:<id>`, transient
/// (live/hub.hpp). `docs/live.md` says what the members mean.
#pragma once

#include "audit/redact.hpp"
#include "live/hub.hpp"
#include "models/llm_function.hpp"

namespace pawl::app {

[[nodiscard]] live::Announcement tokens_of(const engine::Invocation& call, const models::Piece& piece);
/// All outlive what is made. Known secrets are hidden, as they are wherever runs are shown.
[[nodiscard]] models::Followers followers_of(live::Hub& hub, const Clock& clock, const audit::Redactor& redactor);

}  // namespace pawl::app
