#include <gtest/gtest.h>

#include "engine/function.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

std::string text(const std::vector<Need>& needs) {
  std::string all;
  for (const auto need : needs) all += std::string(to_text(need)) + ' ';
  return all;
}

TEST(Needs, F1_FollowFromWhatAFunctionDeclaresOnceEach) {
  using K = Access::Kind;
  Function::Info info;
  EXPECT_EQ(text(needs_of(info)), "");
  info.reach = {{K::host, "/url", {}}, {K::write, "/path", {}}, {K::host, {}, "example.org"}, {K::read, "/path", {}}};
  EXPECT_EQ(text(needs_of(info)), "files.read files.write network ");
  info.destructive = true;
  info.needs = {Need::people, Need::network};
  EXPECT_EQ(text(needs_of(info)), "destroy files.read files.write network people ");
}

TEST(Needs, EveryKindOfAccessNeedsSomething) {
  using K = Access::Kind;
  for (const auto& [kind, name] : std::vector<std::pair<K, std::string>>{{K::host, "network"},
                                                                         {K::read, "files.read"},
                                                                         {K::write, "files.write"},
                                                                         {K::process, "processes"},
                                                                         {K::database, "database"},
                                                                         {K::mail, "mail"},
                                                                         {K::model, "model"},
                                                                         {K::workflow, "workflows"}}) {
    EXPECT_EQ(to_text(need_of(kind)), name);
  }
  EXPECT_EQ(to_text(Need::containers), "containers");
  EXPECT_EQ(to_text(Need::workflows), "workflows");
}

TEST(Recorded, F3_KeepsTheSizeOfContentAtAnyDepthAndAllElse) {
  Function::Info info;
  const auto arguments = *json::parse(
      R"({"to": "ann@example.org", "body": "Dear Ann", "html": true, "attachments": [{"name": "a.txt", "content": "abc"}, {"path": "b.txt"}]})");
  EXPECT_EQ(recorded(info, arguments), arguments);
  info.content = {"body", "html", "content"};
  EXPECT_EQ(
      json::to_text(recorded(info, arguments)),
      R"({"to":"ann@example.org","body":{"size":8},"html":true,"attachments":[{"name":"a.txt","content":{"size":3}},{"path":"b.txt"}]})");
  EXPECT_EQ(recorded(info, json::Value("plain")), json::Value("plain"));
}

}  // namespace
}  // namespace pawl::engine
