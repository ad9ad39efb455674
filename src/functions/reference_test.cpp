// The committed pages are those of the program.
#include "functions/reference.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "functions/testing/bench.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

class Reference : public testing::Test {
 protected:
  static std::string committed(const std::string& name) {
    std::ifstream file(std::string(std::getenv("PAWL_SOURCE_DIR")) + "/docs/functions/" + name + ".md");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

TEST_F(Reference, F1_TheCommittedPagesAreThoseOfTheProgram) {
  if (std::getenv("PAWL_SOURCE_DIR") == nullptr) GTEST_SKIP() << "PAWL_SOURCE_DIR is not set";
  const std::string folder = std::string(std::getenv("PAWL_SOURCE_DIR")) + "/docs/functions/";
  const bool renew = std::getenv("PAWL_RENEW") != nullptr;  // PAWL_RENEW=1 writes the pages, as `pawl functions docs docs/functions` does
  const auto compare = [&](const std::string& name, const std::string& page) {
    if (renew) std::ofstream(folder + name + ".md") << page;
    EXPECT_EQ(committed(name), page) << "run `pawl functions docs docs/functions`";
  };
  for (const engine::Function* function : bench_.registry.all()) compare(function->info().name, reference_page(*function));
  compare("README", reference_index(bench_.registry));
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
