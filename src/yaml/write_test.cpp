#include "yaml/write.hpp"

#include <gmock/gmock.h>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::yaml {
namespace {

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

TEST(YamlWriter, WritesWhatPeopleWouldWrite) {
  EXPECT_EQ(
      to_yaml(parsed(
          R"({"document":{"dsl":"1.0.3","name":"a b"},"do":[{"x":{"set":{"count":1,"empty":[],"none":{}}}},{"y":{"script":"a\nb\n"}}]})")),
      R"(document:
  dsl: '1.0.3'
  name: a b
do:
  - x:
      set:
        count: 1
        empty: []
        none: {}
  - "y":
      script: |
        a
        b
)");
}

TEST(YamlWriter, ReadsBackTheSame) {
  const std::vector<std::string_view> samples{
      "null",
      "[]",
      "{}",
      "[[1,[2,[]]],{}]",
      R"("yes")",
      R"(["~","null","True","1","1.5","0x1f","-","- a","a: b","a #b","#c","&a","*a","!t","%d","@x","`q`","|","> x","{a}","[b]",",","?","? x",":",": y","'","\"","\\"])",
      R"([" lead","trail ","","\n","a\n","a\nb","a\n\nb\n","a\n\n"," a\nb","\ta\nb","a\n\tb","a\r\nb","a\u0000b","a\u007f","\u00e9","\u2028","\ud83d\ude00"])",
      R"({"":1," ":2,"a: b":3,"y":4,"null":5,"1":6,"a\nb":7,"ä":8})",
      R"([9223372036854775807,-1,0.5,1e300,true,false,null])",
      R"([{"a":[{"b":[{"c":"x\ny"}]}]},[["l\nm\n"]]])",
      R"("${ .a | \"x\" }")",
  };
  for (const auto sample : samples) {
    const auto value = parsed(sample);
    const auto text = to_yaml(value);
    const auto back = parse(text);
    ASSERT_TRUE(back.ok()) << text;
    EXPECT_EQ(back.value->value, value) << text;
  }
}

}  // namespace
}  // namespace pawl::yaml
