// The committed pages are those of the program.
#include "functions/reference.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "functions/mcp_servers.hpp"
#include "functions/testing/bench.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

class Reference : public testing::Test {
 protected:
  Reference() {
    const auto added = add_mcp_functions(bench_.registry, {outbound_, pool_, clock_, random_}, {}, {});
    EXPECT_TRUE(added.has_value());
  }
  ~Reference() override { pool_.stop(); }
  static std::string committed(const std::string& name) {
    std::ifstream file(std::string(std::getenv("PAWL_SOURCE_DIR")) + "/docs/functions/" + name + ".md");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// The index without the functions of other modules.
  static std::string without(std::string index, const std::string& function) {
    const auto begin = index.find("| [" + function + "](");
    return begin == std::string::npos ? index : index.erase(begin, index.find('\n', begin) + 1 - begin);
  }
  net::ScriptedOutbound outbound_;
  async::BlockingPool pool_{"test", 1, 10};
  SystemClock clock_;
  SystemRandom random_;
  Bench bench_{outbound_};
};

TEST_F(Reference, F1_TheCommittedPagesAreThoseOfTheProgram) {
  if (std::getenv("PAWL_SOURCE_DIR") == nullptr) GTEST_SKIP() << "PAWL_SOURCE_DIR is not set";
  for (const engine::Function* function : bench_.registry.all()) {
    EXPECT_EQ(committed(function->info().name), reference_page(*function)) << "run `pawl functions docs docs/functions`";
  }
  auto index = committed("README");
  for (const char* elsewhere : {"llm", "memory-read", "memory-write"}) index = without(std::move(index), elsewhere);
  EXPECT_EQ(index, reference_index(bench_.registry)) << "run `pawl functions docs docs/functions`";
}

TEST_F(Reference, APageNamesParametersReachAndExamples) {
  const std::string page = reference_page(*bench_.registry.get("sql-query"));
  for (const char* part :
       {"# sql-query", "| `query` | string | yes |", "| `connection.port` | integer |", "at most 65535", "call: sql-query",
        "opens the database what `connection_string` names", "some calls: without `allow_destructive: true`"}) {
    EXPECT_THAT(page, testing::HasSubstr(part));
  }
}

}  // namespace
}  // namespace pawl::functions
