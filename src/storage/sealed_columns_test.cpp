#include "storage/sealed_columns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace pawl::storage {
namespace {

const OrganizationId kOrganization = *OrganizationId::parse("01890000-0000-7000-8000-00000000000a");

constexpr SealedColumn kColumns[] = {
    {.name = "t.sealed_a",
     .key = SealedColumn::Key::blob,
     .select = "select id, organization_id, sealed_a from t where id > $1 and sealed_a is not null order by id limit $2",
     .update = "update t set sealed_a = $1 where id = $2 and sealed_a = $3"},
    {.name = "u.sealed_b",
     .key = SealedColumn::Key::text,
     .select = "select name, null, sealed_b from u where name > $1 and sealed_b is not null order by name limit $2",
     .update = "update u set sealed_b = $1 where name = $2 and sealed_b = $3"},
};

class SealedColumns : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-sealed-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = Database::open(options);
    ASSERT_FALSE(opened.has_error());
    database_ = std::move(opened).value();
    write("create table t (id blob primary key, organization_id blob, sealed_a blob)");
    write("create table u (name text primary key, sealed_b blob)");
  }
  void TearDown() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }
  void write(std::string_view sql, std::initializer_list<Parameter> parameters = {}) {
    const auto done = database_->write_and_wait([&](Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute(sql, parameters));
      return {};
    });
    ASSERT_FALSE(done.has_error()) << done.error().message;
  }
  static Uuid id_of(unsigned number) {
    Uuid id{};
    id.bytes[0] = 1;
    id.bytes[15] = static_cast<std::uint8_t>(number);
    id.bytes[14] = static_cast<std::uint8_t>(number >> 8U);
    return id;
  }
  void fill(const crypto::KeyRing& ring, unsigned rows) {
    for (unsigned i = 1; i <= rows; ++i) {
      const auto id = id_of(i);
      const auto sealed = ring.seal("secret " + std::to_string(i), {"t.sealed_a", id, kOrganization});
      write("insert into t values ($1, $2, $3)", {id, kOrganization, Parameter::blob(sealed)});
    }
    write("insert into t values ($1, $2, null)", {id_of(9999), kOrganization});
    write("insert into u values ('n', $1)", {Parameter::blob(ring.seal("text", {"u.sealed_b", "n"}))});
  }
  std::string sealed_of(unsigned number) {
    std::string sealed;
    const auto read = database_->read([&](Session& session) {
      return session.query("select sealed_a from t where id = $1", {id_of(number)}, [&](const Row& row) { sealed = row.blob(0); });
    });
    EXPECT_FALSE(read.has_error());
    return sealed;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Database> database_;
  const crypto::KeyRing old_{"the old key"};
  const std::vector<std::string> previous_{"the old key"};
  const crypto::KeyRing ring_{"the new key", previous_};
};

// proves: FA-10, S4-O2, S4-D1
TEST_F(SealedColumns, FA_10_RotationSealsEverythingUnderTheCurrentKey) {
  fill(old_, 450);
  const auto done = reseal(*database_, kColumns, ring_, {.batch = 100});
  ASSERT_FALSE(done.has_error()) << done.error().message;
  EXPECT_EQ((*done)[0].rows, 450U);
  EXPECT_EQ((*done)[0].resealed, 450U);
  EXPECT_EQ((*done)[1].resealed, 1U);
  const crypto::KeyRing only_new("the new key");
  EXPECT_EQ(only_new.open(sealed_of(450), {"t.sealed_a", id_of(450), kOrganization}).value(), "secret 450");
  const auto again = reseal(*database_, kColumns, only_new);
  ASSERT_FALSE(again.has_error()) << "the old key is not needed any more";
  EXPECT_EQ((*again)[0].resealed, 0U);
}

TEST_F(SealedColumns, FA_10_ADryRunCountsAndChangesNothing) {
  fill(old_, 3);
  const auto before = sealed_of(2);
  const auto done = reseal(*database_, kColumns, ring_, {.dry_run = true});
  ASSERT_FALSE(done.has_error());
  EXPECT_EQ((*done)[0].resealed, 3U);
  EXPECT_EQ(sealed_of(2), before);
}

TEST_F(SealedColumns, FA_10_ARotationThatWasCutShortGoesOn) {
  fill(old_, 3);
  write("update t set sealed_a = $1 where id = $2",
        {Parameter::blob(ring_.seal("secret 1", {"t.sealed_a", id_of(1), kOrganization})), id_of(1)});
  const auto done = reseal(*database_, kColumns, ring_);
  ASSERT_FALSE(done.has_error());
  EXPECT_EQ((*done)[0].resealed, 2U);
}

TEST_F(SealedColumns, FA_10_RefusesAndChangesNothingWhereOneRowDoesNotOpen) {
  fill(old_, 3);
  const auto stranger = crypto::KeyRing("a lost key").seal("x", {"t.sealed_a", id_of(3), kOrganization});
  write("update t set sealed_a = $1 where id = $2", {Parameter::blob(stranger), id_of(3)});
  const auto before = sealed_of(1);
  const auto done = reseal(*database_, kColumns, ring_);
  ASSERT_TRUE(done.has_error());
  EXPECT_EQ(done.error().code, "keys.cannot_open");
  EXPECT_THAT(done.error().message, ::testing::HasSubstr(id_of(3).to_string()));
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("crypto.unknown_key"));
  EXPECT_EQ(sealed_of(1), before);
  // The same for a value that came from another row.
  write("update t set sealed_a = $1 where id = $2", {Parameter::blob(sealed_of(2)), id_of(3)});
  EXPECT_THAT(reseal(*database_, kColumns, ring_).error().message, ::testing::HasSubstr("crypto.damaged"));
}

TEST_F(SealedColumns, StatusCountsRowsByKey) {
  fill(old_, 2);
  write("update t set sealed_a = $1 where id = $2", {Parameter::blob("nonsense"), id_of(1)});
  const auto counts = count_sealed(*database_, kColumns);
  ASSERT_FALSE(counts.has_error());
  EXPECT_THAT((*counts)[0].by_key,
              ::testing::UnorderedElementsAre(::testing::Pair(crypto::to_text(old_.current()), 1U), ::testing::Pair("damaged", 1U)));
}

}  // namespace
}  // namespace pawl::storage
