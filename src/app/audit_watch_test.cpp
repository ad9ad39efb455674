#include "app/audit_watch.hpp"

#include <gmock/gmock.h>

#include "audit/testing/chain.hpp"

namespace pawl::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class AuditWatchTest : public audit::testing::Chain {
 protected:
  std::vector<std::pair<std::string, std::string>> looked() {
    std::vector<std::pair<std::string, std::string>> told;
    look_at_trail(*database, *log, [&](std::string_view outcome, std::string_view detail) { told.emplace_back(outcome, detail); });
    return told;
  }
};

TEST_F(AuditWatchTest, S4_D4_SaysWhetherTheTrailIsWholeAndWhereItIsNot) {
  for (int i = 0; i < 3; ++i) add(record("thing.done"));
  EXPECT_THAT(looked(), ElementsAre(Pair("ok", IsEmpty())));
  const auto written = database->write_and_wait([](storage::Transaction& transaction) {
    return transaction.execute_script("update audit_records set action = 'thing.undone' where seq = 2");
  });
  ASSERT_TRUE(written.has_value());
  EXPECT_THAT(looked(), ElementsAre(Pair("broken", HasSubstr("record 2"))));
}

}  // namespace
}  // namespace pawl::app
