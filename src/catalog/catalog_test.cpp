#include "catalog/catalog.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <filesystem>
#include <future>
#include <set>

#include "catalog/bounded_cache.hpp"
#include "catalog/destroy_right.hpp"
#include "catalog/idempotency.hpp"
#include "catalog/organization_part.hpp"
#include "catalog/webhook.hpp"
#include "engine/approval.hpp"
#include "json/write.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::catalog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class NoFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view) const override { return nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
};

class SettableClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time{Millis(1'700'000'000'000)};
};

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    auto pattern = (std::filesystem::temp_directory_path() / "pawl-catalog-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = storage::testing::open(options);
    EXPECT_TRUE(opened.has_value());
    database_ = std::move(*opened);
    EXPECT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    catalog_ = open();
    organization_ = add_organization();
  }
  ~CatalogTest() override {
    catalog_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Catalog> open() {
    auto catalog = std::make_unique<Catalog>(Catalog::Dependencies{*database_, functions_, clock_, random_, seals_, max_versions_});
    EXPECT_TRUE(catalog->start().has_value());
    return catalog;
  }

  static Definition document(std::string_view name, std::string_view body, std::string_view metadata = "") {
    Definition definition;
    definition.text = "document: {dsl: '1.0.3', namespace: test, name: " + std::string(name) + ", version: '1.0.0'" +
                      std::string(metadata) + "}\n" + std::string(body);
    return definition;
  }
  static Definition simple(std::string_view word = "x") {
    return document("simple", "do:\n  - a: {set: {" + std::string(word) + ": 1}}\n");
  }

  Workflow create(Definition definition, std::optional<std::string> name = std::nullopt) {
    NewWorkflow request;
    request.name = std::move(name);
    request.definition = std::move(definition);
    auto made = catalog_->create(organization_, std::move(request));
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return *made;
  }
  Workflow change(const WorkflowId& id, Changes changes) {
    auto changed = catalog_->update(organization_, id, std::move(changes));
    EXPECT_TRUE(changed.has_value()) << changed.error().message;
    return *changed;
  }
  void execute(std::string_view sql, std::initializer_list<storage::Parameter> parameters) {
    const auto done = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(sql, parameters));
      return {};
    });
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }
  /// As after a restart.
  void reopen() {
    catalog_.reset();
    database_.reset();
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    database_ = std::move(*storage::testing::open(options));
    catalog_ = open();
  }
  OrganizationId add_organization() {
    const auto id = OrganizationId::make(clock_.now(), random_);
    execute("insert into organizations (id, name, slug, created_at, updated_at) values ($1, $2, $2, 1, 1)", {id, id.to_string()});
    return id;
  }
  OrganizationId stranger() { return OrganizationId::make(clock_.now(), random_); }

  SettableClock clock_;
  SystemRandom random_;
  crypto::KeyRing seals_{"a sealing key of this installation, long enough"};
  NoFunctions functions_;
  std::uint32_t max_versions_ = 0;
  std::filesystem::path folder_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Catalog> catalog_;
  OrganizationId organization_;
};

TEST_F(CatalogTest, P2_MakesNothingInAnOrganizationThatIsGone) {
  const auto gone = add_organization();
  execute("update organizations set deleted_at = 1 where id = $1", {gone});
  for (const auto& organization : {gone, stranger()}) {
    NewWorkflow wish;
    wish.definition = simple();
    const auto made = catalog_->create(organization, std::move(wish));
    ASSERT_TRUE(made.has_error());
    EXPECT_EQ(made.error().code, "organization.not_found");
  }
}

TEST_F(CatalogTest, F1_AVersionThatAnEarlierReleaseAcceptedGoesOnToRunAndIsNotSavedAgain) {
  const auto asks = [](std::string_view more) {
    return document("asks", "do: [{a: {call: mcp, with: {method: tools/list, transport: {server: s}" + std::string(more) + "}}}]\n");
  };
  const auto made = create(asks(""));
  execute("update workflow_versions set definition = $2 where workflow_id = $1", {made.id, asks(", tol: x").text});
  reopen();
  EXPECT_TRUE(catalog_->plan(made.id, 1).has_value());
  EXPECT_FALSE(catalog_->check(asks(", tol: x")).ok()) << "who looks at it is told";
  const auto looked_at = catalog_->check_stored(catalog_->version(organization_, made.id, 1).value().definition);
  ASSERT_TRUE(looked_at.ok());
  ASSERT_THAT(looked_at.findings, SizeIs(1));
  EXPECT_EQ(looked_at.findings.front().severity, Severity::warning);
  NewWorkflow wish;
  wish.definition = asks(", tol: x");
  EXPECT_EQ(catalog_->create(organization_, std::move(wish)).error().code, "workflow.invalid");
}

TEST_F(CatalogTest, MakesANewVersionOnlyWhenTheDefinitionChanges) {
  const auto made = create(simple());
  EXPECT_EQ(made.name, "simple");
  EXPECT_EQ(change(made.id, {.name = "other", .definition = simple()}).version, 1U);
  EXPECT_EQ(change(made.id, {.definition = simple("y"), .change_summary = "why"}).version, 2U);
  EXPECT_EQ(catalog_->executable(organization_, made.id).value()->version, 2U);
  EXPECT_EQ(catalog_->executable(organization_, made.id, 1).value()->version, 1U);
  EXPECT_THAT(catalog_->versions(organization_, made.id, 10, {}).value().versions, SizeIs(2));
  EXPECT_EQ(catalog_->version(organization_, made.id, 1).value().definition, simple());
}

TEST_F(CatalogTest, RefusesADefinitionWithAllFindings) {
  NewWorkflow request;
  request.definition = document("bad", "do:\n  - a: {set: {x: '${ | }'}}\n  - b: {set: {x: 1}, then: nowhere}\n");
  const auto made = catalog_->create(organization_, std::move(request));
  ASSERT_TRUE(made.has_error());
  EXPECT_EQ(made.error().code, "workflow.invalid");
  EXPECT_THAT(made.error().findings, SizeIs(2));
}

TEST_F(CatalogTest, WhatBelongsToAnotherOrganizationDoesNotExist) {
  const auto made = create(simple());
  const auto other = stranger();
  EXPECT_EQ(catalog_->get(other, made.id).error().code, "workflow.not_found");
  EXPECT_EQ(catalog_->executable(other, made.id).error().code, "workflow.not_found");
  EXPECT_EQ(catalog_->update(other, made.id, {}).error().code, "workflow.not_found");
  EXPECT_EQ(catalog_->remove(other, made.id).error().code, "workflow.not_found");
  EXPECT_EQ(catalog_->cached(other, made.id), nullptr);
  EXPECT_THAT(catalog_->list(other, {}).value().workflows, SizeIs(0));
  EXPECT_TRUE(catalog_->find(other, "test", "simple", "").has_error());
}

TEST_F(CatalogTest, ARemovedWorkflowIsGoneButItsVersionsServeRecovery) {
  const auto made = create(simple());
  ASSERT_TRUE(catalog_->remove(organization_, made.id).has_value());
  EXPECT_TRUE(catalog_->get(organization_, made.id).has_error());
  EXPECT_TRUE(catalog_->executable(organization_, made.id).has_error());
  EXPECT_TRUE(open()->plan(made.id, 1).has_value());
}

TEST_F(CatalogTest, FindsADocumentByNameAndVersion) {
  const auto first = create(simple());
  create(document("another", "do:\n  - a: {set: {x: 1}}\n"));
  EXPECT_EQ(catalog_->find(organization_, "test", "simple", "").value().workflow, first.id);
  EXPECT_EQ(catalog_->find(organization_, "test", "simple", "1.0.0").value().workflow, first.id);
  EXPECT_TRUE(catalog_->find(organization_, "test", "simple", "9.9.9").has_error());
  change(first.id, {.active = false});
  EXPECT_TRUE(catalog_->find(organization_, "test", "simple", "").has_error());
}

// A shard's thread asks: where all connections are out it would stand still, with all of its runs.
TEST_F(CatalogTest, ANameThatIsKnownIsFoundWithoutTheDatabase) {
  const auto made = create(simple());
  const auto found = [&](std::string_view version) {
    const auto result = catalog_->find(organization_, "test", "simple", version);
    return result.has_value() ? result->workflow.to_string() + " " + std::to_string(result->version) : result.error().code;
  };
  EXPECT_EQ(found(""), made.id.to_string() + " 1");
  EXPECT_EQ(found("1.0.0"), made.id.to_string() + " 1");
  execute("update workflows set is_active = 0", {});
  EXPECT_EQ(found(""), made.id.to_string() + " 1") << "nobody has looked into the database";
  EXPECT_EQ(found("1.0.0"), made.id.to_string() + " 1");
  EXPECT_TRUE(catalog_->find(stranger(), "test", "simple", "").has_error()) << "what one organization knows is not another's";
  execute("update workflows set is_active = 1", {});
}

TEST_F(CatalogTest, ANameStandsForWhatItStandsForNowAfterEveryChange) {
  max_versions_ = 1;
  catalog_ = open();
  const auto found = [&](std::string_view version = "") {
    const auto result = catalog_->find(organization_, "test", "simple", version);
    return result.has_value() ? result->workflow.to_string() + " " + std::to_string(result->version) : result.error().code;
  };
  EXPECT_EQ(found(), "workflow.not_found");
  const auto first = create(simple());
  const auto id = first.id.to_string();
  EXPECT_EQ(found(), id + " 1") << "that there was none is not remembered";
  clock_.time += Millis(61'000);
  auto next = simple();
  next.text.replace(next.text.find("1.0.0"), 5, "1.1.0");
  change(first.id, {.definition = next});
  EXPECT_EQ(found(), id + " 2");
  EXPECT_EQ(found("1.1.0"), id + " 2");
  EXPECT_EQ(found("1.0.0"), id + " 1");
  clock_.time += Millis(61'000);
  change(first.id, {.description = "nothing new", .definition = next});
  clock_.time += Millis(61'000);
  next.text += "  - b: {set: {x: 2}}\n";
  change(first.id, {.definition = next});
  EXPECT_EQ(found("1.0.0"), "workflow.not_found") << "that version is not kept any more";
  EXPECT_EQ(found(), id + " 3");
  clock_.time += Millis(10);
  const auto newer = create(simple("y"));
  EXPECT_EQ(found(), newer.id.to_string() + " 1") << "the newest of this name";
  change(newer.id, {.active = false});
  EXPECT_EQ(found(), id + " 3");
  change(newer.id, {.active = true});
  EXPECT_EQ(found(), newer.id.to_string() + " 1");
  ASSERT_TRUE(catalog_->remove(organization_, newer.id).has_value());
  EXPECT_EQ(found(), id + " 3");
  execute("update organizations set deleted_at = 1 where id = $1", {organization_});
  execute("update workflows set deleted_at = 1 where organization_id = $1", {organization_});
  ASSERT_TRUE(catalog_->forget(organization_).has_value());
  EXPECT_EQ(found(), "workflow.not_found");
}

TEST_F(CatalogTest, ListsNewestFirstByCursor) {
  std::vector<std::string> names;
  for (int n = 0; n < 5; ++n) {
    clock_.time += Millis(10);
    create(simple(), "page " + std::to_string(n));
  }
  WorkflowFilter filter;
  filter.limit = 2;
  do {
    const auto page = catalog_->list(organization_, filter).value();
    for (const auto& workflow : page.workflows) names.push_back(workflow.name);
    filter.before = page.next;
  } while (filter.before);
  EXPECT_THAT(names, ElementsAre("page 4", "page 3", "page 2", "page 1", "page 0"));
}

TEST_F(CatalogTest, AWebhookKeepsItsTokenAndIsStoredSealed) {
  const auto made = create(document("hooked", "do:\n  - a: {set: {x: 1}}\n", ", metadata: {webhook: {wait: true}}"));
  ASSERT_THAT(made.triggers, SizeIs(1));
  const auto url = std::string(made.triggers[0].details.get("url").as_string());
  ASSERT_THAT(url, HasSubstr("/hooks/"));
  const auto token = url.substr(7);
  EXPECT_EQ(catalog_->find_hook(token)->workflow, made.id);
  EXPECT_EQ(open()->find_hook(token)->workflow, made.id);
  EXPECT_FALSE(catalog_->find_hook(token.substr(1)).has_value());
  EXPECT_FALSE(catalog_->find_hook("").has_value());
  const auto renamed = change(made.id, {.name = "renamed"});
  EXPECT_EQ(renamed.triggers[0].details.get("url"), json::Value(url));
  change(made.id, {.active = false});
  EXPECT_FALSE(catalog_->find_hook(token).has_value());
}

TEST_F(CatalogTest, AnUnchangedScheduleKeepsItsTimes) {
  const auto scheduled = [](std::string_view word) {
    return document("timed", "schedule: {every: {hours: 1}}\ndo:\n  - a: {set: {" + std::string(word) + ": 1}}\n");
  };
  const auto made = create(scheduled("x"));
  const auto due = made.triggers[0].details.get("next_due");
  EXPECT_EQ(due, json::Value(to_rfc3339(clock_.time + Millis(3'600'000))));
  clock_.time += Millis(60'000);
  const auto changed = change(made.id, {.definition = scheduled("y")});
  EXPECT_EQ(changed.triggers[0].details.get("next_due"), due);
  EXPECT_EQ(changed.triggers[0].details.get("id"), made.triggers[0].details.get("id"));
}

TEST_F(CatalogTest, S4_O1_SaysWhoseAWorkflowIs) {
  const auto made = create(simple());
  EXPECT_EQ(catalog_->cached_owner(made.id), std::nullopt);
  EXPECT_EQ(catalog_->owner(made.id).value(), organization_);
  EXPECT_EQ(catalog_->cached_owner(made.id), organization_);
  EXPECT_EQ(catalog_->owner(WorkflowId::make(clock_.time, random_)).error().code, "workflow.not_found");
  ASSERT_TRUE(catalog_->remove(organization_, made.id).has_value());
  EXPECT_EQ(catalog_->cached_owner(made.id), std::nullopt);
  EXPECT_EQ(catalog_->owner(made.id).error().code, "workflow.not_found");
}

TEST_F(CatalogTest, W4_RemembersWhoMadeAndChangedIt) {
  const auto author = UserId::make(clock_.time, random_);
  const auto editor = UserId::make(clock_.time, random_);
  const auto made = catalog_->create(organization_, {.definition = simple(), .author = author}).value();
  change(made.id, {.definition = simple("y"), .author = editor});
  const auto now = catalog_->get(organization_, made.id).value();
  EXPECT_EQ(now.created_by, author);
  EXPECT_EQ(now.updated_by, editor);
  EXPECT_EQ(catalog_->version(organization_, made.id, 1).value().created_by, author);
  EXPECT_EQ(catalog_->version(organization_, made.id, 2).value().created_by, editor);
}

TEST_F(CatalogTest, W4_TwoEditorsDoNotOverwriteEachOther) {
  const auto made = create(simple());
  change(made.id, {.definition = simple("y"), .expected_version = 1});
  const auto late = catalog_->update(organization_, made.id, {.definition = simple("z"), .expected_version = 1});
  EXPECT_EQ(late.error().code, "workflow.version_conflict");
  EXPECT_EQ(late.error().kind, ErrorClass::conflict);
  EXPECT_EQ(catalog_->get(organization_, made.id).value().definition, simple("y"));
}

TEST_F(CatalogTest, KeepsADocumentOfPawlRunOnceAndUnlisted) {
  const auto checked = catalog_->check(simple());
  const auto first = catalog_->keep_unlisted(organization_, simple(), *checked.value);
  const auto second = catalog_->keep_unlisted(organization_, simple(), *checked.value);
  EXPECT_EQ(first.value()->id, second.value()->id);
  EXPECT_THAT(catalog_->list(organization_, {}).value().workflows, SizeIs(0));
  EXPECT_TRUE(open()->plan(first.value()->id, 1).has_value());
  // Retention counts from when it was last wanted, and knows it by having been removed when it was made.
  const auto age = [&] {
    std::int64_t millis = -1;
    static_cast<void>(database_->read([&](storage::Session& session) {
      return session.query("select created_at from workflows where id = $1 and deleted_at = created_at and is_active = 0",
                           {first.value()->id}, [&](const storage::Row& row) { millis = (clock_.now() - row.time(0)).count(); });
    }));
    return millis;
  };
  clock_.time += Millis(1000);
  EXPECT_EQ(age(), 1000);
  EXPECT_TRUE(catalog_->keep_unlisted(organization_, simple(), *checked.value).has_value());
  EXPECT_EQ(age(), 0);
}

TEST_F(CatalogTest, AnIdempotencyKeyNamesOneRunForADay) {
  const auto claim = [this](std::string_view request) {
    std::promise<Result<IdempotencyClaim>> answer;
    claim_idempotency_key(*database_, organization_, "key", crypto::hash(request), RunId::make(clock_.time, random_), clock_.time,
                          [&answer](Result<IdempotencyClaim> result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  };
  const auto first = claim("a").value();
  EXPECT_TRUE(first.is_new);
  const auto again = claim("a").value();
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.run, first.run);
  EXPECT_EQ(claim("b").error().code, "request.idempotency_conflict");
  clock_.time += kIdempotencyWindow + Millis(1);
  EXPECT_TRUE(claim("b").value().is_new);
}

TEST_F(CatalogTest, W4_ARollbackIsANewVersionWithTheOldContentAndItsTriggers) {
  const auto hourly = document("timed", "schedule: {every: {hours: 1}}\ndo:\n  - a: {set: {x: 1}}\n");
  const auto made = create(hourly);
  const auto author = UserId::make(clock_.time, random_);
  const auto changed = change(made.id, {.definition = simple()});
  EXPECT_THAT(changed.triggers, SizeIs(0));
  const auto back = catalog_->rollback(organization_, made.id, {.version = 1, .author = author});
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->version, 3U);
  EXPECT_EQ(back->definition, hourly);
  ASSERT_THAT(back->triggers, SizeIs(1));
  const auto kept = catalog_->version(organization_, made.id, 3).value();
  EXPECT_EQ(kept.definition, hourly) << "the newest version holds the live content";
  EXPECT_EQ(kept.change_summary, "Rollback to version 1");
  EXPECT_EQ(kept.created_by, author);
  EXPECT_EQ(catalog_->executable(organization_, made.id).value()->version, 3U);
  EXPECT_EQ(catalog_->rollback(organization_, made.id, {.version = 3}).value().version, 3U) << "nothing to change";
  EXPECT_EQ(catalog_->rollback(organization_, made.id, {.version = 9}).error().code, "workflow.version_not_found");
  EXPECT_EQ(catalog_->rollback(organization_, made.id, {.version = 1, .expected_version = 1}).error().code, "workflow.version_conflict");
  EXPECT_EQ(catalog_->rollback(stranger(), made.id, {.version = 1}).error().code, "workflow.not_found");
}

TEST_F(CatalogTest, W4_ComparesTwoVersions) {
  const auto made = create(simple("x"));
  change(made.id, {.definition = simple("y")});
  const auto diff = catalog_->diff(organization_, made.id, 1, 2).value();
  ASSERT_THAT(diff.hunks, SizeIs(1));
  ASSERT_THAT(diff.tasks, SizeIs(1));
  EXPECT_EQ(diff.tasks[0].reference, "/do/0/a");
  EXPECT_THAT(catalog_->diff(organization_, made.id, 2, 2).value().hunks, SizeIs(0));
  EXPECT_EQ(catalog_->diff(stranger(), made.id, 1, 2).error().code, "workflow.not_found");
}

TEST_F(CatalogTest, W4_KeepsTheNewestVersionsAndThoseThatRunsArePinnedTo) {
  max_versions_ = 2;
  catalog_ = open();
  const auto made = create(simple("v1"));
  // A run of version 1 that has ended, and one of version 2 that goes on.
  execute("insert into run_workflows (ref, organization_id, workflow_id, name) values (7, $1, $2, 'n')", {organization_, made.id});
  execute(
      "insert into runs (key, id, workflow, version, phase, flags, created_at, started_after, ended_after, history) "
      "values (1, $1, 7, 1, 6, 0, 0, 0, 0, $2)",
      {RunId::make(clock_.time, random_), storage::Parameter::blob("")});
  execute(
      "insert into open_runs (id, workflow, version, phase, flags, created_at, resident, reason, beginning) "
      "values ($1, 7, 2, 1, 0, 0, 1, '', $2)",
      {RunId::make(clock_.time, random_), storage::Parameter::blob("")});
  for (const auto* word : {"v2", "v3", "v4", "v5"}) {
    clock_.time += Millis(10'000);
    change(made.id, {.definition = simple(word)});
  }
  EXPECT_TRUE(catalog_->version(organization_, made.id, 3).has_value()) << "it was current a moment ago";
  clock_.time += Millis(61'000);
  change(made.id, {.definition = simple("v6")});
  std::vector<std::uint32_t> kept;
  for (const auto& version : catalog_->versions(organization_, made.id, 50, {}).value().versions) kept.push_back(version.version);
  EXPECT_THAT(kept, ElementsAre(6, 5, 2, 1));
  EXPECT_EQ(catalog_->version(organization_, made.id, 3).error().code, "workflow.version_not_found");
  EXPECT_TRUE(open()->plan(made.id, 2).has_value()) << "recovery finds the plan of the run that goes on";
}

TEST_F(CatalogTest, S0_13_ListsAreSearchedFilteredSortedAndPaged) {
  std::vector<WorkflowId> made;
  for (const auto* name : {"Beta", "alpha", "Gamma_1"}) {
    clock_.time += Millis(1000);
    made.push_back(create(simple(), name).id);
  }
  clock_.time += Millis(1000);
  change(made[0], {.description = "Writes 100% of the Letters", .active = false});
  const auto names = [this](WorkflowFilter filter) {
    std::vector<std::string> found;
    for (filter.limit = 2;;) {
      const auto page = catalog_->list(organization_, filter).value();
      for (const auto& workflow : page.workflows) found.push_back(workflow.name);
      if (!page.next) return found;
      filter.before = page.next;
    }
  };
  EXPECT_THAT(names({}), ElementsAre("Gamma_1", "alpha", "Beta"));
  EXPECT_THAT(names({.sort = WorkflowFilter::Sort::name}), ElementsAre("alpha", "Beta", "Gamma_1"));
  EXPECT_THAT(names({.sort = WorkflowFilter::Sort::updated}), ElementsAre("Beta", "Gamma_1", "alpha"));
  EXPECT_THAT(names({.text = "lett"}), ElementsAre("Beta"));
  EXPECT_THAT(names({.text = "ALPHA"}), ElementsAre("alpha"));
  EXPECT_THAT(names({.text = "%"}), ElementsAre("Beta"));
  EXPECT_THAT(names({.text = "_"}), ElementsAre("Gamma_1"));
  EXPECT_THAT(names({.active = false}), ElementsAre("Beta"));
  EXPECT_THAT(names({.active = true, .sort = WorkflowFilter::Sort::name}), ElementsAre("alpha", "Gamma_1"));
  EXPECT_THAT(catalog_->list(stranger(), {}).value().workflows, SizeIs(0));
}

TEST_F(CatalogTest, S0_13_AListShowsTriggersAndTheLastRunOfEachWorkflow) {
  const auto plain = create(simple());
  clock_.time += Millis(1);  // ids of one millisecond have no order
  const auto timed = create(document("timed", "schedule: {every: {hours: 1}}\ndo:\n  - a: {set: {x: 1}}\n", ", metadata: {webhook: true}"));
  const auto last = RunId::make(clock_.time, random_);
  execute("insert into run_workflows (ref, organization_id, workflow_id, name) values (7, $1, $2, 'n')", {organization_, timed.id});
  for (const auto key : {1, 2}) {
    execute(
        "insert into runs (key, id, workflow, version, phase, flags, created_at, started_after, ended_after, history) "
        "values ($1, $2, 7, 1, 5, 0, 1000, 0, 5, $3)",
        {key, key == 2 ? last : RunId::make(clock_.time, random_), storage::Parameter::blob("")});
  }
  const auto page = catalog_->list(organization_, {.last_runs = true}).value().workflows;
  ASSERT_THAT(page, SizeIs(2));
  EXPECT_THAT(page[0].triggers, SizeIs(2));
  ASSERT_TRUE(page[0].last_run.has_value());
  EXPECT_EQ(page[0].last_run->id, last);
  EXPECT_EQ(page[0].last_run->phase, engine::Phase::faulted);
  EXPECT_EQ(page[0].last_run->ended_at, TimePoint(Millis(1005)));
  EXPECT_THAT(page[1].triggers, SizeIs(0));
  EXPECT_FALSE(page[1].last_run.has_value());
  EXPECT_FALSE(catalog_->list(organization_, {}).value().workflows[0].last_run.has_value());
}

// On security check 25.
TEST_F(CatalogTest, W6_AWebhookGetsAnotherAddress) {
  const auto made = create(document("hooked", "do:\n  - a: {set: {x: 1}}\n", ", metadata: {webhook: true}"));
  const auto token_of = [](const Workflow& workflow) { return std::string(workflow.triggers[0].details.get("url").as_string().substr(7)); };
  const auto old_token = token_of(made);
  const auto rotated = catalog_->rotate_webhook(organization_, made.id, {}).value();
  EXPECT_NE(token_of(rotated), old_token);
  EXPECT_FALSE(catalog_->find_hook(old_token).has_value());
  EXPECT_EQ(catalog_->find_hook(token_of(rotated))->workflow, made.id);
  EXPECT_EQ(open()->find_hook(token_of(rotated))->workflow, made.id);
  EXPECT_EQ(catalog_->rotate_webhook(organization_, create(simple()).id, {}).error().code, "workflow.no_webhook");
  EXPECT_EQ(catalog_->rotate_webhook(stranger(), made.id, {}).error().code, "workflow.not_found");
}

TEST_F(CatalogTest, S4_O8_ASignedDeliveryIsTakenOnceAlsoAfterARestart) {
  const SignedDelivery delivery{crypto::hash("signature"), clock_.time + Millis(300'000)};
  const auto claim = [&] {
    std::promise<Result<DeliveryClaim>> answer;
    claim_delivery(*database_, organization_, delivery, RunId::make(clock_.time, random_), clock_.time,
                   [&answer](Result<DeliveryClaim> claimed) { answer.set_value(std::move(claimed)); });
    return answer.get_future().get().value().is_new;
  };
  EXPECT_TRUE(claim());
  EXPECT_FALSE(claim());
  reopen();
  EXPECT_FALSE(claim());
  release_delivery(*database_, organization_, delivery);
  EXPECT_TRUE(claim()) << "it came to nothing: its sender may repeat it";
  clock_.time += Millis(300'001);
  EXPECT_TRUE(claim()) << "forgotten when its time no longer fits";
}

// proves: FA-8
TEST_F(CatalogTest, FA_8_ManyWhoUseAKeyAtOnceNameOneRun) {
  std::vector<std::future<Result<IdempotencyClaim>>> answers;
  for (int i = 0; i < 50; ++i) {
    const auto answer = std::make_shared<std::promise<Result<IdempotencyClaim>>>();
    answers.push_back(answer->get_future());
    claim_idempotency_key(*database_, organization_, "many", crypto::hash("same"), RunId::make(clock_.time, random_), clock_.time,
                          [answer](Result<IdempotencyClaim> result) { answer->set_value(std::move(result)); });
  }
  std::set<RunId> runs;
  int fresh = 0;
  for (auto& answer : answers) {
    const auto claim = answer.get().value();
    runs.insert(claim.run);
    fresh += claim.is_new ? 1 : 0;
  }
  EXPECT_EQ(runs.size(), 1U);
  EXPECT_EQ(fresh, 1);
  reopen();
  std::promise<Result<IdempotencyClaim>> again;
  claim_idempotency_key(*database_, organization_, "many", crypto::hash("same"), RunId::make(clock_.time, random_), clock_.time,
                        [&again](Result<IdempotencyClaim> result) { again.set_value(std::move(result)); });
  EXPECT_EQ(again.get_future().get().value().run, *runs.begin());
}

TEST(BoundedCache, DropsWhatWasUnusedLongest) {
  BoundedCache<int, std::shared_ptr<int>> cache(2);
  cache.put(1, std::make_shared<int>(1), cache.generation());
  cache.put(2, std::make_shared<int>(2), cache.generation());
  EXPECT_NE(cache.get(1), nullptr);
  cache.put(3, std::make_shared<int>(3), cache.generation());
  EXPECT_EQ(cache.get(2), nullptr);
  EXPECT_NE(cache.get(1), nullptr);
}

TEST(BoundedCache, DoesNotKeepWhatWasLoadedBeforeAChange) {
  BoundedCache<int, std::shared_ptr<int>> cache(2);
  const auto before = cache.generation();
  cache.erase(1);
  cache.put(1, std::make_shared<int>(1), before);
  EXPECT_EQ(cache.get(1), nullptr);
}

TEST_F(CatalogTest, P2_EverythingOfADeletedOrganizationGoesAndNothingOfAnother) {
  const auto ours = create(simple());
  const auto other = add_organization();
  NewWorkflow request;
  request.definition = simple();
  const auto theirs = catalog_->create(other, std::move(request));
  ASSERT_TRUE(theirs.has_value());
  ASSERT_TRUE(catalog_->executable(organization_, ours.id).has_value());
  EXPECT_EQ(database_->read([&](storage::Session& session) { return count_workflows(session, organization_); }).value(), 1);
  ASSERT_TRUE(
      database_
          ->write_and_wait([&](storage::Transaction& transaction) { return remove_organization(transaction, organization_, clock_.now()); })
          .has_value());
  ASSERT_TRUE(catalog_->forget(organization_).has_value());
  EXPECT_EQ(catalog_->cached(organization_, ours.id), nullptr);
  EXPECT_EQ(catalog_->get(organization_, ours.id).error().code, "workflow.not_found");
  EXPECT_TRUE(catalog_->get(other, theirs->id).has_value());
}

// proves: S4-H3
TEST_F(CatalogTest, S4_H3_WhatStartsByItselfHasTheRightOfItsAuthorWhereTheOrganizationAsksForIt) {
  const auto user = [&](std::string_view role, bool superuser = false, bool active = true) {
    const auto id = UserId::make(clock_.now(), random_);
    execute(
        "insert into users (id, email, email_key, name, is_active, is_superuser, created_at, updated_at) values ($1, $2, $2, 'n', $3, $4, "
        "1, 1)",
        {id, id.to_string(), active ? 1 : 0, superuser ? 1 : 0});
    if (!role.empty()) {
      execute("insert into organization_members (organization_id, user_id, role, joined_at) values ($1, $2, $3, 1)",
              {organization_, id, role});
    }
    return id;
  };
  const auto member = user("member");
  const auto admin = user("admin");
  const auto may = [&](const UserId& id) { return may_destroy(*database_, organization_, id).value(); };
  const auto trigger_of = [&](const UserId& author) {
    NewWorkflow request;
    request.definition = simple();
    request.author = author;
    const auto made = catalog_->create(organization_, std::move(request)).value();
    const auto executable = catalog_->executable(organization_, made.id).value();
    EXPECT_EQ(executable->author, executable->is_guarded ? author : UserId{});
    auto trigger = catalog_->with_right(*executable, json::Value::object({{"type", "schedule"}}));
    EXPECT_EQ(catalog_->author_may_destroy(organization_, made.id, 1), engine::may_destroy(trigger)) << "as one that another one calls";
    return json::to_text(trigger);
  };
  const std::string permitted = R"({"type":"schedule"})";
  const std::string trusted = R"({"type":"schedule","unattended":true})";
  const std::string denied = R"({"type":"schedule","may_destroy":false,"unattended":true})";
  EXPECT_EQ(trigger_of(member), permitted);
  EXPECT_EQ(trigger_of({}), permitted);
  EXPECT_TRUE(may(user("viewer")) && may({})) << "nobody asks for more than was asked for before";

  const auto early = create(simple("early"));
  EXPECT_FALSE(catalog_->executable(organization_, early.id).value()->is_guarded);
  execute("update organizations set destroy_role = 'admin' where id = $1", {organization_});
  ASSERT_TRUE(catalog_->forget(organization_).has_value());
  EXPECT_TRUE(catalog_->executable(organization_, early.id).value()->is_guarded) << "what was in memory is read again";
  EXPECT_EQ(trigger_of(member), denied);
  EXPECT_EQ(trigger_of(admin), trusted);
  EXPECT_EQ(trigger_of({}), denied);
  EXPECT_FALSE(may(user("")) || may({}));
  EXPECT_TRUE(may(user("", true)));
  EXPECT_FALSE(may(user("owner", false, false))) << "switched off";

  execute("update organizations set destroy_role = 'owner' where id = $1", {organization_});
  EXPECT_FALSE(may(admin));
  EXPECT_TRUE(may(user("owner")));
  execute("update organizations set destroy_role = 'nonsense' where id = $1", {organization_});
  EXPECT_FALSE(may(admin)) << "what cannot be read asks for the most";
  EXPECT_FALSE(catalog_->author_may_destroy(organization_, early.id, 7)) << "of no such version";
  execute("update organizations set destroy_role = 'viewer' where id = $1", {organization_});
  EXPECT_TRUE(may(admin));
}

}  // namespace
}  // namespace pawl::catalog
