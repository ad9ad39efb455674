#include "app/run_tokens.hpp"

#include <utility>

#include "live/topics.hpp"

namespace pawl::app {

live::Announcement tokens_of(const engine::Invocation& call, const models::Piece& piece) {
  using Kind = models::Chunk::Kind;
  live::Announcement announcement;
  announcement.organization = call.organization;
  announcement.type = "run.tokens";
  announcement.topics = {live::run_topic(call.run)};
  announcement.transient = true;
  auto iteration = json::Value::array();
  for (const auto round : call.step.iteration) iteration.push_back(static_cast<std::int64_t>(round));
  announcement.data = json::Value::object({{"run_id", call.run.to_string()},
                                           {"reference", call.reference},
                                           {"iteration", std::move(iteration)},
                                           {"attempt", static_cast<std::int64_t>(call.step.attempt)},
                                           {"sequence", static_cast<std::int64_t>(piece.sequence)},
                                           {"kind", models::to_text(piece)}});
  if (!piece.chunk) return announcement;
  const auto& chunk = *piece.chunk;
  if (chunk.kind == Kind::text || chunk.kind == Kind::reasoning || chunk.kind == Kind::arguments) announcement.data.set("text", chunk.text);
  if (chunk.kind == Kind::tool_call || chunk.kind == Kind::arguments) {
    announcement.data.set("index", static_cast<std::int64_t>(chunk.index));
  }
  if (chunk.kind == Kind::tool_call) {
    announcement.data.set("id", chunk.id);
    announcement.data.set("name", chunk.name);
  }
  return announcement;
}

models::Followers followers_of(live::Hub& hub, const Clock& clock, const audit::Redactor& redactor) {
  return {.clock = clock,
          .wants = [&hub](const OrganizationId& organization) { return hub.wants(organization); },
          .tell =
              [&hub](const engine::Invocation& call, const models::Piece& piece) {
                if (hub.wants(call.organization)) hub.raise(tokens_of(call, piece));
              },
          .hide = [&redactor](std::string_view text) { return redactor.text(text, {.by_name = false}); }};
}

}  // namespace pawl::app
