/// Extractive summaries: the most telling sentences of a text, in their order. No model: counting and position. The same text always gives
/// the same summary. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pawl::functions {

/// Sentences of UTF-8 text: they end with `.`, `!` or `?` before white space and a beginning, or with an empty line. Abbreviations such as
/// `Dr.` and `z. B.` end none.
[[nodiscard]] std::vector<std::string> sentences_of(std::string_view text);

/// A mail's text without what it quotes (`> ...`, `On ... wrote:`) and without its signature (`-- `).
[[nodiscard]] std::string own_words(std::string_view mail_text);

/// At most `count` sentences and, where `max_length` is not 0, at most so many bytes. A sentence counts by how often its words occur in the
/// text (common words of English and German do not count), how many of them `topic` (the subject) has, and how early it stands.
[[nodiscard]] std::string summarize(std::string_view text, std::string_view topic, std::size_t count, std::size_t max_length);

}  // namespace pawl::functions
