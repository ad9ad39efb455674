/// A move-only `std::function`: jobs may own what they work on. Callables up to 56 bytes are stored inside, without an allocation.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"

namespace pawl::async {

template <class Signature>
class UniqueFunction;

template <class R, class... Arguments>
class UniqueFunction<R(Arguments...)> {
 public:
  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> && std::is_invocable_r_v<R, std::remove_cvref_t<F>&, Arguments...>)
      UniqueFunction(F&& callable) {
    using Callable = std::remove_cvref_t<F>;
    if constexpr (kFitsInside<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
      operations_ = &kInside<Callable>;
    } else {
      ::new (static_cast<void*>(storage_)) Callable*(new Callable(std::forward<F>(callable)));
      operations_ = &kOutside<Callable>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  UniqueFunction(const UniqueFunction&) = delete;
  UniqueFunction& operator=(const UniqueFunction&) = delete;
  ~UniqueFunction() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return operations_ != nullptr; }

  /// Calling an empty function is a broken invariant.
  R operator()(Arguments... arguments) {
    PAWL_ASSERT(operations_ != nullptr, "an empty function was called");
    return operations_->call(storage_, std::forward<Arguments>(arguments)...);
  }

  void reset() noexcept {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
  }

 private:
  static constexpr std::size_t kInsideBytes = 56;

  struct Operations {
    R (*call)(void* storage, Arguments&&... arguments);
    void (*move)(void* from, void* to) noexcept;  ///< leaves nothing to destroy in `from`
    void (*destroy)(void* storage) noexcept;
  };

  template <class Callable>
  static constexpr bool kFitsInside = sizeof(Callable) <= kInsideBytes &&
                                      alignof(Callable) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<Callable>;

  template <class Callable>
  static constexpr Operations kInside{
      [](void* storage, Arguments&&... arguments) -> R {
        return static_cast<R>((*std::launder(reinterpret_cast<Callable*>(storage)))(std::forward<Arguments>(arguments)...));
      },
      [](void* from, void* to) noexcept {
        auto* const source = std::launder(reinterpret_cast<Callable*>(from));
        ::new (to) Callable(std::move(*source));
        std::destroy_at(source);
      },
      [](void* storage) noexcept { std::destroy_at(std::launder(reinterpret_cast<Callable*>(storage))); }};

  template <class Callable>
  static constexpr Operations kOutside{
      [](void* storage, Arguments&&... arguments) -> R {
        return static_cast<R>((**std::launder(reinterpret_cast<Callable**>(storage)))(std::forward<Arguments>(arguments)...));
      },
      [](void* from, void* to) noexcept { ::new (to) Callable*(*std::launder(reinterpret_cast<Callable**>(from))); },
      [](void* storage) noexcept { delete *std::launder(reinterpret_cast<Callable**>(storage)); }};

  void take(UniqueFunction& other) noexcept {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.storage_, storage_);
    operations_ = std::exchange(other.operations_, nullptr);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[kInsideBytes];
};

/// Work handed to another thread.
using Job = UniqueFunction<void()>;

}  // namespace pawl::async
