#include "functions/detail/xml_text.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace pawl::functions {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kEntities{
    {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}};

void append_utf8(std::string& out, std::uint32_t code) {
  const auto add = [&out](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0U | code >> 6U);
  } else {
    if (code < 0x10000) {
      add(0xE0U | code >> 12U);
    } else {
      add(0xF0U | code >> 18U);
      add(0x80U | (code >> 12U & 0x3FU));
    }
    add(0x80U | (code >> 6U & 0x3FU));
  }
  add(0x80U | (code & 0x3FU));
}

/// False: not an entity that we know; it stays as it is.
bool append_entity(std::string& out, std::string_view name) {
  for (const auto& [known, sign] : kEntities) {
    if (name == known) {
      out += sign;
      return true;
    }
  }
  if (!name.starts_with('#')) return false;
  const bool hexadecimal = name.starts_with("#x");
  name.remove_prefix(hexadecimal ? 2 : 1);
  std::uint32_t code = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), code, hexadecimal ? 16 : 10);
  if (failure != std::errc{} || end != name.data() + name.size() || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
  append_utf8(out, code);
  return true;
}

std::string resolve(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find('&');
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin + 1);
    const std::size_t end = text.find(';');
    if (end == std::string_view::npos || !append_entity(out, text.substr(0, end))) {
      out += '&';
    } else {
      text.remove_prefix(end + 1);
    }
  }
  return out;
}

}  // namespace

std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name, std::size_t limit) {
  const std::string open = "<" + std::string(name) + ">";
  const std::string close = "</" + std::string(name) + ">";
  std::vector<std::string_view> found;
  while (found.size() < limit) {
    const std::size_t begin = xml.find(open);
    if (begin == std::string_view::npos) break;
    xml.remove_prefix(begin + open.size());
    const std::size_t end = xml.find(close);
    if (end == std::string_view::npos) break;
    found.push_back(xml.substr(0, end));
    xml.remove_prefix(end + close.size());
  }
  return found;
}

std::optional<std::string> xml_text(std::string_view xml, std::string_view name) {
  const auto found = xml_elements(xml, name, 1);
  if (found.empty()) return std::nullopt;
  return resolve(found.front());
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace pawl::functions
