#include "models/answer_stream.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AnswerStreamTest : public testing::Test {
 protected:
  void say(std::string text, Chunk::Kind kind = Chunk::Kind::text, std::size_t index = 0) {
    stream_.add({.kind = kind, .text = std::move(text), .index = index, .id = {}, .name = {}});
  }
  [[nodiscard]] std::vector<std::string> take() { return std::exchange(told_, {}); }

  TestClock clock_;
  std::vector<std::string> told_;
  AnswerStream stream_{
      clock_, [this](const Piece& piece) {
        told_.push_back(std::to_string(piece.sequence) + " " + std::string(to_text(piece)) + (piece.chunk ? " " + piece.chunk->text : ""));
      }};
};

TEST_F(AnswerStreamTest, A2_TheFirstPieceGoesAtOnceAndTheNextTogether) {
  say("He");
  EXPECT_THAT(take(), ElementsAre("0 text He"));
  say("ll");
  say("o");
  EXPECT_THAT(take(), IsEmpty());
  clock_.advance(Millis(50));
  say(" you");
  EXPECT_THAT(take(), ElementsAre("1 text llo you"));
  say("!");
  stream_.end();
  EXPECT_THAT(take(), ElementsAre("2 text !", "3 end"));
}

TEST_F(AnswerStreamTest, A2_NothingOfAnotherKindOrCallIsMixedAndNothingIsLost) {
  say("think", Chunk::Kind::reasoning);
  say("a");
  say("", Chunk::Kind::tool_call, 0);
  say("{", Chunk::Kind::arguments, 0);
  say("}", Chunk::Kind::arguments, 0);
  say("[", Chunk::Kind::arguments, 1);
  say("", Chunk::Kind::reset);
  stream_.end();
  EXPECT_THAT(take(), ElementsAre("0 reasoning think", "1 text a", "2 tool_call ", "3 arguments {}", "4 arguments [", "5 reset ", "6 end"));
}

TEST_F(AnswerStreamTest, A2_WholeWordsAreToldWhereThatIsAskedFor) {
  AnswerStream words(
      clock_, [this](const Piece& piece) { told_.push_back(piece.chunk ? piece.chunk->text : "end"); }, true);
  const auto add = [&](std::string text) {
    words.add({.kind = Chunk::Kind::text, .text = std::move(text), .index = 0, .id = {}, .name = {}});
    clock_.advance(Millis(60));
  };
  for (const auto* part : {"the key", " is hu", "sh-", "hush ", "now"}) add(part);
  EXPECT_THAT(take(), ElementsAre("the ", "key is ", "hush-hush "));
  words.end();
  EXPECT_THAT(take(), ElementsAre("now", "end"));
}

TEST_F(AnswerStreamTest, A2_WhatIsHeldBackIsBoundedAndAnEndedStreamIsSilent) {
  say("x");
  say(std::string(4'096, 'y'));
  EXPECT_EQ(take().size(), 2U);
  stream_.end();
  stream_.end();
  say("late");
  EXPECT_THAT(take(), ElementsAre("2 end"));
}

}  // namespace
}  // namespace pawl::models
