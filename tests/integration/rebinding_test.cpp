// Names that mean a good address when they are looked at and the inside when they are connected to: with every function that connects.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <string>

#include "functions/detail/fd.hpp"
#include "functions/testing/bench.hpp"
#include "functions/testing/loopback.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/curl_outbound.hpp"

namespace {

constexpr const char* kName = "rebinding.test";
constexpr const char* kGood = "127.0.0.1";
constexpr const char* kInside = "127.0.0.2";
std::atomic<int> asked = 0;

}  // namespace

/// Stands in front of the C library's, for all libraries of the process: the program exports its symbols. The first answer for `kName` is
/// the good address, each further one the other.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::strcmp(node, kName) != 0) return real(node, service, hints, result);
  return real(asked++ == 0 ? kGood : kInside, service, hints, result);
}

namespace pawl::functions {
namespace {

/// Listens on the address of the inside, at the port of the good place. The kernel accepts; who came is counted afterwards.
class Inside {
 public:
  explicit Inside(const std::string& port) : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    inet_pton(AF_INET, kInside, &address.sin_addr);
    listens = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listener_.get(), 64) == 0;
  }
  [[nodiscard]] int visits() const {
    int found = 0;
    while (Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)).get() >= 0) ++found;
    return found;
  }
  bool listens = false;

 private:
  Fd listener_;
};

struct Aimed {
  const char* function;
  const char* arguments;  // HOST, PORT
};

constexpr Aimed kAimed[] = {
    {"http", R"({"method": "get", "endpoint": "http://HOST:PORT/"})"},
    {"http-task", R"({"url": "http://HOST:PORT/"})"},
    {"openapi", R"({"document": {"endpoint": "http://HOST:PORT/"}, "operationId": "a"})"},
    {"web-scraper", R"({"url": "http://HOST:PORT/", "selectors": {"a": "a"}})"},
    {"slack", R"({"webhook_url": "http://HOST:PORT/hook", "message": "x"})"},
    {"s3", R"({"operation": "get", "bucket": "bucket", "key": "k", "local_path": "k", "endpoint": "http://HOST:PORT", "path_style": true,
               "access_key_id": "a", "secret_access_key": "b"})"},
    {"sql-query", R"({"query": "select 1", "connection_string": "postgresql://u:p@HOST:PORT/d?sslmode=disable"})"},
    {"database-backup",
     R"({"target": "d.dump", "connection": {"host": "HOST", "port": PORT, "database": "d", "username": "u", "password": "p"}})"},
    {"send-email",
     R"({"smtp_host": "HOST", "smtp_port": PORT, "security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x", "timeout": 0.5})"},
    {"email-summarizer", R"({"imap": {"host": "HOST", "port": PORT, "security": "none", "timeout": 0.5}})"},
    {"git", R"({"operation": "clone", "repo_path": "to", "remote_url": "https://HOST:PORT/x"})"},
    {"run.script", R"({"language": "python", "source": {"endpoint": "http://HOST:PORT/"}})"},
};

// proves: F3, S4-O10
TEST(Rebinding, F3_EveryFunctionConnectsToTheAddressThatWasLookedAt) {
  const Loopback good("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
  const Inside inside(good.port());
  ASSERT_TRUE(inside.listens);
  net::CurlOptions options;
  ASSERT_TRUE(options.policy.allow(kGood).has_value());
  net::AddressPolicy policy;
  ASSERT_TRUE(policy.allow(kGood).has_value());
  for (const auto& [function, given] : kAimed) {
    // A client of its own for each, which remembers no address; and the same one twice, which may.
    net::CurlOutbound outbound(options);
    Bench bench(outbound, {}, &policy);
    std::string arguments = given;
    for (const auto& [word, value] : {std::pair<std::string, std::string>{"HOST", kName}, {"PORT", good.port()}})
      for (auto at = arguments.find(word); at != std::string::npos; at = arguments.find(word, at + value.size()))
        arguments.replace(at, word.size(), value);
    asked = 0;
    const int before = good.connections();
    const auto first = bench.call(function, arguments);
    EXPECT_GT(asked.load(), 0) << function << ": the name is not resolved here: " << json::to_text(first.error);
    EXPECT_GT(good.connections(), before) << function << ": it does not connect, so this says nothing: " << json::to_text(first.error);
    const auto second = bench.call(function, arguments);
    EXPECT_FALSE(second.ok()) << function;
    EXPECT_EQ(inside.visits(), 0) << function << ": " << json::to_text(first.error) << json::to_text(second.error);
  }
}

}  // namespace
}  // namespace pawl::functions
