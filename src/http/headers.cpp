#include "http/headers.hpp"

#include <algorithm>

namespace pawl::http {
namespace {

char lower(char letter) noexcept { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter; }

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i] && lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back(
      {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
  text_.append(name).append(value);
}

void Headers::set(std::string_view name, std::string_view value) {
  // The bytes of what is replaced stay in the buffer until the whole is destroyed: responses are short-lived.
  erase(name);
  add(name, value);
}

bool Headers::erase(std::string_view name) {
  const auto gone = [&](const Slice& slice) { return equals_ignoring_case({text_.data() + slice.at, slice.name_size}, name); };
  return std::erase_if(fields_, gone) > 0;
}

void Headers::clear() noexcept {
  text_.clear();
  fields_.clear();
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  fields_.reserve(fields);
  text_.reserve(bytes);
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
  for (const Slice& slice : fields_) {
    if (slice.name_size == name.size() && equals_ignoring_case({text_.data() + slice.at, slice.name_size}, name)) {
      return std::string_view(text_.data() + slice.at + slice.name_size, slice.value_size);
    }
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const noexcept { return find(name).value_or(std::string_view()); }

Headers::Field Headers::at(std::size_t index) const noexcept {
  const Slice& slice = fields_[index];
  const char* const start = text_.data() + slice.at;
  return {{start, slice.name_size}, {start + slice.name_size, slice.value_size}};
}

}  // namespace pawl::http
