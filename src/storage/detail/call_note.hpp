/// What a traced call of the database did, as far as `Database::on_traced_call` is told.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/database.hpp"

namespace pawl::storage::detail {

class CallNote {
 public:
  /// Of the thread that asks; begins now.
  explicit CallNote(bool writes) : writes_(writes) {}

  /// Statements that the thread runs are noted here until the scope ends.
  class Scope {
   public:
    explicit Scope(CallNote* note) noexcept : former_(std::exchange(current(), note)) {}
    ~Scope() { current() = former_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CallNote* former_;
  };

  static void see(std::string_view sql) {
    auto* const note = current();
    if (note == nullptr) return;
    if (note->statements_++ == 0) note->statement_ = sql.substr(0, kLongest);
  }
  /// A work is run again: what it did before does not count.
  void forget() { statements_ = 0; }

  void tell(const std::function<void(const TracedCall&)>& listener, std::string_view error) const {
    listener({below_, writes_, statement_, statements_, std::chrono::steady_clock::now() - began_, error});
  }
  [[nodiscard]] const TraceContext& below() const { return below_; }

 private:
  static constexpr std::size_t kLongest = 2'000;

  [[nodiscard]] static CallNote*& current() noexcept {
    thread_local CallNote* note = nullptr;
    return note;
  }

  const TraceContext below_ = current_trace();
  const bool writes_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::string statement_{};
  std::uint32_t statements_ = 0;
};

/// The reading of one lease.
struct ReadNote {
  CallNote note{false};
  CallNote::Scope scope{&note};
  std::string error{};
};

}  // namespace pawl::storage::detail
