#include "functions/detail/summary.hpp"

#include <gmock/gmock.h>

namespace pawl::functions {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Summary, SentencesEndWhereTheyEnd) {
  EXPECT_THAT(
      sentences_of("Dr. Ada Miller paid 3.50 Euro. \"Is that enough?\" Yes! It goes on e.g. here\nand there.\n\nHello world"),
      ElementsAre("Dr. Ada Miller paid 3.50 Euro.", "\"Is that enough?\"", "Yes!", "It goes on e.g. here and there.", "Hello world"));
  EXPECT_THAT(sentences_of(""), IsEmpty());
  EXPECT_THAT(sentences_of(" . ! ?\n\n--"), IsEmpty());
}

TEST(Summary, ForeignWordsAndSignaturesAreLeftOut) {
  EXPECT_EQ(own_words("Hello.\r\nOn Monday Bob wrote:\r\n> quoted\r\nBye.\r\n-- \r\nAda, Director\r\n"), "Hello.\nBye.\n");
}

TEST(Summary, TakesTheMostTellingSentencesInTheirOrder) {
  const char* text =
      "The server was down for an hour. I had soup today. The server lost power because the power supply of the server failed. "
      "We bought a new power supply. Regards to everybody.";
  EXPECT_EQ(summarize(text, "Server power", 2, 0),
            "The server was down for an hour. The server lost power because the power supply of the server failed.");
  EXPECT_EQ(summarize(text, "Server power", 2, 0), summarize(text, "Server power", 2, 0));
  EXPECT_EQ(summarize(text, "Server power", 20, 0), text);
}

TEST(Summary, StaysWithinItsLengthAndCutsNoCharacter) {
  EXPECT_EQ(summarize("One long sentence about the weather. Short weather.", "", 3, 20), "Short weather.");
  EXPECT_EQ(summarize("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC", "", 1, 5), "\xC3\xBC\xC3\xBC");
}

}  // namespace
}  // namespace pawl::functions
