#include "functions/detail/html.hpp"

#include <gmock/gmock.h>

namespace pawl::functions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kPage =
    R"(<!doctype html><html lang="en-GB"><head><title> A  page </title><script>var x = "<p>no</p>";</script></head><body>
<div id="main" class="box wide">
  <h1>Head <b>line</b></h1>
  <ul><li class="a">one</li><li class="b">two</li><li class="a b">three</li><li>four</li><li>five</li></ul>
  <p data-kind="Intro-long">first</p><p>second <a href="/x.html" rel="next nofollow">link</a></p><span></span>
  <table><tr><td>1<td>2<tr><td>3<td>4</table>
</div><div><p>outside</p></div></body></html>)";

std::vector<std::string> texts(const std::string& selector, const std::string& page = kPage) {
  const auto html = HtmlPage::parse(page);
  const auto parsed = Selector::parse(selector);
  if (parsed.has_error()) return {parsed.error().message};
  const auto found = parsed->select(html->root(), 1000);
  std::vector<std::string> result;
  for (const auto* node : *found) result.push_back(text_of(node));
  return result;
}

TEST(Html, GivesTitleAndCollapsedText) {
  const auto html = HtmlPage::parse(kPage);
  EXPECT_EQ(html->title(), "A page");
  EXPECT_THAT(texts("h1"), ElementsAre("Head line"));
  EXPECT_THAT(texts("tr"), ElementsAre("1 2", "3 4"));
}

TEST(Selector, FindsByTypeIdClassAndAttribute) {
  EXPECT_THAT(texts("LI.a"), ElementsAre("one", "three"));
  EXPECT_THAT(texts(".a.b"), ElementsAre("three"));
  EXPECT_THAT(texts("#main > p"), ElementsAre("first", "second link"));
  EXPECT_THAT(texts("[data-kind]"), ElementsAre("first"));
  EXPECT_THAT(texts("p[data-kind='Intro-long']"), ElementsAre("first"));
  EXPECT_THAT(texts("p[data-kind=intro-LONG i]"), ElementsAre("first"));
  EXPECT_THAT(texts("a[href^=\"/x\"][href$=html][href*='.']"), ElementsAre("link"));
  EXPECT_THAT(texts("a[rel~=nofollow]"), ElementsAre("link"));
  EXPECT_EQ(texts("[lang|=en]").size(), 1U);
}

TEST(Selector, FollowsCombinatorsAndLists) {
  EXPECT_THAT(texts("div p a"), ElementsAre("link"));
  EXPECT_THAT(texts("body > p"), IsEmpty());
  EXPECT_THAT(texts("li.a + li"), ElementsAre("two", "four"));
  EXPECT_THAT(texts("li.b ~ li"), ElementsAre("three", "four", "five"));
  EXPECT_THAT(texts("h1 , td"), ElementsAre("Head line", "1", "2", "3", "4"));
  EXPECT_THAT(texts("div > ul > li + li ~ .b"), ElementsAre("three"));
}

TEST(Selector, KnowsPositionsAndNegation) {
  EXPECT_THAT(texts("li:first-child"), ElementsAre("one"));
  EXPECT_THAT(texts("li:last-child"), ElementsAre("five"));
  EXPECT_THAT(texts("li:nth-child(2)"), ElementsAre("two"));
  EXPECT_THAT(texts("li:nth-child(odd)"), ElementsAre("one", "three", "five"));
  EXPECT_THAT(texts("li:nth-child( 2n )"), ElementsAre("two", "four"));
  EXPECT_THAT(texts("li:nth-child(-n+2)"), ElementsAre("one", "two"));
  EXPECT_THAT(texts("li:nth-last-child(2)"), ElementsAre("four"));
  EXPECT_THAT(texts("p:first-of-type"), ElementsAre("first", "outside"));
  EXPECT_THAT(texts("li:not(.a, .b)"), ElementsAre("four", "five"));
  EXPECT_THAT(texts("li:is(.a):not(:first-child)"), ElementsAre("three"));
  EXPECT_THAT(texts("div > p:only-child"), ElementsAre("outside"));
  EXPECT_EQ(texts("span:empty").size(), 1U);
}

TEST(Selector, RefusesWhatItCannotRead) {
  for (const char* bad : {"", "  ", "p >", "> p", ",p", "p,", "[", "[a", "[a=", "[a='x]", ":hover", ":nth-child(x)", ":not(", ":not()",
                          "p..x", "p#", "a]b", "p:nth-child(1"}) {
    EXPECT_EQ(Selector::parse(bad).has_error(), true) << bad;
  }
  EXPECT_TRUE(Selector::parse(std::string(2000, 'a')).has_error());
  std::string nested = "p";
  for (int i = 0; i < 100; ++i) nested = ":not(" + nested + ")";
  EXPECT_TRUE(Selector::parse(nested).has_error());
}

TEST(Selector, GivesUpWhereMatchingExplodes) {
  std::string page;
  std::string selector = "x";
  for (int i = 0; i < 60; ++i) page += "<div>";
  for (int i = 0; i < 12; ++i) selector = "div " + selector;
  page += "<x>";
  const auto html = HtmlPage::parse("<y>" + page);
  const auto parsed = Selector::parse("y z " + selector);
  EXPECT_EQ(parsed->select(html->root(), 10, 100'000).error().code, "css.limit");
}

TEST(Html, SurvivesHostileMarkup) {
  std::string deep;
  for (int i = 0; i < 1'000'000; ++i) deep += "<i>";
  EXPECT_EQ(HtmlPage::parse(deep, Millis(200)).error().code, "html.limit");
  std::string formatting;
  for (int i = 0; i < 3000; ++i) formatting += "<b id=" + std::to_string(i) + ">";
  for (int i = 0; i < 3000; ++i) formatting += "<p>x";
  const auto page = HtmlPage::parse(formatting, Millis(200));
  EXPECT_TRUE(page.has_value() || page.error().code == "html.limit");
  EXPECT_TRUE(HtmlPage::parse(std::string("\0\xFF<p \0>", 7)).has_value());
  EXPECT_TRUE(HtmlPage::parse("").has_value());
}

}  // namespace
}  // namespace pawl::functions
