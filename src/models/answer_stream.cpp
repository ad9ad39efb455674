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
  const bool is_full = held_->text.size() >= kMostHeld;
  if (!is_due && !is_full && is_text(chunk)) return;
  if (whole_words_ && is_text(chunk)) flush_words();
  if (!whole_words_ || !is_text(chunk) || (held_ && held_->text.size() >= kMostHeld)) flush();
  told_at_ = now;
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

/// The last word may not be complete.
void AnswerStream::flush_words() {
  const auto space = held_->text.find_last_of(" \t\r\n");
  if (space == std::string::npos) return;
  auto rest = *held_;
  rest.text.erase(0, space + 1);
  held_->text.resize(space + 1);
  flush();
  if (!rest.text.empty()) held_ = std::move(rest);
}

}  // namespace pawl::models
