// The examples of the specification: "Examples: Signature Calculations in AWS Signature Version 4" and "Authenticating Requests: Using
// Query Parameters".
#include "functions/detail/sigv4.hpp"

#include <gmock/gmock.h>

#include "functions/detail/encoding.hpp"

namespace pawl::functions {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const AwsKeys kKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
const AwsScope kScope{"us-east-1", "s3"};
const TimePoint kNow = parse_rfc3339("2013-05-24T00:00:00Z").value();
constexpr const char* kHost = "examplebucket.s3.amazonaws.com";

std::string authorization(const AwsRequest& request, std::string_view body) {
  const auto fields = sign(request, sha256(body), kKeys, kScope, kNow);
  return std::string(*net::find_header(fields, "authorization"));
}

TEST(SigV4, SignsAGetWithARange) {
  const AwsRequest request{.method = "GET", .host = kHost, .path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}};
  EXPECT_EQ(authorization(request, ""),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, SignsAPutWithASpecialCharacterInItsPath) {
  const AwsRequest request{.method = "PUT",
                           .host = kHost,
                           .path = "/test$file.text",
                           .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}};
  EXPECT_THAT(authorization(request, "Welcome to Amazon S3."),
              EndsWith("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SigV4, SignsAParameterWithoutAValue) {
  const AwsRequest request{.method = "GET", .host = kHost, .path = "/", .query = {{"lifecycle", ""}}};
  EXPECT_THAT(authorization(request, ""), EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, SignsSortedParameters) {
  const AwsRequest request{.method = "GET", .host = kHost, .path = "/", .query = {{"prefix", "J"}, {"max-keys", "2"}}};
  EXPECT_THAT(authorization(request, ""), EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4, SignsAnAddress) {
  const AwsRequest request{.method = "GET", .host = kHost, .path = "/test.txt"};
  EXPECT_EQ(presign(request, std::chrono::hours(24), kKeys, kScope, kNow),
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(SigV4, EncodesAllButUnreservedCharacters) {
  EXPECT_EQ(encode_path("/a b/ü=+*~/"), "/a%20b/%C3%BC%3D%2B%2A~/");
  EXPECT_EQ(encode_query({{"b", "x/y"}, {"a", ""}, {"a-", "1"}}), "a=&a-=1&b=x%2Fy");
}

TEST(SigV4, TemporaryCredentialsSignTheirToken) {
  AwsKeys keys = kKeys;
  keys.session_token = "token";
  const auto fields = sign({.method = "GET", .host = kHost, .path = "/"}, sha256(""), keys, kScope, kNow);
  EXPECT_EQ(net::find_header(fields, "x-amz-security-token"), "token");
  EXPECT_THAT(std::string(*net::find_header(fields, "authorization")), HasSubstr("x-amz-date;x-amz-security-token,"));
}

}  // namespace
}  // namespace pawl::functions
