#include "agents/memories.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <string>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/testing/bench.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::agents {
namespace {

class CountingRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return ++last_; }

 private:
  std::uint64_t last_ = 0;
};

class MemoriesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-memories-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    database_ = storage::testing::open({.folder = folder_, .synchronous = false}).value();
    ASSERT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    memories_ = std::make_unique<Memories>(*database_, clock_, random_, 1'000);
  }
  void TearDown() override {
    memories_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void write(const OrganizationId& organization, std::string key, std::string_view messages, std::optional<Millis> ttl = {}) {
    const auto outcome = try_write(organization, std::move(key), messages, ttl);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
  }
  [[nodiscard]] Result<void> try_write(const OrganizationId& organization, std::string key, std::string_view messages,
                                       std::optional<Millis> ttl = {}, const UserId& user = {}) {
    Memory memory;
    memory.user = user;
    memory.organization = organization;
    memory.scope = "support/triage";
    memory.key = std::move(key);
    memory.messages = json::parse(messages).value();
    memory.untrusted = json::parse(R"(["look-up"])").value();
    memory.run = RunId::make(clock_.now(), random_);
    if (ttl) memory.expires_at = clock_.now() + *ttl;
    Result<void> outcome = Error(ErrorClass::internal, "test", "no answer");
    memories_->write(std::move(memory), [&](Result<void> written) { outcome = std::move(written); });
    EXPECT_TRUE(database_->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }).has_value());
    return outcome;
  }
  [[nodiscard]] UserId person() {
    const auto id = UserId::make(clock_.now(), random_);
    const auto added = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(
          "insert into users (id, email, email_key, name, password_hash, created_at, updated_at) values ($1, $2, $2, 'A person', '', 1, 1)",
          {id, id.to_string() + "@example.org"}));
      return {};
    });
    EXPECT_TRUE(added.has_value());
    return id;
  }
  [[nodiscard]] std::string found(const OrganizationId& organization, std::string_view key, std::string_view scope = "support/triage") {
    const auto memory = memories_->find(organization, scope, key).value();
    return memory ? json::to_text(memory->messages) : "nothing";
  }

  std::filesystem::path folder_;
  models::TestClock clock_;
  CountingRandom random_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Memories> memories_;
  OrganizationId one_ = OrganizationId::make(clock_.now(), random_);
  OrganizationId two_ = OrganizationId::make(clock_.now(), random_);
};

TEST_F(MemoriesTest, A2_AMemoryIsOfOneOrganizationScopeAndKeyAndTheLaterOneCounts) {
  write(one_, "k", "[1]");
  write(one_, "k", "[2]");
  write(two_, "k", "[3]");
  EXPECT_EQ(found(one_, "k"), "[2]");
  EXPECT_EQ(found(two_, "k"), "[3]");
  EXPECT_EQ(found(one_, "k", ""), "nothing");
  EXPECT_EQ(found(one_, "other"), "nothing");
  const auto page = memories_->list(one_, 10, {}).value();
  ASSERT_EQ(page.memories.size(), 1U);
  const auto& memory = page.memories[0];
  EXPECT_EQ(json::to_text(memory.untrusted), R"(["look-up"])");
  EXPECT_TRUE(memories_->get(two_, memory.id).has_error()) << "another organization's is not there";
  EXPECT_EQ(memories_->remove(two_, memory.id).error().code, "memory.not_found");
  EXPECT_TRUE(memories_->remove(one_, memory.id).has_value());
  EXPECT_EQ(found(one_, "k"), "nothing");
  EXPECT_EQ(found(two_, "k"), "[3]");
}

TEST_F(MemoriesTest, A2_WhatHasExpiredIsNotReadAndGoes) {
  write(one_, "short", "[1]", Millis(1'000));
  write(one_, "long", "[2]");
  EXPECT_EQ(found(one_, "short"), "[1]");
  clock_.advance(Millis(1'000));
  EXPECT_EQ(found(one_, "short"), "nothing");
  EXPECT_EQ(memories_->list(one_, 10, {}).value().memories.size(), 1U);
  write(one_, "short", "[3]");
  EXPECT_EQ(found(one_, "short"), "[3]") << "kept without an end this time";
}

TEST_F(MemoriesTest, A2_ListsArePaged) {
  for (int i = 0; i < 5; ++i) {
    clock_.advance(Millis(1));
    write(one_, "k" + std::to_string(i), "[]");
  }
  std::string keys;
  std::optional<MemoryId> before;
  do {
    const auto page = memories_->list(one_, 2, before).value();
    for (const auto& memory : page.memories) keys += memory.key;
    before = page.next;
  } while (before);
  EXPECT_EQ(keys, "k4k3k2k1k0");
}

TEST_F(MemoriesTest, A2_AnOrganizationKeepsNoMoreBytesThanItMay) {
  const std::string half = "[\"" + std::string(496, 'x') + "\"]";
  write(one_, "a", half);
  write(one_, "b", half);
  EXPECT_EQ(try_write(one_, "c", "[]").error().code, "memory.quota") << "to the byte";
  EXPECT_EQ(found(one_, "c"), "nothing");
  write(one_, "a", "[]");
  write(one_, "c", "[1]");
  EXPECT_EQ(try_write(one_, "c", half).error().code, "memory.quota") << "what is there counts, and what it would become";
  EXPECT_EQ(found(one_, "c"), "[1]") << "what is refused changes nothing";
  write(two_, "a", half);
}

TEST_F(MemoriesTest, A2_AListTellsSizesAndReadsConversationsOnlyOfRowsFromBeforeTheyWereKept) {
  write(one_, "k", R"([1, 2, 3])");
  const auto entry = memories_->list(one_, 10, {}).value().memories.at(0);
  EXPECT_EQ(entry.message_count, 3U);
  EXPECT_EQ(entry.bytes, 7U);
  EXPECT_EQ(entry.messages.size(), 0U);
  ASSERT_TRUE(database_
                  ->write_and_wait([](storage::Transaction& transaction) -> Result<void> {
                    PAWL_TRY_VOID(transaction.execute("update agent_memories set message_count = null, bytes = null"));
                    return {};
                  })
                  .has_value());
  const auto old = memories_->list(one_, 10, {}).value().memories.at(0);
  EXPECT_EQ(old.message_count, 3U);
  EXPECT_EQ(old.bytes, 7U);
  EXPECT_EQ(try_write(one_, "big", "[\"" + std::string(990, 'x') + "\"]").error().code, "memory.quota") << "an old row counts";
}

TEST_F(MemoriesTest, A2_AMemoryIsOfItsFirstWriterAndNamesAllOfThem) {
  const auto ann = person();
  const auto bob = person();
  ASSERT_TRUE(try_write(one_, "k", "[1]", {}, ann).has_value());
  ASSERT_TRUE(try_write(one_, "k", "[1, 2]", {}, bob).has_value());
  ASSERT_TRUE(try_write(one_, "k", "[1, 2, 3]", {}, bob).has_value());
  const auto memory = memories_->find(one_, "support/triage", "k").value().value();
  EXPECT_EQ(memory.user, ann);
  const auto people = [&] {
    std::int64_t number = -1;
    const auto read = database_->read([&](storage::Session& session) -> Result<void> {
      return session.query("select count(*) from agent_memory_people", {}, [&](const storage::Row& row) { number = row.integer(0); });
    });
    EXPECT_TRUE(read.has_value());
    return number;
  };
  EXPECT_EQ(people(), 2);
  ASSERT_TRUE(memories_->remove(one_, memory.id).has_value());
  EXPECT_EQ(people(), 0) << "they go with it";
}

/// Everything by indices: `people` in the order in which they came, and whose each message is.
TEST_F(MemoriesTest, A2_EachMessageIsOfWhoeverSaidItAndWhatMayRepeatOthersIsTheirsToo) {
  const auto ann = person();
  const auto bob = person();
  const auto noted = [&] {
    std::string text;
    const auto read = database_->read([&](storage::Session& session) -> Result<void> {
      return session.query("select authors from agent_memories", {}, [&](const storage::Row& row) { text = row.text(0); });
    });
    EXPECT_TRUE(read.has_value());
    const auto authors = json::parse(text).value();
    EXPECT_EQ(authors.get("people").at(0), json::Value(ann.to_string()));
    return json::to_text(authors.get("of"));
  };
  const auto said = [](std::string_view role, std::string_view text) {
    return "{\"role\": \"" + std::string(role) + "\", \"content\": \"" + std::string(text) + "\"}";
  };
  const auto of_ann = said("user", "I am Ann.") + ", " + said("assistant", "Hello Ann.");
  ASSERT_TRUE(try_write(one_, "k", "[" + of_ann + "]", {}, ann).has_value());
  EXPECT_EQ(noted(), "[[0],[0]]");
  const auto both = of_ann + ", " + said("user", "Who was here?") + ", " + said("assistant", "Ann was.");
  ASSERT_TRUE(try_write(one_, "k", "[" + both + "]", {}, bob).has_value());
  EXPECT_EQ(noted(), "[[0],[0],[1],[0,1]]") << "the reply may repeat what Ann had said";
  // Old ones go, a summary stands for them, and nobody has started the run.
  const auto later = said("user", "Summary of the conversation so far:\\nAnn was here.") + ", " + said("assistant", "Ann was.") + ", " +
                     said("user", "And now?");
  ASSERT_TRUE(try_write(one_, "k", "[" + later + "]").has_value());
  EXPECT_EQ(noted(), "[[0,1],[0,1],[]]");
  // Written before anybody noted that: everybody's.
  ASSERT_TRUE(database_
                  ->write_and_wait([](storage::Transaction& transaction) -> Result<void> {
                    PAWL_TRY_VOID(transaction.execute("update agent_memories set authors = null"));
                    return {};
                  })
                  .has_value());
  ASSERT_TRUE(try_write(one_, "k", "[" + later + ", " + said("user", "Bob again.") + "]", {}, bob).has_value());
  EXPECT_EQ(noted(), "[[0,1],[0,1],[0,1],[1]]");
}

TEST_F(MemoriesTest, A2_AMessageThatIsThereTwiceIsOfWhoeverSaidItThen) {
  const auto ann = person();
  const auto bob = person();
  const std::string ok = R"({"role": "user", "content": "ok"})";
  ASSERT_TRUE(try_write(one_, "k", "[" + ok + "]", {}, ann).has_value());
  ASSERT_TRUE(try_write(one_, "k", "[" + ok + ", " + ok + "]", {}, bob).has_value());
  std::string text;
  const auto read = database_->read([&](storage::Session& session) -> Result<void> {
    return session.query("select authors from agent_memories", {}, [&](const storage::Row& row) { text = row.text(0); });
  });
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(json::to_text(json::parse(text).value().get("of")), "[[0],[1]]");
}

TEST_F(MemoriesTest, A2_ARunWhoseStarterWasErasedMeanwhileWritesNothingBack) {
  const auto ann = person();
  ASSERT_TRUE(try_write(one_, "k", "[1]", {}, person()).has_value());
  ASSERT_TRUE(database_
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    PAWL_TRY_VOID(transaction.execute("delete from users where id = $1", {ann}));
                    return {};
                  })
                  .has_value());
  EXPECT_EQ(try_write(one_, "k", "[1, 2]", {}, ann).error().code, "memory.starter_gone");
  EXPECT_EQ(found(one_, "k"), "[1]");
}

/// Whatever key it is: what one memory held may have been passed on to another.
TEST_F(MemoriesTest, A2_P7_OfARunThatHadBegunBeforeAnErasureNothingIsKept) {
  const auto bob = person();
  write(one_, "k", R"([{"role":"user","content":"of Bob"}])");
  const auto erased_at = clock_.now();
  ASSERT_TRUE(database_
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    PAWL_TRY_VOID(
                        transaction.execute("insert into organizations (id, name, slug, created_at, updated_at, memories_erased_at) "
                                            "values ($1, 'One', 'one', 1, 1, $2)",
                                            {one_, erased_at}));
                    return {};
                  })
                  .has_value());
  Memory memory;
  memory.organization = one_;
  memory.scope = "support/triage";
  memory.key = "k";
  memory.user = bob;
  memory.run = RunId::make(clock_.now(), random_);
  memory.messages = json::parse(R"([{"role":"user","content":"of Ann"},{"role":"assistant","content":"Ann was here"}])").value();
  const auto kept = [&](TimePoint since) {
    memory.since = since;
    Result<void> outcome = Error(ErrorClass::internal, "test", "no answer");
    memories_->write(memory, [&](Result<void> written) { outcome = std::move(written); });
    EXPECT_TRUE(database_->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }).has_value());
    return outcome.has_value() ? std::string("kept") : outcome.error().code;
  };
  EXPECT_EQ(kept(erased_at - Millis(5'000)), "memory.words_gone");
  EXPECT_EQ(kept(erased_at), "memory.words_gone") << "in the same millisecond";
  EXPECT_EQ(kept({}), "memory.words_gone") << "nobody knows how old";
  memory.key = "elsewhere";
  EXPECT_EQ(kept(erased_at - Millis(1)), "memory.words_gone");
  EXPECT_EQ(found(one_, "k"), R"([{"role":"user","content":"of Bob"}])") << "as the erasure has left it";
  EXPECT_EQ(found(one_, "elsewhere"), "nothing");
  EXPECT_EQ(kept(erased_at + Millis(1)), "kept");
}

TEST_F(MemoriesTest, A2_WhoseWordsTheyAreIsKnownAlsoWhereTheMemoryHasExpiredWhileARunWentOn) {
  const auto ann = person();
  const auto bob = person();
  const std::string of_ann = R"({"role": "user", "content": "of Ann"})";
  ASSERT_TRUE(try_write(one_, "k", "[" + of_ann + "]", Millis(1'000), ann).has_value());
  clock_.advance(Millis(1'000));
  ASSERT_TRUE(try_write(one_, "k", "[" + of_ann + R"(, {"role": "user", "content": "of Bob"}])", {}, bob).has_value());
  std::string text;
  const auto read = database_->read([&](storage::Session& session) -> Result<void> {
    return session.query("select authors from agent_memories", {}, [&](const storage::Row& row) { text = row.text(0); });
  });
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(json::to_text(json::parse(text).value().get("of")), "[[0],[1]]");
}

/// Two runs that had read the same: the later one counts, as a whole, and knows who else had been there meanwhile.
TEST_F(MemoriesTest, A2_OfTwoRunsAtOnceTheLaterOneCountsAndNobodysWordsBecomeAnothers) {
  const auto ann = person();
  const auto bob = person();
  const std::string before = R"({"role": "user", "content": "before"})";
  ASSERT_TRUE(try_write(one_, "k", "[" + before + "]", {}, ann).has_value());
  ASSERT_TRUE(try_write(one_, "k", "[" + before + R"(, {"role": "user", "content": "of Ann"}])", {}, ann).has_value());
  ASSERT_TRUE(
      try_write(one_, "k", "[" + before + R"(, {"role": "user", "content": "of Bob"}, {"role": "assistant", "content": "yes"}])", {}, bob)
          .has_value());
  EXPECT_EQ(found(one_, "k"),
            R"([{"role":"user","content":"before"},{"role":"user","content":"of Bob"},{"role":"assistant","content":"yes"}])");
  std::string text;
  const auto read = database_->read([&](storage::Session& session) -> Result<void> {
    return session.query("select authors from agent_memories", {}, [&](const storage::Row& row) { text = row.text(0); });
  });
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(json::to_text(json::parse(text).value().get("of")), "[[0],[1],[0,1]]");
}

}  // namespace
}  // namespace pawl::agents
