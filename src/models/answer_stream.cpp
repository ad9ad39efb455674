#include "models/answer_stream.hpp"

#include <utility>

namespace pawl::models {
namespace {

constexpr Millis kPause{50};
constexpr std::size_t kMostHeld = 4'096;

bool is_text(const Chunk& chunk) {
  return chunk.kind == Chunk::Kind::text || chunk.kind == Chunk::Kind::reasoning || chunk.kind == Chunk::Kind::arguments;
}

}  // namespace

std::string_view to_text(const Piece& piece) {
  if (!piece.chunk) return "end";
  switch (piece.chunk->kind) {
    case Chunk::Kind::text: return "text";
    case Chunk::Kind::reasoning: return "reasoning";
    case Chunk::Kind::tool_call: return "tool_call";
    case Chunk::Kind::arguments: return "arguments";
    case Chunk::Kind::reset: return "reset";
  }
  return "end";
}

void AnswerStream::add(const Chunk& chunk) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  const bool continues = held_ && held_->kind == chunk.kind && held_->index == chunk.index && is_text(chunk);
  if (continues) {
    held_->text += chunk.text;
  } else {
    flush();
    held_ = chunk;
  }
  const auto now = clock_.now();
  const bool is_due = !told_at_ || now - *told_at_ >= kPause || now < *told_at_;
  if (is_due || held_->text.size() >= kMostHeld || !is_text(chunk)) {
    flush();
    told_at_ = now;
  }
}

void AnswerStream::end() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ended_, true)) return;
  flush();
  tell_({.sequence = next_++});
}

void AnswerStream::flush() {
  if (!held_) return;
  tell_({.sequence = next_++, .chunk = std::move(held_)});
  held_.reset();
}

}  // namespace pawl::models
