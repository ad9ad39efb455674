#include "net/trusted_proxies.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pawl::net {
namespace {

struct Case {
  const char* why;
  const char* peer;
  ForwardedFields fields;
  const char* client;
  bool https = false;
};

void expect(const std::vector<std::string>& trusted, std::span<const Case> cases) {
  const auto proxies = TrustedProxies::parse(trusted);
  ASSERT_TRUE(proxies.has_value());
  for (const auto& one : cases) {
    const auto client = proxies->client_of(IpAddress::parse(one.peer).value(), false, one.fields);
    EXPECT_EQ(client.address.to_string(), one.client) << one.why;
    EXPECT_EQ(client.https, one.https) << one.why;
  }
}

TEST(TrustedProxies, P3_BelievesNobodyWithoutConfiguration) {
  const Case cases[] = {
      {"loopback is not special", "127.0.0.1", {.x_forwarded_for = "203.0.113.7"}, "127.0.0.1"},
      {"the scheme neither", "127.0.0.1", {.x_forwarded_proto = "https"}, "127.0.0.1"},
      {"nor the standard field", "10.0.0.1", {.forwarded = "for=203.0.113.7;proto=https"}, "10.0.0.1"},
  };
  expect({}, cases);
}

TEST(TrustedProxies, P3_TakesTheFirstAddressThatIsNoTrustedProxySeenFromTheServer) {
  const Case cases[] = {
      {"no fields: the peer", "10.0.0.1", {}, "10.0.0.1"},
      {"one proxy", "10.0.0.1", {.x_forwarded_for = "203.0.113.7"}, "203.0.113.7"},
      {"two proxies", "10.0.0.1", {.x_forwarded_for = "203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
      {"what a client wrote stands in front and is not believed", "10.0.0.1", {.x_forwarded_for = "1.1.1.1, 203.0.113.7"}, "203.0.113.7"},
      {"nor through two proxies", "10.0.0.1", {.x_forwarded_for = "1.1.1.1,203.0.113.7,10.0.0.2"}, "203.0.113.7"},
      {"nor when it claims a proxy", "10.0.0.1", {.x_forwarded_for = "1.1.1.1, 10.0.0.9, 203.0.113.7"}, "203.0.113.7"},
      {"an untrusted proxy's word ends the chain", "10.0.0.1", {.x_forwarded_for = "203.0.113.7, 192.0.2.50"}, "192.0.2.50"},
      {"all of them trusted: the farthest", "10.0.0.1", {.x_forwarded_for = "10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
      {"an untrusted peer's fields are ignored", "203.0.113.9", {.x_forwarded_for = "1.1.1.1"}, "203.0.113.9"},
      {"all of them", "203.0.113.9", {"1.1.1.1", "https", "for=1.1.1.1;proto=https"}, "203.0.113.9"},
      {"IPv6", "fd00::1", {.x_forwarded_for = "2001:db8::7"}, "2001:db8::7"},
      {"an IPv4 peer in IPv6 form", "::ffff:10.0.0.1", {.x_forwarded_for = "203.0.113.7"}, "203.0.113.7"},
      {"ports", "10.0.0.1", {.x_forwarded_for = "203.0.113.7:4711"}, "203.0.113.7"},
      {"IPv6 with a port", "10.0.0.1", {.x_forwarded_for = "[2001:db8::7]:4711"}, "2001:db8::7"},
  };
  expect({"10.0.0.0/8", "fd00::/8"}, cases);
}

TEST(TrustedProxies, EndsTheChainAtWhatItCannotRead) {
  std::string many = "203.0.113.7";
  for (int i = 0; i < 100; ++i) many += ", 10.0.0.2";
  const Case cases[] = {
      {"a name", "10.0.0.1", {.x_forwarded_for = "localhost"}, "10.0.0.1"},
      {"unknown", "10.0.0.1", {.x_forwarded_for = "203.0.113.7, unknown"}, "10.0.0.1"},
      {"malformed before the client does not matter", "10.0.0.1", {.x_forwarded_for = "<script>, 203.0.113.7"}, "203.0.113.7"},
      {"malformed in the middle", "10.0.0.1", {.x_forwarded_for = "203.0.113.7, x, 10.0.0.2"}, "10.0.0.2"},
      {"empty entries", "10.0.0.1", {.x_forwarded_for = "203.0.113.7,,"}, "10.0.0.1"},
      {"leading zeros are no address", "10.0.0.1", {.x_forwarded_for = "0203.0.113.7"}, "10.0.0.1"},
      {"a bad port", "10.0.0.1", {.x_forwarded_for = "203.0.113.7:port"}, "10.0.0.1"},
      {"an open bracket", "10.0.0.1", {.x_forwarded_for = "[2001:db8::7"}, "10.0.0.1"},
      {"a zone", "10.0.0.1", {.x_forwarded_for = "fe80::1%eth0"}, "10.0.0.1"},
      {"more hops than anybody has", "10.0.0.1", {.x_forwarded_for = many}, "10.0.0.1"},
      {"an open quote", "10.0.0.1", {.forwarded = "for=\"203.0.113.7"}, "10.0.0.1"},
      {"no pair", "10.0.0.1", {.forwarded = "203.0.113.7"}, "10.0.0.1"},
      {"hidden", "10.0.0.1", {.forwarded = "for=_secret;proto=https"}, "10.0.0.1"},
      {"unquoted IPv6 without brackets", "10.0.0.1", {.forwarded = "for=\"[not:an:address]\""}, "10.0.0.1"},
  };
  expect({"10.0.0.0/8"}, cases);
}

TEST(TrustedProxies, ReadsTheStandardFieldAndTheScheme) {
  const Case cases[] = {
      {"RFC 7239", "10.0.0.1", {.forwarded = "for=203.0.113.7;proto=https;by=10.0.0.1"}, "203.0.113.7", true},
      {"names without regard to case", "10.0.0.1", {.forwarded = "Proto=HTTPS; For=203.0.113.7"}, "203.0.113.7", true},
      {"quoted, with a port", "10.0.0.1", {.forwarded = "for=\"[2001:db8::7]:4711\""}, "2001:db8::7"},
      {"quoted commas do not split", "10.0.0.1", {.forwarded = "for=1.1.1.1, for=203.0.113.7;host=\"a,b;c\""}, "203.0.113.7"},
      {"two hops", "10.0.0.1", {.forwarded = "for=203.0.113.7;proto=https, for=10.0.0.2;proto=http"}, "203.0.113.7", true},
      {"spoofed in front", "10.0.0.1", {.forwarded = "for=1.1.1.1;proto=https, for=203.0.113.7;proto=http"}, "203.0.113.7", false},
      {"one scheme is the client's", "10.0.0.1", {"203.0.113.7, 10.0.0.2", "https", ""}, "203.0.113.7", true},
      {"schemes in order", "10.0.0.1", {"1.1.1.1, 203.0.113.7", "http, https", ""}, "203.0.113.7", true},
      {"schemes in order, the client's is http", "10.0.0.1", {"203.0.113.7, 10.0.0.2", "http, https", ""}, "203.0.113.7", false},
      {"a scheme alone", "10.0.0.1", {.x_forwarded_proto = "https"}, "10.0.0.1", true},
      {"another word is no scheme", "10.0.0.1", {"203.0.113.7", "ftp", ""}, "203.0.113.7", false},
      {"both kinds agree", "10.0.0.1", {"203.0.113.7", "https", "for=203.0.113.7;proto=https"}, "203.0.113.7", true},
      {"both kinds, one of them the client's own", "10.0.0.1", {"203.0.113.7", "", "for=1.1.1.1"}, "10.0.0.1"},
      {"the other way round", "10.0.0.1", {"1.1.1.1", "", "for=203.0.113.7"}, "10.0.0.1"},
  };
  expect({"10.0.0.0/8"}, cases);
}

TEST(TrustedProxies, NamesTheEntryThatIsNoNetwork) {
  for (const std::string entry : {"", "proxy.example.org", "10.0.0.0/33", "10.0.0/8"}) {
    const auto proxies = TrustedProxies::parse(std::vector{entry});
    ASSERT_TRUE(proxies.has_error()) << entry;
    EXPECT_EQ(proxies.error().code, "net.invalid_proxy");
  }
}

}  // namespace
}  // namespace pawl::net
