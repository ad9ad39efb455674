#include "dsl/detail/reporter.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Number of each value in document order, for findings without lines.
std::unordered_map<std::string, std::size_t> order_of(const json::Value& root) {
  std::unordered_map<std::string, std::size_t> order;
  struct Open {
    const json::Value* value;
    std::string pointer;
  };
  std::vector<Open> open{{&root, ""}};
  while (!open.empty()) {
    const Open next = std::move(open.back());
    open.pop_back();
    order.emplace(next.pointer, order.size());
    if (next.value->is_array()) {
      for (std::size_t i = next.value->size(); i-- > 0;) open.push_back({&next.value->at(i), json::pointer_child(next.pointer, i)});
    } else if (next.value->is_object()) {
      const auto members = next.value->members();
      for (std::size_t i = members.size(); i-- > 0;) {
        open.push_back({&members[i].value, json::pointer_child(next.pointer, members[i].name())});
      }
    }
  }
  return order;
}

std::size_t order_at(const std::unordered_map<std::string, std::size_t>& order, std::string pointer) {
  while (true) {
    if (const auto found = order.find(pointer); found != order.end()) return found->second;
    const auto slash = pointer.rfind('/');
    if (slash == std::string::npos) return 0;
    pointer.resize(slash);
  }
}

}  // namespace

Reporter::Reporter(const yaml::Document& document, std::string_view text, std::uint32_t max_findings)
    : document_(document), text_(text), max_findings_(max_findings) {}

void Reporter::add(Finding finding, yaml::Position at) {
  finding.line = at.line;
  finding.column = at.column;
  std::string key = finding.pointer + '\n' + finding.rule + '\n' + finding.message;
  if (known_.insert(std::move(key)).second) findings_.push_back(std::move(finding));
}

bool Reporter::wants(const Finding& finding) {
  if (muted_ == 0 && !full()) return true;
  if (finding.severity == Severity::error && !unreported_) {
    unreported_ = finding;
    const yaml::Position at = document_.position(finding.pointer);
    unreported_->line = at.line;
    unreported_->column = at.column;
  }
  return false;
}

void Reporter::error(const std::string& pointer, const char* rule, std::string message, std::string suggestion) {
  Finding finding{Severity::error, pointer, 0, 0, std::move(message), rule, std::move(suggestion)};
  if (wants(finding)) add(std::move(finding), document_.position(pointer));
}

void Reporter::warning(const std::string& pointer, const char* rule, std::string message, std::string suggestion) {
  Finding finding{Severity::warning, pointer, 0, 0, std::move(message), rule, std::move(suggestion)};
  if (wants(finding)) add(std::move(finding), document_.position(pointer));
}

void Reporter::key_error(const std::string& pointer, const char* rule, std::string message, std::string suggestion) {
  Finding finding{Severity::error, pointer, 0, 0, std::move(message), rule, std::move(suggestion)};
  if (wants(finding)) add(std::move(finding), document_.key_position(pointer));
}

void Reporter::text_error(const std::string& pointer, std::size_t offset, const char* rule, std::string message, std::string suggestion) {
  Finding finding{Severity::error, pointer, 0, 0, std::move(message), rule, std::move(suggestion)};
  if (wants(finding)) add(std::move(finding), locate(pointer, offset));
}

void Reporter::take(Finding finding) {
  if (!wants(finding)) return;
  const bool at_key = finding.rule == "missing-property" || finding.rule == "unknown-property";
  const yaml::Position at = at_key ? document_.key_position(finding.pointer) : document_.position(finding.pointer);
  add(std::move(finding), at);
}

void Reporter::keep(Finding finding) {
  if (wants(finding)) findings_.push_back(std::move(finding));
}

/// Walks the decoded text beside its source: quotes, escapes, folded line ends and indentation stand in the source only.
yaml::Position Reporter::locate(const std::string& pointer, std::size_t offset) const {
  const yaml::Position start = document_.position(pointer);
  const json::Value* value = json::resolve(document_.value, pointer);
  if (start.line == 0 || text_.empty() || !value || !value->is_string()) return start;
  const std::string_view decoded = value->as_string();
  std::size_t at = 0;
  yaml::Position here{1, 1};
  const auto step = [&] {
    if (text_[at] == '\n') {
      ++here.line;
      here.column = 1;
    } else if ((static_cast<unsigned char>(text_[at]) & 0xC0U) != 0x80U) {
      ++here.column;
    }
    ++at;
  };
  if (text_.starts_with("\xEF\xBB\xBF")) at = 3;
  while (at < text_.size() && (here.line < start.line || here.column < start.column)) step();
  if (at < text_.size() && (text_[at] == '"' || text_[at] == '\'')) {
    step();
  } else if (at < text_.size() && (text_[at] == '|' || text_[at] == '>')) {
    while (at < text_.size() && text_[at] != '\n') step();
    while (at < text_.size() && is_space(text_[at])) step();
  }
  for (std::size_t i = 0; i < std::min(offset, decoded.size()) && at < text_.size(); ++i) {
    const char wanted = decoded[i];
    if (text_[at] != wanted && is_space(wanted)) {
      while (at < text_.size() && is_space(text_[at])) step();
      continue;
    }
    while (at < text_.size() && text_[at] != wanted && is_space(text_[at])) step();
    if (at >= text_.size()) break;
    if (text_[at] == '\\' && wanted != '\\') step();
    const bool doubled = wanted == '\'' && text_.substr(at).starts_with("''");
    const bool escaped = wanted == '\\' && text_.substr(at).starts_with("\\\\") && !(i + 1 < decoded.size() && decoded[i + 1] == '\\');
    step();
    if ((doubled || escaped) && at < text_.size()) step();
  }
  // A line end before the place: the place is the next text.
  if (offset < decoded.size() && !is_space(decoded[offset])) {
    while (at < text_.size() && is_space(text_[at])) step();
  }
  return here;
}

Findings Reporter::finish() {
  if (unreported_ && !has_errors(findings_)) {
    if (full()) findings_.pop_back();
    findings_.push_back(std::move(*unreported_));
  }
  if (!document_.values.empty()) {
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; });
  } else if (findings_.size() > 1) {
    const auto order = order_of(document_.value);
    std::stable_sort(findings_.begin(), findings_.end(),
                     [&](const Finding& a, const Finding& b) { return order_at(order, a.pointer) < order_at(order, b.pointer); });
  }
  return std::move(findings_);
}

}  // namespace pawl::dsl::detail
