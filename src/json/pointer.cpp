#include "json/pointer.hpp"

#include <charconv>

namespace pawl::json {

std::string pointer_child(std::string_view base, std::string_view token) {
  std::string out;
  out.reserve(base.size() + 1 + token.size());
  out += base;
  out += '/';
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string pointer_child(std::string_view base, std::size_t index) { return pointer_child(base, std::to_string(index)); }

const Value* resolve(const Value& root, std::string_view pointer) {
  const Value* current = &root;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const auto end = pointer.find('/');
    const auto raw = pointer.substr(0, end);
    pointer = end == std::string_view::npos ? std::string_view{} : pointer.substr(end);
    std::string token;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '~') {
        token += raw[i];
      } else if (i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1')) {
        token += raw[++i] == '0' ? '~' : '/';
      } else {
        return nullptr;
      }
    }
    if (current->is_object()) {
      current = current->find(token);
    } else if (current->is_array()) {
      std::size_t index = 0;
      const auto [stop, failure] = std::from_chars(token.data(), token.data() + token.size(), index);
      if (failure != std::errc{} || stop != token.data() + token.size() || index >= current->size()) return nullptr;
      current = &current->at(index);
    } else {
      return nullptr;
    }
    if (!current) return nullptr;
  }
  return current;
}

}  // namespace pawl::json
