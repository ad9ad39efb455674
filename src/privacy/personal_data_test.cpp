#include "privacy/personal_data.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "audit/query.hpp"
#include "audit/testing/chain.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::privacy {
namespace {

using audit::testing::organization;
using audit::testing::user;

constexpr std::string_view kEmail = "anna.erased@example.org";

class PersonalData : public audit::testing::Chain {
 protected:
  PersonalData() {
    add_user(1, std::string(kEmail));
    add_user(2, "bob@example.org");
    add_organization(1, 1);  // Anna's own
    add_organization(2, 2);
    add_member(1, 1, "owner");
    add_member(2, 2, "owner");
    add_member(2, 1, "admin");
  }
  void execute(std::string_view statement, std::initializer_list<storage::Parameter> parameters) {
    const auto result = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(statement, parameters));
      return {};
    });
    ASSERT_FALSE(result.has_error()) << result.error().message << ": " << statement;
  }
  void add_user(std::uint8_t number, const std::string& email) {
    execute(
        "insert into users (id, email, email_key, name, password_hash, created_at, updated_at) values ($1, $2, $2, 'A person', "
        "'$argon2id$hash-that-stays-inside', 1, 1)",
        {user(number), email});
    execute(
        "insert into sessions (id, user_id, token_hash, salt, rotated_at, user_agent, address, created_at, last_used_at, expires_at) "
        "values ($1, $1, $2, $2, 1, 'Browser of the person', $3, 1, 1, 1)",
        {user(number), storage::Parameter::blob("hash-that-stays-inside"), number == 1 ? "192.0.2.77" : "198.51.100.2"});
    execute(
        "insert into one_time_tokens (token_hash, purpose, user_id, email_key, created_at, expires_at) values ($1, 'reset', $1, $2, 1, 1)",
        {user(number), email});
    execute(
        "insert into api_keys (id, key_hash, prefix, name, scopes, organization_id, user_id, created_at) values ($1, $1, 'pk_', 'laptop', "
        "1, "
        "$2, $1, 1)",
        {user(number), organization(number)});
  }
  void add_organization(std::uint8_t number, std::uint8_t owner) {
    execute("insert into organizations (id, name, slug, personal_of, created_at, updated_at) values ($1, $2, $2, $3, 1, 1)",
            {organization(number), "organization-" + std::to_string(number), user(owner)});
    execute(
        "insert into workflows (id, organization_id, name, created_at, updated_at, created_by, updated_by) values ($1, $1, 'flow', 1, 1, "
        "$2, $2)",
        {organization(number), user(1)});
    execute("insert into workflow_versions (workflow_id, version, definition, created_at, created_by) values ($1, 1, 'do: []', 1, $2)",
            {organization(number), user(1)});
  }
  void add_member(std::uint8_t number, std::uint8_t member, std::string_view role) {
    execute("insert into organization_members (organization_id, user_id, role, joined_at) values ($1, $2, $3, 1)",
            {organization(number), user(member), role});
  }
  Result<Erased> erase(std::uint8_t number, const OrganizationId& installation = {}) {
    audit::Record request;
    request.actor = audit::Actor::of_user(user(number));
    request.address = "192.0.2.77";
    return erase_person(*database, *log, clock, {user(number), installation}, request);
  }
  void add_integration(std::uint8_t number) {
    execute(
        "insert into integrations (id, organization_id, connector, name, public_config, sealed_config, is_active, created_at, updated_at) "
        "values ($1, $1, 'github', 'ours', '{}', $2, 1, 1, 1)",
        {organization(number), storage::Parameter::blob("sealed")});
  }
  void add_invitation(std::uint8_t number, std::uint8_t sender, bool accepted) {
    execute(
        "insert into invitations (id, organization_id, email, role, token_hash, invited_by, created_at, expires_at, accepted_at) "
        "values ($1, $2, 'carl@example.org', 'admin', $1, $3, 1, 1, $4)",
        {user(number), organization(2), user(sender), accepted ? std::optional(TimePoint(Millis(1))) : std::nullopt});
  }
  void add_memory(std::uint8_t number, std::uint8_t owner, std::string_view messages, std::string_view authors,
                  std::initializer_list<std::uint8_t> people) {
    const auto id = organization(number);
    execute(
        "insert into agent_memories (id, organization_id, scope, key, messages, untrusted, run_id, user_id, created_at, updated_at, "
        "authors) "
        "values ($1, $2, '', $3, $4, '[]', $1, $5, 1, 1, $6)",
        {id, organization(2), "k" + std::to_string(number), messages, user(owner),
         authors.empty() ? std::optional<std::string_view>() : std::optional(authors)});
    for (const auto person : people) {
      execute("insert into agent_memory_people (memory_id, user_id) values ($1, $2)", {id, user(person)});
    }
  }
  /// `of`: for each message indices of people, 0: user 1, 1: user 2.
  static std::string authors(std::string_view of) {
    return R"({"people": [")" + user(1).to_string() + R"(", ")" + user(2).to_string() + R"("], "of": )" + std::string(of) + "}";
  }
  /// Everything in the folder, as one text.
  [[nodiscard]] std::string folder_text() const {
    std::string all;
    for (const auto& item : std::filesystem::directory_iterator(folder.path())) {
      std::ifstream in(item.path(), std::ios::binary);
      std::ostringstream text;
      text << in.rdbuf();
      all += text.str();
    }
    return all;
  }
};

// proves: P7
TEST_F(PersonalData, P7_IsTakenAlongWithEverythingButSecrets) {
  add(record("auth.login", 1));
  std::string text;
  ASSERT_FALSE(export_person(*database, user(1), [&](std::string_view piece) {
                 text += piece;
                 return true;
               }).has_error());
  const auto document = json::parse(text);
  ASSERT_FALSE(document.has_error()) << text;
  EXPECT_EQ(document->get("account").at(0).get("email").as_string(), kEmail);
  EXPECT_EQ(document->get("sessions").at(0).get("address").as_string(), "192.0.2.77");
  EXPECT_EQ(document->get("memberships").size(), 2U);
  EXPECT_EQ(document->get("workflows").size(), 2U);
  EXPECT_EQ(document->get("api_keys").at(0).get("name").as_string(), "laptop");
  EXPECT_EQ(document->get("audit").at(0).get("action").as_string(), "auth.login");
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("stays-inside")));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("bob@example.org")));
  EXPECT_EQ(export_person(*database, user(9), [](std::string_view) { return true; }).error().code, "user.not_found");
}

TEST_F(PersonalData, P7_IsErasedFromEveryFileAndTheTrailStillVerifies) {
  auto login = record("auth.login", 1);
  login.details = json::Value::object({{"email", kEmail}});
  add(login);
  ASSERT_FALSE(erase(1).has_error());
  EXPECT_TRUE(verified().ok);
  EXPECT_EQ(number("select count(*) from users"), 1);
  EXPECT_EQ(number("select count(*) from organizations"), 1) << "the own one goes, the other's stays";
  EXPECT_EQ(number("select count(*) from workflows"), 1);
  EXPECT_EQ(number("select count(*) from workflows where created_by is null and updated_by is null"), 1);
  EXPECT_EQ(number("select count(*) from audit_addresses"), 0);
  const auto page = audit::list(*database, audit::Scope::installation(), {.actor = user(1)});
  ASSERT_EQ(page->entries.size(), 2U);
  EXPECT_EQ(page->entries[0].action, "data.erased");
  log.reset();
  database.reset();
  const auto text = folder_text();
  EXPECT_EQ(text.find(kEmail), std::string::npos);
  EXPECT_EQ(text.find("192.0.2.77"), std::string::npos);
  if (!storage::testing::on_postgresql()) {
    EXPECT_NE(text.find("bob@example.org"), std::string::npos) << "the search finds what is there";
  }
}

// Null is the installation's own key: what this person has approved does not become its.
TEST_F(PersonalData, P7_WhatThePersonHasDecidedWasDecidedByNobodyAnyMore) {
  for (std::uint8_t by = 1; by <= 3; ++by) {
    execute(
        "insert into approvals (id, organization_id, run_id, number, workflow_id, workflow_name, version, task, title, asked, digest, "
        "status, least_role, exclude_starter, starter_key, created_at, decided_at, decided_by, comment, answer) values ($1, $2, $1, 1, $1, "
        "'w', 1, '/do/0/ask', 't', '{}', 'd', 'approved', 1, 0, 0, 1, 2, $3, 'said', 'filled in')",
        {user(by), organization(2), by == 3 ? storage::Parameter(nullptr) : storage::Parameter(user(by))});
  }
  ASSERT_FALSE(erase(1).has_error());
  std::vector<std::string> decided;
  ASSERT_FALSE(database
                   ->read([&](storage::Session& session) {
                     return session.query("select decided_by, comment, answer from approvals order by id", {},
                                          [&](const storage::Row& row) {
                                            decided.push_back(row.is_null(0) ? "key" : row.id<UserId>(0).to_string());
                                            EXPECT_EQ(row.text(1).empty() && row.text(2).empty(), decided.size() == 1);
                                          });
                   })
                   .has_error());
  EXPECT_THAT(decided, ::testing::ElementsAre(UserId{}.to_string(), user(2).to_string(), "key"));
}

TEST_F(PersonalData, IsNotErasedWhereAnOrganizationWouldBeLeftWithoutAnOwner) {
  const auto refused = erase(2);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, "data.last_owner");
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("organization-2"));
  EXPECT_EQ(number("select count(*) from users"), 2);
}

TEST_F(PersonalData, P7_WhatGoesWithThePersonIsNamedAndTakesItsSecretsAlong) {
  add_integration(1);
  add_integration(2);
  const auto erased = erase(1);
  ASSERT_FALSE(erased.has_error()) << erased.error().message;
  EXPECT_THAT(erased->organizations, ::testing::ElementsAre(organization(1)));
  EXPECT_THAT(erased->workflows, ::testing::ElementsAre(WorkflowId{organization(1).uuid}));
  EXPECT_EQ(number("select count(*) from integrations"), 1) << "the other organization's stays";
}

TEST_F(PersonalData, TheLastAdministratorIsNotErased) {
  execute("update users set is_superuser = 1 where id = $1", {user(1)});
  EXPECT_EQ(erase(1).error().code, "user.last_superuser");
  execute("update users set is_superuser = 1, is_active = 0 where id = $1", {user(2)});
  EXPECT_EQ(erase(1).error().code, "user.last_superuser") << "one who cannot sign in administers nothing";
  EXPECT_EQ(number("select count(*) from users"), 2);
  execute("update users set is_active = 1 where id = $1", {user(2)});
  EXPECT_FALSE(erase(1).has_error());
}

TEST_F(PersonalData, TheInstallationsOwnOrganizationDoesNotGoWithAnybody) {
  EXPECT_EQ(erase(1, organization(1)).error().code, "data.installation");
  EXPECT_EQ(number("select count(*) from organizations"), 2);
}

TEST_F(PersonalData, InvitationsOfAnErasedSenderOpenNothing) {
  add_invitation(11, 1, false);
  add_invitation(12, 1, true);
  add_invitation(13, 2, false);
  ASSERT_FALSE(erase(1).has_error());
  EXPECT_EQ(number("select count(*) from invitations where invited_by is null and accepted_at is null"), 0);
  EXPECT_EQ(number("select count(*) from invitations"), 2);
}

TEST_F(PersonalData, P7_TheExportHoldsNothingOfAnOrganizationThatThePersonHasLeft) {
  execute("delete from organization_members where organization_id = $1 and user_id = $2", {organization(2), user(1)});
  add_invitation(11, 1, false);
  std::string text;
  ASSERT_FALSE(export_person(*database, user(1), [&](std::string_view piece) {
                 text += piece;
                 return true;
               }).has_error());
  const auto document = json::parse(text);
  ASSERT_FALSE(document.has_error()) << text;
  EXPECT_EQ(document->get("workflows").size(), 1U);
  EXPECT_EQ(document->get("invitations_sent").size(), 0U);
}

TEST_F(PersonalData, IsNotErasedWhileRunsOfTheOwnOrganizationAreOpen) {
  execute("insert into run_workflows (ref, organization_id, workflow_id, name) values (1, $1, $1, 'flow')", {organization(1)});
  execute(
      "insert into open_runs (id, workflow, version, phase, flags, created_at, resident, reason, beginning) values ($1, 1, 1, 1, 0, 1, 1, "
      "'', $1)",
      {organization(1)});
  EXPECT_EQ(erase(1).error().code, "data.runs_open");
  EXPECT_EQ(number("select count(*) from users"), 2);
}

// proves: P7
TEST_F(PersonalData, P7_OfAMemoryTheExportHoldsWhatThePersonSaidAndNothingOfOthers) {
  add_memory(11, 2, R"([{"role": "user", "content": "I am Zephyrine"}, {"role": "assistant", "content": "Hello Zephyrine"},
    {"role": "user", "content": "Bob's secret"}, {"role": "assistant", "content": "Bob and Zephyrine were here"},
    {"role": "user", "content": "of nobody"}, {"role": "user", "content": "of whom?"}])",
             authors("[[0], [0], [1], [0, 1], [], null]"), {1, 2});
  add_memory(12, 2, R"([{"role": "user", "content": "Bob's, from before"}, {"role": "user", "content": "or hers"}])", "", {1, 2});
  add_memory(13, 1, R"([{"role": "user", "content": "hers alone, from before"}])", "", {1});
  add_memory(14, 2, R"([{"role": "user", "content": "Bob's alone"}])", authors("[[1]]"), {2});
  add_memory(15, 1, R"([{"role": "user", "content": "damaged"}])", authors("[[7]]"), {1, 2});
  const auto taken = [&](std::uint8_t number) {
    std::string text;
    EXPECT_FALSE(export_person(*database, user(number), [&](std::string_view piece) {
                   text += piece;
                   return true;
                 }).has_error());
    return json::parse(text).value().get("agent_memories");
  };
  const auto hers = taken(1);
  ASSERT_EQ(hers.size(), 4U);
  EXPECT_EQ(json::to_text(hers.at(0).get("messages")),
            R"([{"role":"user","content":"I am Zephyrine"},{"role":"assistant","content":"Hello Zephyrine"}])");
  EXPECT_EQ(hers.at(0).get("messages_of_others"), json::Value(4));
  EXPECT_TRUE(hers.at(0).get("run_id").is_null()) << "whoever's wrote it last";
  EXPECT_EQ(hers.at(1).get("messages").size(), 0U) << "nobody noted whose they are";
  EXPECT_EQ(json::to_text(hers.at(2).get("messages")), R"([{"role":"user","content":"hers alone, from before"}])");
  EXPECT_FALSE(hers.at(2).get("run_id").is_null());
  EXPECT_EQ(hers.at(3).get("messages").size(), 0U);
  EXPECT_EQ(hers.at(0).find("authors"), nullptr) << "ids of others";
  EXPECT_THAT(json::to_text(hers), ::testing::Not(::testing::HasSubstr("Bob")));
  EXPECT_THAT(json::to_text(taken(2)), ::testing::Not(::testing::HasSubstr("Zephyrine")));
}

// proves: P7
TEST_F(PersonalData, P7_OrganizationsWhoseAgentsRememberedThePersonNoteWhenTheWordsHadGone) {
  add_member(1, 2, "owner");
  add_memory(13, 1, R"([{"role": "user", "content": "hers"}])", authors("[[0]]"), {1});
  clock.advance(Millis(77));
  ASSERT_FALSE(erase(1).has_error());
  EXPECT_EQ(number("select memories_erased_at from organizations where slug = 'organization-2'"), clock.now().time_since_epoch().count())
      << "runs that began before keep nothing";
  EXPECT_EQ(number("select count(*) from organizations where slug = 'organization-1' and memories_erased_at is null"), 1)
      << "nothing of anybody's was in its memories";
}

// proves: P7
TEST_F(PersonalData, P7_OfAMemoryGoesWhatThePersonSaidAndTheOthersKeepTheirs) {
  const auto shared = R"([{"role": "user", "content": "I am Zephyrine"}, {"role": "assistant", "content": "Hello Zephyrine"},
    {"role": "user", "content": "Bob here"}, {"role": "assistant", "content": "Zephyrine told me"},
    {"role": "user", "content": "And again Bob"}, {"role": "assistant", "content": "Fine, Bob"}])";
  add_memory(11, 1, shared, authors("[[0], [0], [1], [0, 1], [1], [1]]"), {1, 2});
  add_memory(12, 2, R"([{"role": "user", "content": "Zephyrine, from before"}, {"role": "user", "content": "Bob"}])", "", {1, 2});
  add_memory(13, 1, R"([{"role": "user", "content": "Zephyrine alone"}])", authors("[[0]]"), {1});
  add_memory(14, 2, R"([{"role": "user", "content": "Bob alone"}])", R"({"people": [], "of": [[]]})", {2});
  add_memory(15, 2, R"([{"role": "user", "content": "Zephyrine"}, {"role": "assistant", "content": "Bob's own answer"}])",
             authors("[[0], [1]]"), {1, 2});
  add_memory(16, 2, R"([{"role": "user", "content": "Zephyrine"}, {"role": "user", "content": "Bob"}])", authors("[[7], [null]]"), {1, 2});
  ASSERT_FALSE(erase(1).has_error());
  std::string left;
  const auto read = database->read([&](storage::Session& session) -> Result<void> {
    PAWL_TRY_VOID(session.query(
        "select key, messages, authors, user_id, message_count, bytes from agent_memories order by key", {}, [&](const storage::Row& row) {
          const auto id = row.is_null(3) ? UserId() : row.id<UserId>(3);
          left += std::string(row.text(0)) + " " + std::string(row.text(1)) + (id == user(2) ? " of Bob" : " of somebody else") + "\n";
          EXPECT_THAT(std::string(row.text(2)), ::testing::Not(::testing::HasSubstr(user(1).to_string())));
          if (row.text(0) == "k11") {
            EXPECT_EQ(row.integer(4), 3);
            EXPECT_EQ(static_cast<std::size_t>(row.integer(5)), row.text(1).size());
          }
        }));
    return session.query("select count(*) from agent_memory_people where user_id = $1", {user(1)},
                         [&](const storage::Row& row) { EXPECT_EQ(row.integer(0), 0); });
  });
  ASSERT_FALSE(read.has_error());
  EXPECT_EQ(
      left,
      R"(k11 [{"role":"user","content":"Bob here"},{"role":"user","content":"And again Bob"},{"role":"assistant","content":"Fine, Bob"}] of Bob
k14 [{"role": "user", "content": "Bob alone"}] of Bob
)") << "what nobody noted the author of goes, and so does what begins with an answer, or is damaged";
  log.reset();
  database.reset();
  EXPECT_EQ(folder_text().find("Zephyrine"), std::string::npos) << "not in what the file had before either";
}

}  // namespace
}  // namespace pawl::privacy
