#include "net/redis.hpp"

#include <gmock/gmock.h>

#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/testing/redis_server.hpp"

namespace pawl::net {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RedisServer;
using testing::SilentServer;

Result<RedisReply> ask(RedisClient& redis, std::vector<std::string> command) {
  auto promise = std::make_shared<std::promise<Result<RedisReply>>>();
  auto answer = promise->get_future();
  redis.command(std::move(command), [promise](Result<RedisReply> reply) { promise->set_value(std::move(reply)); });
  return answer.get();
}

Result<RedisReply> ask(RedisClient& redis, RedisScript script, std::vector<std::string> keys, std::vector<std::string> arguments) {
  auto promise = std::make_shared<std::promise<Result<RedisReply>>>();
  auto answer = promise->get_future();
  redis.eval(script, std::move(keys), std::move(arguments), [promise](Result<RedisReply> reply) { promise->set_value(std::move(reply)); });
  return answer.get();
}

std::string text_of(const Result<RedisReply>& reply) { return reply.has_value() ? reply->text : reply.error().code; }

/// What a client reports, from any thread.
struct Reports {
  std::mutex mutex;
  std::vector<std::string> lines;
  std::function<void(bool, const std::string&)> sink() {
    return [this](bool connected, const std::string& sentence) {
      const std::lock_guard lock(mutex);
      lines.push_back((connected ? "+ " : "- ") + sentence);
    };
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return lines;
  }
};

RedisOptions quick() { return {.connect_timeout = 1s, .command_timeout = 1s, .min_backoff = 5ms, .max_backoff = 50ms}; }

// ---- the address -------------------------------------------------------------------------------------------------

TEST(RedisAddress, ReadsUrls) {
  struct Case {
    const char* url;
    const char* host;
    int port;
    const char* user;
    const char* password;
    unsigned database;
  };
  for (const auto& one :
       {Case{"redis://localhost", "localhost", 6379, "", "", 0}, Case{"redis://10.0.0.1:6380/3", "10.0.0.1", 6380, "", "", 3},
        Case{"redis://:s%40cret@redis/", "redis", 6379, "", "s@cret", 0}, Case{"redis://pawl:a:b@redis:1/2", "redis", 1, "pawl", "a:b", 2},
        Case{"redis://[::1]:6380", "::1", 6380, "", "", 0}, Case{"redis://[::1]/1", "::1", 6379, "", "", 1}}) {
    const auto address = RedisAddress::parse(one.url);
    ASSERT_TRUE(address.has_value()) << one.url;
    EXPECT_EQ(address->host, one.host);
    EXPECT_EQ(address->port, one.port);
    EXPECT_EQ(address->user, one.user);
    EXPECT_EQ(address->password, one.password);
    EXPECT_EQ(address->database, one.database);
    EXPECT_THAT(address->to_string(), Not(HasSubstr("@")));
  }
}

TEST(RedisAddress, TlsIsAskedForByTheScheme) {
  const auto address = RedisAddress::parse("rediss://:secret@cache.example.org:6380/1");
  ASSERT_TRUE(address.has_value());
  EXPECT_TRUE(address->tls);
  EXPECT_EQ(address->to_string(), "rediss://cache.example.org:6380/1");
  EXPECT_FALSE(RedisAddress::parse("redis://cache.example.org")->tls);
}

TEST(RedisAddress, RefusesOtherUrlsWithoutRepeatingThem) {
  for (const std::string url : {"", "localhost:6379", "redisss://:topsecret@host", "rediss://", "redis://", "redis://:topsecret@:6379",
                                "redis://host:0", "redis://host:70000", "redis://host:port", "redis://host/db", "redis://topsecret@host",
                                "redis://[::1", "redis://:%zz@host", "redis://host?x"}) {
    const auto address = RedisAddress::parse(url);
    ASSERT_TRUE(address.has_error()) << url;
    EXPECT_EQ(address.error().code, "redis.invalid_url");
    EXPECT_THAT(address.error().message, Not(HasSubstr("topsecret")));
  }
}

// ---- against a real server -----------------------------------------------------------------------------------------

TEST(Redis, RunsCommandsInOrderFromManyThreads) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  RedisClient redis(server.address(), quick());
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  EXPECT_EQ(text_of(ask(redis, {"SET", "a", std::string("\0\r\nbinary", 9)})), "OK");
  EXPECT_EQ(text_of(ask(redis, {"GET", "a"})), std::string("\0\r\nbinary", 9));
  EXPECT_EQ(ask(redis, {"GET", "nothing"})->type, RedisReply::Type::nil);
  EXPECT_EQ(text_of(ask(redis, {"NOSUCH"})), "redis.refused");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) EXPECT_TRUE(ask(redis, {"INCR", "count"}).has_value());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(text_of(ask(redis, {"GET", "count"})), "1000");
  const auto list = ask(redis, {"MGET", "a", "nothing", "count"});
  ASSERT_EQ(list->elements.size(), 3U);
  EXPECT_EQ(list->elements[2].text, "1000");
  EXPECT_EQ(redis.snapshot().pending, 0U);
}

TEST(Redis, KnowsThePasswordAndTheDatabase) {
  RedisServer server("a pass");
  PAWL_NEEDS_REDIS(server);
  auto address = server.address();
  address.database = 2;
  RedisClient redis(address, quick());
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  EXPECT_EQ(text_of(ask(redis, {"SET", "a", "1"})), "OK");
  EXPECT_THAT(text_of(ask(redis, {"INFO", "keyspace"})), HasSubstr("db2:keys=1"));
}

TEST(Redis, SaysThatThePasswordIsWrongWithoutSayingIt) {
  RedisServer server("right");
  PAWL_NEEDS_REDIS(server);
  auto address = server.address();
  address.password = "topsecret";
  Reports reports;
  auto options = quick();
  options.report = reports.sink();
  RedisClient redis(address, options);
  ASSERT_TRUE(eventually([&] { return redis.snapshot().problem.find("password") != std::string::npos; })) << redis.snapshot().problem;
  EXPECT_FALSE(redis.connected());
  const auto refused = ask(redis, {"GET", "a"});
  EXPECT_EQ(text_of(refused), "redis.unavailable");
  for (const auto& line : reports.all()) EXPECT_THAT(line, Not(HasSubstr("topsecret")));
  EXPECT_THAT(redis.snapshot().problem, Not(HasSubstr("topsecret")));
  EXPECT_EQ(reports.all().size(), 1U) << "reported once, not at every attempt";
}

TEST(Redis, RunsScriptsByHashAndByTextWhereTheServerHasForgottenThem) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  RedisClient redis(server.address(), quick());
  const auto script = redis.add_script("return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}");
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  for (int run = 1; run <= 3; ++run) {
    const auto reply = ask(redis, script, {"k"}, {"x"});
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->elements[0].text, "k");
    EXPECT_EQ(reply->elements[1].text, "x");
    EXPECT_EQ(reply->elements[2].integer, run);
    EXPECT_TRUE(ask(redis, {"SCRIPT", "FLUSH"}).has_value());
  }
  EXPECT_THAT(text_of(ask(redis, {"INFO", "commandstats"})), HasSubstr("cmdstat_evalsha"));
}

TEST(Redis, SpeaksTlsAndTrustsTheCertificateOfTheHostOnly) {
  std::string folder = (std::filesystem::temp_directory_path() / "pawl-redis-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const testing::Certificate certificate(folder);
  ASSERT_TRUE(certificate.made) << "openssl is needed";
  RedisServer server(certificate);
  PAWL_NEEDS_REDIS(server);
  auto address = server.address();
  address.tls = true;
  address.host = "localhost";
  auto options = quick();
  options.ca_file = certificate.certificate;
  {
    RedisClient redis(address, options);
    ASSERT_TRUE(eventually([&] { return redis.connected(); })) << redis.snapshot().problem;
    const std::string large(300'000, 'x');
    EXPECT_EQ(text_of(ask(redis, {"SET", "a", large})), "OK");
    EXPECT_EQ(text_of(ask(redis, {"GET", "a"})), large);
    std::atomic<int> heard{0};
    std::atomic<int> in_force{0};
    redis.on_resubscribed([&] { ++in_force; });
    redis.subscribe("news", [&](std::string_view) { ++heard; });
    ASSERT_TRUE(eventually([&] { return in_force == 1; }));
    EXPECT_TRUE(ask(redis, {"PUBLISH", "news", "x"}).has_value());
    EXPECT_TRUE(eventually([&] { return heard == 1; }));
    server.kill();
    EXPECT_TRUE(eventually([&] { return !redis.connected(); }));
    server.start();
    EXPECT_TRUE(eventually([&] { return redis.connected(); }));
  }
  const auto refused = [&](const RedisAddress& to, const RedisOptions& with) {
    RedisClient redis(to, with);
    return eventually([&] { return redis.snapshot().problem.find("TLS") != std::string::npos; }) && !redis.connected();
  };
  EXPECT_TRUE(refused(address, quick())) << "nobody whom the system trusts has signed it";
  auto other = address;
  other.host = "127.0.0.1";
  EXPECT_TRUE(refused(other, options)) << "it is the certificate of another host";
  options.ca_file = folder + "/none.pem";
  EXPECT_TRUE(refused(address, options));
  std::filesystem::remove_all(folder);
}

TEST(Redis, ComesBackByItselfWhenTheServerDoes) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Reports reports;
  auto options = quick();
  options.report = reports.sink();
  RedisClient redis(server.address(), options);
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  for (std::size_t round = 1; round <= 2; ++round) {
    server.kill();
    ASSERT_TRUE(eventually([&] { return !redis.connected(); }));
    EXPECT_GE(redis.snapshot().failures, 2 * round - 1) << "though nobody has asked for anything";
    EXPECT_EQ(text_of(ask(redis, {"PING"})), "redis.unavailable");
    server.start();
    ASSERT_TRUE(eventually([&] { return redis.connected(); }));
    EXPECT_EQ(text_of(ask(redis, {"PING"})), "PONG");
    EXPECT_EQ(redis.snapshot().reconnects, round);
  }
  const auto lines = reports.all();
  ASSERT_GE(lines.size(), 4U);
  EXPECT_THAT(lines[lines.size() - 2], HasSubstr("is not available"));
  EXPECT_THAT(lines.back(), HasSubstr("is back"));
}

// proves: S4-M2
TEST(Redis, TreatsAServerThatStallsAsGone) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  auto options = quick();
  options.command_timeout = 100ms;
  options.connect_timeout = 500ms;
  RedisClient redis(server.address(), options);
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  server.stall();
  EXPECT_EQ(text_of(ask(redis, {"PING"})), "redis.timeout");
  EXPECT_FALSE(redis.connected());
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(ask(redis, {"PING"})), "redis.unavailable");
  EXPECT_LT(std::chrono::steady_clock::now() - before, 90ms) << "nobody waits for a server that is gone";
  server.go_on();
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  EXPECT_EQ(text_of(ask(redis, {"PING"})), "PONG");
}

TEST(Redis, DropsAConnectionThatSendsMoreThanAnAnswerMayHave) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  auto options = quick();
  options.max_reply_bytes = 100'000;
  RedisClient redis(server.address(), options);
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  EXPECT_EQ(text_of(ask(redis, {"SET", "large", std::string(1'000'000, 'x')})), "OK");
  EXPECT_EQ(text_of(ask(redis, {"GET", "large"})), "redis.too_large");
  ASSERT_TRUE(eventually([&] { return redis.connected(); }));
  EXPECT_EQ(ask(redis, {"STRLEN", "large"})->integer, 1'000'000);
}

TEST(Redis, RefusesCommandsBeyondItsBound) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  auto options = quick();
  options.max_pending = 10;
  options.command_timeout = 5s;
  RedisClient redis(server.address(), options);
  ASSERT_TRUE(eventually([&] { return redis.connected() && redis.snapshot().pending == 0; }));
  server.stall();
  std::atomic<int> overloaded{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < 30; ++i) {
    redis.command({"PING"}, [&](const Result<RedisReply>& reply) { ++(text_of(reply) == "redis.overloaded" ? overloaded : answered); });
  }
  ASSERT_TRUE(eventually([&] { return overloaded == 20; }));
  server.go_on();
  ASSERT_TRUE(eventually([&] { return answered == 10; }));
}

TEST(Redis, SubscribesAgainAfterAReconnect) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  RedisClient listener(server.address(), quick());
  RedisClient speaker(server.address(), quick());
  std::mutex mutex;
  std::vector<std::string> heard;
  std::atomic<int> resubscribed{0};
  listener.on_resubscribed([&] { ++resubscribed; });
  for (const std::string channel : {"one", "two"}) {
    listener.subscribe(channel, [&, channel](std::string_view payload) {
      const std::lock_guard lock(mutex);
      heard.push_back(channel + " " + std::string(payload));
    });
  }
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return heard.size();
  };
  ASSERT_TRUE(eventually([&] { return speaker.connected() && listener.snapshot().subscribed && resubscribed > 0; }));
  EXPECT_EQ(ask(speaker, {"PUBLISH", "one", "a"})->integer, 1);
  EXPECT_EQ(ask(speaker, {"PUBLISH", "two", "b"})->integer, 1);
  ASSERT_TRUE(eventually([&] { return count() == 2; }));
  const int before = resubscribed;
  server.kill();
  ASSERT_TRUE(eventually([&] { return !listener.snapshot().subscribed; }));
  server.start();
  ASSERT_TRUE(eventually([&] { return speaker.connected() && listener.snapshot().subscribed && resubscribed > before; }));
  EXPECT_EQ(ask(speaker, {"PUBLISH", "two", "c"})->integer, 1);
  ASSERT_TRUE(eventually([&] { return count() == 3; }));
  EXPECT_THAT(heard, ElementsAre("one a", "two b", "two c"));
}

// ---- servers that lie ------------------------------------------------------------------------------------------------

TEST(Redis, IsNotConnectedBeforeTheServerHasAnswered) {
  SilentServer server;
  auto options = quick();
  options.connect_timeout = 50ms;
  RedisClient redis({.port = server.port()}, options);
  ASSERT_TRUE(eventually([&] { return redis.snapshot().problem.find("in time") != std::string::npos; }));
  EXPECT_FALSE(redis.connected());
}

TEST(Redis, SurvivesAServerThatDoesNotSpeakItsProtocol) {
  for (const std::string answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", "+PONG\r\n+and\r\n+more\r\n", "*2147483647\r\n", "$-7\r\n"}) {
    SilentServer server;
    std::thread speaker([&] {
      const int connection = ::accept4(server.socket(), nullptr, nullptr, SOCK_CLOEXEC);
      std::array<char, 100> request{};
      EXPECT_GT(::recv(connection, request.data(), request.size(), 0), 0);
      EXPECT_GT(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), 0);
      ::recv(connection, request.data(), request.size(), 0);  // until the client is gone
      ::close(connection);
    });
    auto options = quick();
    options.connect_timeout = 300ms;
    Reports reports;
    options.report = reports.sink();
    RedisClient redis({.port = server.port()}, options);
    EXPECT_TRUE(eventually([&] { return !reports.all().empty(); })) << answer;
    speaker.join();
  }
}

TEST(Redis, AnswersEveryCommandWhenItEnds) {
  SilentServer server;
  std::atomic<int> answered{0};
  {
    RedisClient redis({.port = server.port()}, quick());
    for (int i = 0; i < 100; ++i) {
      redis.command({"PING"}, [&](const Result<RedisReply>& reply) {
        EXPECT_EQ(text_of(reply), "redis.unavailable");
        ++answered;
      });
    }
  }
  EXPECT_EQ(answered, 100);
}

TEST(Redis, AnswersAtOnceAfterItsEnd) {
  SilentServer server;
  RedisClient redis({.port = server.port()}, quick());
  redis.stop();
  redis.stop();
  EXPECT_FALSE(redis.connected());
  std::string code;
  redis.command({"PING"}, [&](const Result<RedisReply>& reply) { code = text_of(reply); });
  EXPECT_EQ(code, "redis.unavailable");
}

}  // namespace
}  // namespace pawl::net
