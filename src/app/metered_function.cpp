#include "app/metered_function.hpp"

#include <chrono>

namespace pawl::app {
namespace {

class Metered final : public engine::Function {
 public:
  Metered(std::unique_ptr<engine::Function> function, Figures& figures) : function_(std::move(function)), figures_(figures) {}

  [[nodiscard]] const Info& info() const override { return function_->info(); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override { return function_->effect_class(arguments); }
  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return function_->destroys(arguments); }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const override { return function_->plan(call); }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    return function_->start(std::move(call),
                            [this, began = std::chrono::steady_clock::now(), done = std::move(done)](engine::Outcome outcome) {
                              const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
                              figures_.function(function_->info().name, outcome, took.count());
                              done(std::move(outcome));
                            });
  }

 private:
  std::unique_ptr<engine::Function> function_;
  Figures& figures_;
};

}  // namespace

std::unique_ptr<engine::Function> metered(std::unique_ptr<engine::Function> function, Figures& figures) {
  return std::make_unique<Metered>(std::move(function), figures);
}

}  // namespace pawl::app
