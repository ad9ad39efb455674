#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "net/address_policy.hpp"
#include "net/detail/url.hpp"
#include "net/scripted_outbound.hpp"
#include "net/uri.hpp"

namespace pawl::net {
namespace {

using ::testing::ElementsAre;

// ---- addresses ---------------------------------------------------------------------------------------------------

bool is_public_text(const std::string& text) {
  const auto address = IpAddress::parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address && is_public(*address);
}

// proves: S4-O10
TEST(AddressPolicy, KnowsEveryFormOfAnAddressThatIsNotPublic) {
  for (const auto* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "10.255.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.0.9",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.0.2.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "239.1.1.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::127.0.0.1",
                           "::ffff:0:127.0.0.1",
                           "64:ff9b::127.0.0.1",
                           "64:ff9b::a9fe:a9fe",
                           "64:ff9b:1::10.0.0.1",
                           "100::1",
                           "2001::1",
                           "2001:db8::1",
                           "2001:10::1",
                           "2002:7f00:1::",
                           "2002:a00:1::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "3fff::1",
                           "5f00::1"}) {
    EXPECT_FALSE(is_public_text(text)) << text;
  }
}

TEST(AddressPolicy, LetsPublicAddressesThrough) {
  for (const auto* text :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1",
        "193.0.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(is_public_text(text)) << text;
  }
}

TEST(AddressPolicy, MakesExceptionsForNetworksAndNames) {
  AddressPolicy policy;
  for (const auto* entry : {"10.1.0.0/16", "192.168.7.7", "fd00::/8", "intranet.example", "*.corp.example"}) {
    EXPECT_TRUE(policy.allow(entry).has_value()) << entry;
  }
  for (const auto* entry : {"", "10.0.0.0/33", "fd00::/129", "a b", "*", "http://x", "10.0.0.0/x", "*.*"}) {
    EXPECT_TRUE(policy.allow(entry).has_error()) << entry;
  }
  const auto permits = [&](std::string_view host, const char* address) { return policy.permits(host, *IpAddress::parse(address)); };
  EXPECT_TRUE(permits("x", "10.1.2.3"));
  EXPECT_FALSE(permits("x", "10.2.2.3"));
  EXPECT_TRUE(permits("x", "::ffff:10.1.2.3"));
  EXPECT_TRUE(permits("x", "192.168.7.7"));
  EXPECT_FALSE(permits("x", "192.168.7.8"));
  EXPECT_TRUE(permits("x", "fd99::1"));
  EXPECT_TRUE(permits("intranet.example", "127.0.0.1"));
  EXPECT_FALSE(permits("x.intranet.example", "127.0.0.1"));
  EXPECT_TRUE(permits("a.b.corp.example", "10.9.9.9"));
  EXPECT_FALSE(permits("corp.example", "10.9.9.9"));
  EXPECT_FALSE(permits("evilcorp.example", "10.9.9.9"));
  policy.allow_private = true;
  EXPECT_TRUE(permits("x", "127.0.0.1"));
}

TEST(AddressPolicy, ReadsHostMaps) {
  AddressPolicy policy;
  EXPECT_TRUE(policy.map_host("Petstore.swagger.io:443 -> http://127.0.0.1:8080").has_value());
  EXPECT_TRUE(policy.map_host("http://example.org->https://127.0.0.1").has_value());
  EXPECT_THAT(policy.host_map, ElementsAre(std::pair("https://petstore.swagger.io:443", "http://127.0.0.1:8080"),
                                           std::pair("http://example.org:80", "https://127.0.0.1:443")));
  for (const auto* entry : {"", "a", "a -> ", "a:x -> b", "ftp://a -> b", "a/b -> c"})
    EXPECT_TRUE(policy.map_host(entry).has_error()) << entry;
}

TEST(Url, ShowsNumericHostsAsTheAddressesTheyAre) {
  for (const auto* text : {"http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://0x7f.1/"}) {
    const auto url = detail::parse_url(text);
    ASSERT_TRUE(url.has_value()) << text;
    EXPECT_EQ(url->host, "127.0.0.1") << text;
  }
}

TEST(Url, TakesUserAndFragmentOut) {
  const auto url = detail::parse_url("HTTPS://us%40er:p%3Aw@Example.ORG:8443/a b?c=d#frag");
  ASSERT_TRUE(url.has_value());
  EXPECT_EQ(url->text, "https://Example.ORG:8443/a%20b?c=d");
  EXPECT_EQ(url->origin(), "https://example.org:8443");
  EXPECT_EQ(url->user, "us@er");
  EXPECT_EQ(url->password, "p:w");
  EXPECT_EQ(detail::resolve_url(*url, "../x?y")->text, "https://Example.ORG:8443/x?y");
  EXPECT_EQ(detail::resolve_url(*url, "//other/z")->origin(), "https://other:443");
  for (const auto* text : {"", "x", "file:///etc/passwd", "gopher://a/", "ftp://a/", "http://", "http://a b/", "javascript:1"}) {
    EXPECT_FALSE(detail::parse_url(text).has_value()) << text;
  }
  EXPECT_FALSE(detail::resolve_url(*url, "file:///etc/passwd").has_value());
}

// ---- building ----------------------------------------------------------------------------------------------------

TEST(Uri, EncodesEverythingButUnreserved) {
  EXPECT_EQ(percent_encode("a-Z_0.~ /?&=%\xC3\xBC"), "a-Z_0.~%20%2F%3F%26%3D%25%C3%BC");
  EXPECT_EQ(percent_decode("a%20b%2f+"), "a b/+");
  EXPECT_FALSE(percent_decode("%2").has_value());
  EXPECT_FALSE(percent_decode("%zz").has_value());
}

TEST(Uri, AppendsQueriesWhereTheyBelong) {
  EXPECT_EQ(with_query("http://a/x", {}), "http://a/x");
  EXPECT_EQ(with_query("http://a/x", {{"q", "a b"}, {"r", ""}}), "http://a/x?q=a%20b&r=");
  EXPECT_EQ(with_query("http://a/x?z=1#f", {{"q", "1"}}), "http://a/x?z=1&q=1#f");
  EXPECT_EQ(with_query("http://a/x?", {{"q", "1"}}), "http://a/x?q=1");
}

/// The examples of RFC 6570 section 1.2, levels 1 to 3.
TEST(Uri, ExpandsTheTemplatesOfRfc6570) {
  const TemplateLookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "var") return "value";
    if (name == "hello") return "Hello World!";
    if (name == "path") return "/foo/bar";
    if (name == "empty") return "";
    if (name == "x") return "1024";
    if (name == "y") return "768";
    return std::nullopt;
  };
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"{var}", "value"},
           {"{hello}", "Hello%20World%21"},
           {"{+var}", "value"},
           {"{+hello}", "Hello%20World!"},
           {"{+path}/here", "/foo/bar/here"},
           {"here?ref={+path}", "here?ref=/foo/bar"},
           {"X{#var}", "X#value"},
           {"X{#hello}", "X#Hello%20World!"},
           {"map?{x,y}", "map?1024,768"},
           {"{x,hello,y}", "1024,Hello%20World%21,768"},
           {"{+x,hello,y}", "1024,Hello%20World!,768"},
           {"{#x,hello,y}", "#1024,Hello%20World!,768"},
           {"X{.var}", "X.value"},
           {"X{.x,y}", "X.1024.768"},
           {"{/var}", "/value"},
           {"{/var,x}/here", "/value/1024/here"},
           {"{;x,y}", ";x=1024;y=768"},
           {"{;x,y,empty}", ";x=1024;y=768;empty"},
           {"{?x,y}", "?x=1024&y=768"},
           {"{?x,y,empty}", "?x=1024&y=768&empty="},
           {"?fixed=yes{&x}", "?fixed=yes&x=1024"},
           {"{&x,y,empty}", "&x=1024&y=768&empty="},
           {"a{none}b{?none,x}", "ab?x=1024"},
           {"plain", "plain"},
       }) {
    const auto expanded = expand_template(text, lookup);
    ASSERT_TRUE(expanded.has_value()) << text;
    EXPECT_EQ(*expanded, expected) << text;
  }
  for (const auto* text : {"{", "}", "{}", "{a", "{a b}", "{a*}", "{a:3}", "{a,}", "{{a}}", "{?}"}) {
    EXPECT_TRUE(expand_template(text, lookup).has_error()) << text;
  }
  EXPECT_THAT(*template_variables("/{a}/{b}{?a,c}"), ElementsAre("a", "b", "c"));
}

// ---- the scripted twin -------------------------------------------------------------------------------------------

TEST(ScriptedOutbound, AnswersOnlyWhenAsked) {
  ScriptedOutbound outbound;
  outbound.on("", "http://a/*", [](const OutboundRequest&) { return OutboundResponse{.status = 200, .body = "any"}; });
  outbound.on("POST", "http://a/x", [](const OutboundRequest& request) { return OutboundResponse{.status = 201, .body = request.body}; });
  std::vector<std::string> seen;
  const auto note = [&](Result<OutboundResponse> result) {
    seen.push_back(result ? std::to_string(result->status) + result->body : result.error().code);
  };
  outbound.start({.method = "POST", .url = "http://a/x", .body = "!"}, note);
  outbound.start({.url = "http://a/x"}, note);
  outbound.start({.url = "http://b/"}, note);
  outbound.cancel(outbound.start({.url = "http://a/y"}, note));
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(outbound.deliver(), 4U);
  EXPECT_THAT(seen, ElementsAre("201!", "200any", "net.connect", "net.cancelled"));
  EXPECT_EQ(outbound.requests().size(), 4U);
}

}  // namespace
}  // namespace pawl::net
