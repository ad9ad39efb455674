#include "functions/detail/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "base/utf8.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxSentences = 2'000;
constexpr std::size_t kShortestWord = 3;
constexpr double kTopicWeight = 2.0;
constexpr double kFirstBonus = 1.5;
constexpr double kSecondBonus = 1.2;

constexpr std::array kCommon = {
    "the",   "and",   "for",   "are",   "but",  "not",   "you",        "your", "with", "this", "that",  "have",  "has",    "had",
    "was",   "were",  "will",  "would", "can",  "could", "should",     "from", "they", "them", "their", "there", "here",   "what",
    "when",  "which", "who",   "how",   "all",  "any",   "been",       "more", "our",  "out",  "its",   "about", "into",   "than",
    "then",  "just",  "also",  "only",  "some", "very",  "der",        "die",  "das",  "und",  "ist",   "sind",  "ein",    "eine",
    "einen", "einem", "einer", "nicht", "mit",  "auf",   "f\xC3\xBCr", "von",  "dem",  "den",  "des",   "sich",  "wir",    "ihr",
    "sie",   "ich",   "auch",  "bei",   "aus",  "nach",  "wie",        "noch", "nur",  "aber", "oder",  "wird",  "werden", "haben",
    "hat",   "dass",  "zum",   "zur",   "als",  "wenn",  "kann",       "bitte"};
constexpr std::array kAbbreviations = {"dr", "mr", "mrs", "ms", "prof", "inc", "ltd", "etc",
                                       "vs", "no", "nr",  "st", "ca",   "bzw", "usw", "approx"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_word_byte(text[end])) ++end;
    if (end - i >= kShortestWord) {
      std::string word = lower(text.substr(i, end - i));
      if (std::find(kCommon.begin(), kCommon.end(), std::string_view(word)) == kCommon.end()) words.push_back(std::move(word));
    }
    i = std::max(end, i + 1);
  }
  return words;
}

/// White space, line breaks included, as single spaces.
std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

/// Does the full stop at `at` belong to `Dr.`, `z. B.`, `J.`?
bool abbreviates(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && is_word_byte(text[begin - 1])) --begin;
  const std::string word = lower(text.substr(begin, at - begin));
  if (word.size() == 1 && !(word[0] >= '0' && word[0] <= '9')) return true;
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), std::string_view(word)) != kAbbreviations.end();
}

/// Length of what ends a sentence at `at`: its sign with the quotes and brackets behind it; 0: none.
std::size_t ending_at(std::string_view text, std::size_t at) {
  const char sign = text[at];
  if (sign != '.' && sign != '!' && sign != '?') return 0;
  std::size_t end = at + 1;
  while (end < text.size() && std::string_view(".!?\"')]").find(text[end]) != std::string_view::npos) ++end;
  if (end == text.size()) return end - at;
  if (!is_space(text[end]) || (sign == '.' && abbreviates(text, at))) return 0;
  const std::size_t next = text.find_first_not_of(" \t\r\n", end);
  // What goes on with a small letter is the same sentence.
  if (next != std::string_view::npos && text[next] >= 'a' && text[next] <= 'z') return 0;
  return end - at;
}

bool is_blank_line_at(std::string_view text, std::size_t at) {
  if (text[at] != '\n') return false;
  const std::size_t next = text.find_first_not_of(" \t\r", at + 1);
  return next != std::string_view::npos && text[next] == '\n';
}

bool ends_with_wrote(std::string_view line) { return line.ends_with("wrote:") || line.ends_with("schrieb:"); }

}  // namespace

std::vector<std::string> sentences_of(std::string_view text) {
  std::vector<std::string> sentences;
  std::size_t begin = 0;
  const auto add = [&](std::size_t end) {
    std::string sentence = on_one_line(text.substr(begin, end - begin));
    if (!words_of(sentence).empty() && sentences.size() < kMaxSentences) sentences.push_back(std::move(sentence));
    begin = end;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const std::size_t length = ending_at(text, i); length > 0) {
      add(i + length);
      i += length - 1;
    } else if (is_blank_line_at(text, i)) {
      add(i);
    }
  }
  add(text.size());
  return sentences;
}

std::string own_words(std::string_view mail_text) {
  std::string out;
  while (!mail_text.empty()) {
    const std::size_t end = std::min(mail_text.find('\n'), mail_text.size());
    std::string_view line = mail_text.substr(0, end);
    mail_text.remove_prefix(std::min(end + 1, mail_text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line == "-- " || line == "--") break;
    if (line.starts_with('>') || ends_with_wrote(line)) continue;
    out.append(line).append(1, '\n');
  }
  return out;
}

std::string summarize(std::string_view text, std::string_view topic, std::size_t count, std::size_t max_length) {
  const auto sentences = sentences_of(text);
  std::map<std::string, double> frequency;
  for (const std::string& sentence : sentences) {
    for (const std::string& word : words_of(sentence)) frequency[word] += 1;
  }
  std::set<std::string> topics;
  for (std::string& word : words_of(topic)) topics.insert(std::move(word));

  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const auto words = words_of(sentences[i]);
    double score = 0;
    for (const std::string& word : words) score += frequency[word] + (topics.contains(word) ? kTopicWeight : 0);
    // By the root of the length: else the longest sentence always wins, and by the length itself the shortest.
    score /= std::sqrt(static_cast<double>(words.size()));
    if (i < 2) score *= i == 0 ? kFirstBonus : kSecondBonus;
    ranked.emplace_back(-score, i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::set<std::size_t> chosen;
  std::size_t length = 0;
  for (const auto& [score, i] : ranked) {
    if (chosen.size() == count) break;
    const std::size_t added = sentences[i].size() + (chosen.empty() ? 0 : 1);
    if (max_length > 0 && length + added > max_length) continue;
    chosen.insert(i);
    length += added;
  }
  std::string summary;
  for (const std::size_t i : chosen) summary += (summary.empty() ? "" : " ") + sentences[i];
  if (!summary.empty() || sentences.empty() || ranked.empty()) return summary;
  // Not one fits: the beginning of the best, cut between characters.
  std::string_view best = sentences[ranked.front().second];
  std::size_t end = std::min(max_length, best.size());
  while (end > 0 && end < best.size() && (static_cast<unsigned char>(best[end]) & 0xC0U) == 0x80U) --end;
  return std::string(best.substr(0, end));
}

}  // namespace pawl::functions
