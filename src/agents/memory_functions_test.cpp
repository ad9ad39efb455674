// What `memory-write` asks about the run before it keeps anything: whose it is, and how old its words may be.
#include "agents/memory_functions.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <future>
#include <map>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/testing/bench.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::agents {
namespace {

using json::Value;

class CountingRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return ++last_; }

 private:
  std::uint64_t last_ = 0;
};

class MemoryFunctionsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-memory-functions-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    database_ = storage::testing::open({.folder = folder_, .synchronous = false}).value();
    ASSERT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    execute("insert into organizations (id, name, slug, created_at, updated_at) values ($1, 'One', 'one', 1, 1)", {organization_});
    execute("insert into users (id, email, email_key, name, password_hash, created_at, updated_at) values ($1, 'b', 'b', 'Bob', '', 1, 1)",
            {bob_});
    memories_ = std::make_unique<Memories>(*database_, clock_, random_);
    add_memory_functions(functions_, {memories_.get(), nullptr, &clock_,
                                      [this](const OrganizationId&, const RunId& run, const engine::Engine::Viewed& done) {
                                        ++asked_;
                                        const auto found = runs_.find(run);
                                        if (found == runs_.end()) return done(missing_);
                                        done(found->second);
                                      }});
  }
  void TearDown() override {
    memories_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  void execute(std::string_view statement, std::initializer_list<storage::Parameter> parameters) {
    const auto done = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(statement, parameters));
      return {};
    });
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  /// Begins now.
  RunId run(Value trigger) {
    clock_.advance(Millis(10));
    engine::RunView view;
    view.id = RunId::make(clock_.now(), random_);
    view.created_at = clock_.now();
    trigger.set("user", bob_.to_string());
    view.trigger = std::move(trigger);
    runs_[view.id] = view;
    return view.id;
  }
  static Value manual() { return Value::object({{"type", "manual"}}); }
  void erase_somebody() {
    clock_.advance(Millis(10));
    execute("update organizations set memories_erased_at = $2 where id = $1", {organization_, clock_.now()});
  }
  engine::Outcome keep(const RunId& run) {
    engine::Invocation call;
    call.organization = organization_;
    call.run = run;
    call.arguments = json::parse(R"({"key": "k", "messages": [{"role": "user", "content": "I am Bob"}]})").value();
    const auto outcome = std::make_shared<std::promise<engine::Outcome>>();
    static_cast<void>(
        functions_.get("memory-write")->start(std::move(call), [outcome](engine::Outcome told) { outcome->set_value(std::move(told)); }));
    return outcome->get_future().get();
  }
  bool is_kept(const RunId& run) {
    const auto outcome = keep(run);
    EXPECT_TRUE(outcome.error.is_null()) << json::to_text(outcome.error);
    const auto there = memories_->find(organization_, "", "k").value().has_value();
    EXPECT_EQ(outcome.output.get("kept"), Value(there)) << json::to_text(outcome.output);
    if (there) execute("delete from agent_memories", {});
    return there;
  }

  std::filesystem::path folder_;
  models::TestClock clock_;
  CountingRandom random_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Memories> memories_;
  engine::FunctionRegistry functions_;
  std::map<RunId, engine::RunView> runs_;
  Error missing_{ErrorClass::not_found, "run.not_found", "There is no such run."};
  int asked_ = 0;
  OrganizationId organization_ = OrganizationId::make(clock_.now(), random_);
  UserId bob_ = UserId::make(clock_.now(), random_);
};

TEST_F(MemoryFunctionsTest, A2_P7_WhatIsKeptIsOfWhoeverStartedTheRunOrIsNotKept) {
  const auto known = run(manual());
  ASSERT_TRUE(keep(known).error.is_null());
  EXPECT_EQ(memories_->find(organization_, "", "k").value()->user, bob_);
  execute("delete from agent_memories", {});
  for (const auto& why : {Error(ErrorClass::not_found, "run.not_found", "There is no such run."),
                          Error(ErrorClass::unavailable, "server.busy", "The server is busy.")}) {
    missing_ = why;
    const auto outcome = keep(RunId::make(clock_.now(), random_));
    EXPECT_THAT(json::to_text(outcome.error), testing::HasSubstr(why.message));
    EXPECT_FALSE(memories_->find(organization_, "", "k").value().has_value()) << "nothing that is nobody's";
  }
}

TEST_F(MemoryFunctionsTest, A2_P7_WordsOfSomebodyWhoIsErasedMeanwhileAreNotKept) {
  const auto before = run(manual());
  EXPECT_TRUE(is_kept(before));
  erase_somebody();
  EXPECT_FALSE(is_kept(before));
  EXPECT_THAT(json::to_text(keep(before).output), testing::HasSubstr("was erased while the run went on"));
  EXPECT_TRUE(is_kept(run(manual()))) << "one that began later";
}

TEST_F(MemoryFunctionsTest, A2_P7_ARunThatSomebodyElseRetriedHoldsTheWordsOfWhoeverStartedIt) {
  const auto ann = UserId::make(clock_.now(), random_);
  execute("insert into users (id, email, email_key, name, password_hash, created_at, updated_at) values ($1, 'a', 'a', 'Ann', '', 1, 1)",
          {ann});
  const auto retried = run(Value::object({{"type", "manual"}, {"retried", true}, {"starters", Value::array({ann.to_string()})}}));
  ASSERT_TRUE(keep(retried).error.is_null());
  EXPECT_EQ(memories_->find(organization_, "", "k").value()->user, bob_);
  std::string authors;
  int people = 0;
  ASSERT_TRUE(database_
                  ->read([&](storage::Session& session) -> Result<void> {
                    PAWL_TRY_VOID(session.query("select authors from agent_memories", {}, [&](const auto& row) { authors = row.text(0); }));
                    return session.query("select user_id from agent_memory_people", {}, [&](const auto&) { ++people; });
                  })
                  .has_value());
  EXPECT_THAT(authors, testing::AllOf(testing::HasSubstr(ann.to_string()), testing::HasSubstr(R"("of":[[0,1]])")));
  EXPECT_EQ(people, 2);
  execute("delete from users where id = $1", {ann});
  EXPECT_THAT(json::to_text(keep(retried).error), testing::HasSubstr("has been erased"));
}

TEST_F(MemoryFunctionsTest, A2_P7_AForkAndACalleeBeganWithTheWordsOfTheRunBefore) {
  const auto first = run(manual());
  const auto second = run(Value::object({{"type", "fork"}, {"run_id", first.to_string()}}));
  erase_somebody();
  const auto fork = run(Value::object({{"type", "fork"}, {"run_id", second.to_string()}}));
  const auto callee = run(Value::object({{"type", "workflow"}, {"run", fork.to_string()}}));
  EXPECT_FALSE(is_kept(fork));
  EXPECT_FALSE(is_kept(callee));
  runs_.erase(first);
  EXPECT_FALSE(is_kept(callee)) << "the first one is not there any more: nobody knows";
  EXPECT_TRUE(is_kept(run(Value::object({{"type", "fork"}, {"run_id", run(manual()).to_string()}}))));
  missing_ = Error(ErrorClass::unavailable, "server.busy", "The server is busy.");
  EXPECT_FALSE(keep(callee).error.is_null());
}

TEST_F(MemoryFunctionsTest, A2_AnEndlessOriginIsNotFollowedForEver) {
  const auto one = run(manual());
  runs_[one].trigger.set("run", one.to_string());
  EXPECT_TRUE(is_kept(one)) << "nobody was erased";
  EXPECT_LT(asked_, 100);
}

}  // namespace
}  // namespace pawl::agents
