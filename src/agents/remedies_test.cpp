#include "agents/remedies.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "engine/approval.hpp"
#include "json/write.hpp"
#include "models/testing/bench.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::agents {
namespace {

class RemediesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-remedies-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    database_ = storage::testing::open({.folder = folder_, .synchronous = false}).value();
    ASSERT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    organization_.uuid.bytes[0] = 1;
  }
  void TearDown() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// A run that has asked about a proposal, and was answered: by whom, as the database has it.
  [[nodiscard]] RunId approved(const storage::Parameter& by) {
    const auto run = RunId::make(clock_.now(), random_);
    engine::ApprovalRequest request;
    request.title = "Apply?";
    request.data = json::Value::object({{"proposal_digest", "digest"}});
    const auto asked = json::to_text(engine::to_json(request));
    const auto added = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(
          "insert into approvals (id, organization_id, run_id, number, workflow_id, workflow_name, version, task, title, asked, digest, "
          "status, least_role, exclude_starter, starter_key, created_at, decided_at, decided_by, comment, answer) values ($1, $2, $1, 1, "
          "$1, 'w', 1, '/do/0/ask', 'Apply?', $3, 'd', 'approved', 1, 0, 0, 1, 2, $4, '', '')",
          {run, organization_, asked, by}));
      return {};
    });
    EXPECT_TRUE(added.has_value());
    return run;
  }

  std::string folder_;
  SystemClock clock_;
  SystemRandom random_;
  OrganizationId organization_;
  std::unique_ptr<storage::Database> database_;
};

// proves: A3, S4-H3
TEST_F(RemediesTest, A3_AConsentKnowsTheInstallationsKeyFromSomebodyWhoIsErased) {
  Remedies remedies(*database_, nullptr);
  const auto person = UserId::make(clock_.now(), random_);
  const auto by_key = remedies.consent(organization_, approved(nullptr)).value();
  const auto by_person = remedies.consent(organization_, approved(person)).value();
  const auto by_nobody = remedies.consent(organization_, approved(UserId{})).value();
  ASSERT_TRUE(by_key && by_person && by_nobody);
  EXPECT_EQ(by_key->proposal_digest, "digest");
  EXPECT_TRUE(by_key->by.is_nil() && !by_key->is_erased);
  EXPECT_EQ(actor_of(*by_key).kind, audit::Actor::Kind::administrator);
  EXPECT_TRUE(by_person->by == person && !by_person->is_erased);
  EXPECT_EQ(actor_of(*by_person).user, person);
  EXPECT_TRUE(by_nobody->is_erased);
  EXPECT_EQ(actor_of(*by_nobody).kind, audit::Actor::Kind::anonymous);
  EXPECT_FALSE(remedies.may_write(organization_, by_nobody->by).value());
}

}  // namespace
}  // namespace pawl::agents
