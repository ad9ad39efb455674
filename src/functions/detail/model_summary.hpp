/// Summaries by a language model: the function `llm` is asked once for each text, one after the other, within the call that it belongs to.
///
/// The organization's budget, the limits of providers and their keys are those of `llm`. What stands in a text is data: the model is told
/// to follow nothing in it, and it has no tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/function.hpp"

namespace pawl::functions {

inline constexpr std::size_t kMaxSummarized = 48U << 10U;  ///< bytes of a text that a model is shown; the rest is left out

struct SummaryWish {
  std::string model;
  std::size_t sentences = 0;
  std::size_t max_length = 0;  ///< bytes; 0: no limit
};

/// One call: `ask` once, then `cancel` any time. Lives until it has answered.
class ModelSummaries : public std::enable_shared_from_this<ModelSummaries> {
 public:
  /// In the order of the texts; an empty text has an empty summary and nobody is asked.
  struct Answer {
    std::vector<std::string> summaries;
    json::Value error;  ///< of the first call that failed; null: none
  };
  using Take = std::function<void(Answer)>;

  /// `call`: that this belongs to. `llm` outlives it.
  ModelSummaries(engine::Function& llm, const engine::Invocation& call, SummaryWish wish)
      : llm_(llm), call_(call), wish_(std::move(wish)) {}

  void ask(std::vector<std::string> texts, Take take);
  void cancel();

 private:
  /// What is going on with the question that was asked last.
  enum class Phase : std::uint8_t { starting, answered_at_once, waiting };

  void go_on();
  [[nodiscard]] bool ask_next();
  void answered(engine::Outcome outcome);
  [[nodiscard]] bool take_in(engine::Outcome outcome);
  [[nodiscard]] engine::Invocation question(const std::string& text) const;

  engine::Function& llm_;
  const engine::Invocation call_;
  const SummaryWish wish_;
  std::vector<std::string> texts_;
  Take take_;
  Answer answer_;
  std::mutex mutex_;  // of what follows
  Phase phase_ = Phase::starting;
  engine::Outcome early_;
  engine::Cancel current_;
  bool is_cancelled_ = false;
};

}  // namespace pawl::functions
