#include "http/detail/frame_watch.hpp"

#include <algorithm>

namespace pawl::http::detail {
namespace {

constexpr unsigned kFinal = 0x80;
constexpr unsigned kControl = 0x08;
constexpr unsigned kMasked = 0x80;
constexpr unsigned kSize = 0x7F;
constexpr unsigned kTwoMore = 126;
constexpr unsigned kEightMore = 127;
constexpr std::size_t kKeyBytes = 4;

}  // namespace

void FrameWatch::see(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    if (phase_ == Phase::payload) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      bytes.remove_prefix(taken);
      left_ -= taken;
      if (left_ == 0) end_of_frame();
      continue;
    }
    phase_ = Phase::header;
    header_[have_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (have_ == 2) {
      const unsigned size = header_[1] & kSize;
      need_ = 2U + (size == kEightMore ? 8U : size == kTwoMore ? 2U : 0U) + ((header_[1] & kMasked) != 0 ? kKeyBytes : 0U);
    }
    if (have_ == need_) end_of_header();
  }
}

void FrameWatch::end_of_header() noexcept {
  const unsigned size = header_[1] & kSize;
  left_ = size;
  if (size >= kTwoMore) {
    left_ = 0;
    const std::size_t bytes = size == kEightMore ? 8 : 2;
    for (std::size_t i = 0; i < bytes; ++i) left_ = left_ << 8U | header_[2 + i];
  }
  have_ = 0;
  need_ = 2;
  phase_ = Phase::payload;
  if (left_ == 0) end_of_frame();
}

void FrameWatch::end_of_frame() noexcept {
  phase_ = Phase::between;
  const bool is_control = (header_[0] & kControl) != 0;
  if (!is_control) in_message_ = (header_[0] & kFinal) == 0;
  if (!in_message_) ++whole_;
}

void MessageDeadline::see(std::string_view bytes, TimePoint now) noexcept {
  const auto before = watch_.whole();
  watch_.see(bytes);
  if (!watch_.is_within()) {
    when_ = TimePoint::max();
  } else if (when_ == TimePoint::max() || watch_.whole() != before) {
    when_ = now + time_for_one_;
  }
}

}  // namespace pawl::http::detail
