#include "web/embedded.hpp"

#include <gmock/gmock.h>

#include <array>

namespace pawl::web {
namespace {

constexpr std::array<EmbeddedFile, 2> kFiles{
    EmbeddedFile{"a.js", "text/javascript; charset=utf-8", "t1", "plain text", "zipped", "br", false},
    EmbeddedFile{"assets/b-1a2b3c4d.svg", "image/svg+xml", "t2", "<svg/>", {}, {}, true},
};

http::Request asking(std::string_view encodings, std::string_view tag = {}) {
  http::Request request;
  if (!encodings.empty()) request.headers.add("Accept-Encoding", encodings);
  if (!tag.empty()) request.headers.add("If-None-Match", tag);
  return request;
}

TEST(EmbeddedFiles, AreFoundByTheirWholePathOnly) {
  EXPECT_EQ(find(kFiles, "a.js"), &kFiles[0]);
  EXPECT_EQ(find(kFiles, "assets/b-1a2b3c4d.svg"), &kFiles[1]);
  for (const auto* path : {"", "a", "a.j", "assets", "b.js", "zzz"}) EXPECT_EQ(find(kFiles, path), nullptr) << path;
}

TEST(EmbeddedFiles, AreSentInTheSmallestFormThatIsAccepted) {
  struct Case {
    std::string_view accepted, coding, body;
  };
  for (const auto& [accepted, coding, body] :
       {Case{"", "", "plain text"}, Case{"gzip", "gzip", "zipped"}, Case{"gzip, deflate, br", "br", "br"},
        Case{"br;q=0, gzip;q=0.5", "gzip", "zipped"}, Case{"BR", "br", "br"}, Case{"*", "br", "br"}, Case{"*;q=0", "", "plain text"},
        Case{"br;q=0.0,*;q=0", "", "plain text"}, Case{"identity", "", "plain text"}, Case{"brx, xgzip", "", "plain text"}}) {
    const auto response = respond(kFiles[0], asking(accepted));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.get("Content-Encoding"), coding) << accepted;
    EXPECT_EQ(response.body_text(), body) << accepted;
    EXPECT_EQ(response.headers.get("Vary"), "Accept-Encoding");
  }
  EXPECT_EQ(respond(kFiles[1], asking("br, gzip")).body_text(), "<svg/>");
}

TEST(EmbeddedFiles, AreNotSentAgainToWhoHasThem) {
  for (const auto* encodings : {"", "gzip", "br"}) {
    const auto tag = std::string(respond(kFiles[0], asking(encodings)).headers.get("ETag"));
    for (const auto& list : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
      const auto response = respond(kFiles[0], asking(encodings, list));
      EXPECT_EQ(response.status, 304) << list;
      EXPECT_EQ(response.body_text(), "");
      EXPECT_EQ(response.headers.get("ETag"), tag);
    }
    EXPECT_EQ(respond(kFiles[0], asking(encodings, "\"t9\"")).status, 200);
  }
  // The tag of one coding is not that of another.
  EXPECT_EQ(respond(kFiles[0], asking("br", respond(kFiles[0], asking("gzip")).headers.get("ETag"))).status, 200);
}

TEST(EmbeddedFiles, MayBeKeptForEverOnlyUnderANameThatSaysTheContent) {
  EXPECT_EQ(respond(kFiles[0], asking("")).headers.get("Cache-Control"), "no-cache");
  EXPECT_THAT(std::string(respond(kFiles[1], asking("")).headers.get("Cache-Control")), testing::HasSubstr("immutable"));
}

}  // namespace
}  // namespace pawl::web
