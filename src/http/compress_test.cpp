#include "http/detail/compress.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace pawl::http {
namespace {

using detail::accepts_gzip;
using detail::compress;

std::string unpacked(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1U << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

Response list(std::size_t bytes) {
  std::string text = R"({"items":[)";
  while (text.size() + 3 < bytes) text += "1,";
  return Response::json(200, text + "0]}");
}

TEST(Compression, IsNegotiated) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("br, GZIP;q=0.5, *;q=0"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_TRUE(accepts_gzip("deflate, *;q=0.1"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("br, deflate"));
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("gzip; q=0.000, *"));
  EXPECT_FALSE(accepts_gzip("identity, *;q=0"));
}

TEST(Compression, GivesBackTheSameBytesAndSaysSo) {
  auto response = list(20'000);
  response.headers.add("ETag", "\"abc\"");
  const auto before = response.body_text();
  compress(response, true);
  EXPECT_EQ(response.headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(response.headers.get("ETag"), "\"abc-gzip\"");
  EXPECT_LT(response.body_text().size(), before.size() / 10);
  EXPECT_EQ(unpacked(response.body_text()), before);
}

TEST(Compression, LeavesAloneWhatIsSmallPackedAlreadyOrNoText) {
  auto small = list(1000);
  compress(small, false);
  EXPECT_FALSE(small.headers.contains("Content-Encoding"));

  auto packed = list(5000);
  packed.headers.add("Content-Encoding", "br");
  compress(packed, false);
  EXPECT_EQ(packed.headers.get("Content-Encoding"), "br");

  Response picture(200, "image/png", std::string(5000, 'a'));
  compress(picture, false);
  EXPECT_FALSE(picture.headers.contains("Content-Encoding"));

  Response events(200, "text/event-stream", std::string(5000, 'a'));
  compress(events, false);
  EXPECT_FALSE(events.headers.contains("Content-Encoding"));
}

TEST(Compression, OfALargeBodyDoesNotHoldAnIoThread) {
  auto large = list(200'000);
  compress(large, true);
  EXPECT_FALSE(large.headers.contains("Content-Encoding"));
  compress(large, false);
  EXPECT_EQ(large.headers.get("Content-Encoding"), "gzip");
}

}  // namespace
}  // namespace pawl::http
